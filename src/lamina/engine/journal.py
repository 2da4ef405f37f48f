"""Events of one engine: noted, and given to who asks. Kinds, actions and attributes are Docker's."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.stream import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = [
    "FILTERS",
    "attributes_of",
    "diary_order",
    "events",
    "last_exit_code",
    "note_container",
    "note_image",
    "note_network",
    "note_prune",
    "note_volume",
]

_KINDS = ("config", "daemon", "network", "node", "plugin", "secret", "service", "volume")
FILTERS = tuple(sorted(("container", "event", "image", "label", "scope", "type", *_KINDS)))


def attributes_of(record: "ContainerRecord") -> dict[str, str]:
    """Give what goes with each event of a container: image, name and its labels."""
    labels = {str(key): str(value) for key, value in (record.config.get("Labels") or {}).items()}
    return {**labels, "image": record.image_name, "name": record.name}


def diary_order(engine: "Engine", record: "ContainerRecord") -> Document:
    """Give what a container's shim needs to note events, see `runtime.diary`."""
    return {
        "path": f"{engine.settings.root}/{journal.FILE}",
        "attributes": attributes_of(record),
        "volumes": [
            {
                "name": mount["Name"],
                "destination": mount["Destination"],
                "writable": mount["RW"],
                "doomed": bool(record.host.get("AutoRemove") and mount.get("Anonymous")),
            }
            for mount in record.mounts
            if mount["Type"] == "volume"
        ],
    }


def note_container(engine: "Engine", record: "ContainerRecord", action: str, **more: str) -> None:
    """Note what was done with a container."""
    _note(engine, "container", action, record.id, {**attributes_of(record), **more})


def note_volume(engine: "Engine", name: str, action: str) -> None:
    """Note what was done with a volume."""
    _note(engine, "volume", action, name, {"driver": "local"})


def note_network(engine: "Engine", ident: str, action: str, **more: str) -> None:
    """Note what was done with a network; `more` has its `name`, and the `container` if it is about one."""
    _note(engine, "network", action, ident, {"type": "bridge", **more})


def note_image(
    engine: "Engine",
    ident: str,
    action: str,
    *,
    name: str = "",
    labels: Mapping[str, str] | None = None,
) -> None:
    """Note what was done with an image: `ident` is its ID or, where a registry took part, its name."""
    _note(engine, "image", action, ident, {**(labels or {}), "name": name or ident})


def note_prune(engine: "Engine", kind: str, freed: int) -> None:
    """Note that what nobody used was removed, and the bytes that were freed."""
    _note(engine, kind, "prune", "", {"reclaimed": str(freed)})


def _note(
    engine: "Engine", kind: str, action: str, ident: str, attributes: Mapping[str, str]
) -> None:
    journal.note(f"{engine.settings.root}/{journal.FILE}", kind, action, ident, attributes)
    if engine.witness is not None:
        from lamina.events import Noted

        engine.witness(Noted(kind, action, ident, attributes))


def events(
    engine: "Engine",
    *,
    filters: Mapping[str, Sequence[str]] | None = None,
    since_ns: int | None = None,
    until_ns: int | None = None,
    follow: Callable[[], bool] | None = None,
) -> Iterator[Document]:
    """Give events, oldest first; without `since_ns` only what happens from now on.

    Times are nanoseconds since 1970. Raises: Invalid (filters).
    """
    wanted = filters or {}
    for name in wanted:
        if name not in FILTERS:
            raise Invalid(f"invalid filter '{name}'", hint=f"there are {', '.join(FILTERS)}")
    path = f"{engine.settings.root}/{journal.FILE}"
    for event in journal.read(path, follow=follow, old=since_ns is not None):
        moment = int(event["timeNano"])
        if until_ns is not None and moment > until_ns:
            return
        if (since_ns is None or moment >= since_ns) and _fits(event, wanted):
            yield event


def last_exit_code(engine: "Engine", container: str) -> int | None:
    """Give the exit code that the journal has of a container's last end; None where it has none."""
    wanted = {"container": (container,), "event": ("die",)}
    code = None
    for event in events(engine, filters=wanted, since_ns=0):
        code = int(event["Actor"]["Attributes"]["exitCode"])
    return code


def _fits(event: Document, wanted: Mapping[str, Sequence[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    ident, kind = str(event["Actor"]["ID"]), str(event["Type"])
    tests: dict[str, Callable[[str], bool]] = {
        "container": lambda text: (
            kind == "container" and (ident.startswith(text) or attributes.get("name") == text)
        ),
        "event": lambda text: text in (event["Action"], str(event["Action"]).partition(":")[0]),
        "image": lambda text: _is_of_image(kind, ident, attributes, text),
        "label": lambda text: _labelled(attributes, text),
        "scope": lambda text: text == event["scope"],
        "type": lambda text: text == kind,
    }
    for other in _KINDS:
        tests[other] = lambda text, other=other: (  # type: ignore[misc]
            kind == other and (ident.startswith(text) or attributes.get("name") == text)
        )
    return all(any(tests[name](text) for text in texts) for name, texts in wanted.items())


def _is_of_image(kind: str, ident: str, attributes: Mapping[str, str], text: str) -> bool:
    """Tell whether an event is about an image, or a container on it; with its tag or without."""
    name = str(attributes.get("name" if kind == "image" else "image"))
    known = [name, _untagged(name)]
    if kind == "image":
        known += [ident, _untagged(ident), ident.removeprefix("sha256:")[:12]]
    return text in known


def _untagged(name: str) -> str:
    path, colon, tag = name.rpartition(":")
    return path if colon and "/" not in tag else name


def _labelled(attributes: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in attributes and (not equals or attributes[key] == value)
