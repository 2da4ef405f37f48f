"""`ps`: which containers, in which order, with which words."""

from contextlib import suppress

from lamina.errors import Invalid
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord, ContainerState

__all__ = ["ContainerSummary", "summaries"]

_FILTERS = (
    "id",
    "name",
    "label",
    "status",
    "ancestor",
    "exited",
    "before",
    "since",
    "volume",
    "network",
    "health",
)
_HEALTHS = ("starting", "healthy", "unhealthy", "none")
_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """One container as listings show it: what it was made as and how it is."""

    record: "ContainerRecord"
    state: "ContainerState"
    size: int = -1

    @property
    def id(self) -> str:
        """The whole ID."""
        return self.record.id


def summaries(
    engine: "Engine",
    *,
    all: bool = False,  # noqa: A002 - Docker's word
    filters: "Mapping[str, Sequence[str]] | None" = None,
    latest: int = 0,
    size: bool = False,
) -> tuple[ContainerSummary, ...]:
    """Give the containers, newest first; only running ones unless `all`, a filter or `latest` asks.

    Without `all` a container that no shim holds is not even read. Raises: Invalid (filters).
    """
    wanted = dict(filters or {})
    _check(wanted)
    containers = engine.containers
    ids: Iterable[str] = containers.register.ids()
    everything = all or latest > 0 or bool(wanted.get("status") or wanted.get("exited"))
    if not everything:
        ids = [name for name in ids if containers.files.is_held(name)]
    records = containers.files.all(list(ids))
    chosen = []
    test = _Filter(engine, wanted)
    for record in records:
        state = containers.state(record.id)
        if (everything or state.is_running) and test.accepts(record, state):
            chosen.append(ContainerSummary(record, state))
            if latest and len(chosen) == latest:
                break
    return tuple(_measured(engine, chosen) if size else chosen)


def _measured(
    engine: "Engine", chosen: "Iterable[ContainerSummary]"
) -> "Iterator[ContainerSummary]":
    """Add the bytes that each container wrote; one that is removed meanwhile is left out."""
    from lamina.engine.names import ContainerUnknown
    from lamina.engine.removal import present

    for row in chosen:
        with suppress(ContainerUnknown):
            with present(engine, row.record):
                size = engine.snapshotter.usage(row.id)[0]
            yield ContainerSummary(row.record, row.state, size)


def _check(wanted: "Mapping[str, Sequence[str]]") -> None:
    for name in wanted:
        if name not in _FILTERS:
            raise Invalid(f"invalid filter '{name}'", hint=f"filters are {', '.join(_FILTERS)}")
    for status in wanted.get("status", ()):
        if status not in _STATUSES:
            raise Invalid(
                f"invalid filter 'status={status}'", hint=f"one of {', '.join(_STATUSES)}"
            )
    for health in wanted.get("health", ()):
        if health not in _HEALTHS:
            raise Invalid(f"invalid filter 'health={health}'", hint=f"one of {', '.join(_HEALTHS)}")


class _Filter:
    """Docker's filters: values of one name are alternatives, names must all hold."""

    def __init__(self, engine: "Engine", wanted: "Mapping[str, Sequence[str]]") -> None:
        self._wanted = wanted
        self._images = [self._image_of(engine, text) for text in wanted.get("ancestor", ())]
        self._before = [engine.containers.record(t).created for t in wanted.get("before", ())]
        self._since = [engine.containers.record(t).created for t in wanted.get("since", ())]

    @staticmethod
    def _image_of(engine: "Engine", text: str) -> str:
        from lamina.errors import LaminaError

        try:
            return str(engine.images.resolve(text).id)
        except LaminaError:
            return ""

    def accepts(self, record: "ContainerRecord", state: "ContainerState") -> bool:
        """Tell whether the container passes every filter."""
        wanted = self._wanted
        tests: dict[str, Callable[[str], bool]] = {
            "id": record.id.startswith,
            "name": lambda value: (
                value.lstrip("/^").rstrip("$") in record.name
                if not value.startswith("^") and not value.startswith("/")
                else _matches(value, record.name)
            ),
            "status": lambda value: value == state.status,
            "exited": lambda value: state.status == "exited" and str(state.exit_code) == value,
            "volume": lambda value: any(
                value in (m["Destination"], m["Source"], m.get("Name")) for m in record.mounts
            ),
            "health": lambda value: (state.health.get("Status") or "none") == value,
            "network": lambda value: record.host.get("NetworkMode") == value,
        }
        for name, test in tests.items():
            if wanted.get(name) and not any(test(value) for value in wanted[name]):
                return False
        labels = record.config.get("Labels") or {}
        return (
            all(_has_label(labels, value) for value in wanted.get("label", ()))
            and (not self._images or str(record.image_id) in self._images)
            and all(record.created < moment for moment in self._before)
            and all(record.created > moment for moment in self._since)
        )


def _matches(pattern: str, name: str) -> bool:
    import re

    try:
        return re.search(pattern, name) is not None or re.search(pattern, f"/{name}") is not None
    except re.error as error:
        raise Invalid(f"invalid filter 'name={pattern}': {error}") from error


def _has_label(labels: "Mapping[str, str]", wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
