"""`ps --filter`: Docker's filters of containers, and those of podman that mean something here."""

from lamina.errors import Invalid, LaminaError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.outline import Outline
    from lamina.engine.records import ContainerState

    Test = Callable[[Outline, ContainerState], bool]

__all__ = ["ContainerFilters", "FilterInvalid"]

_HEALTHS = ("starting", "healthy", "unhealthy", "none")
_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_PORTS = 1 << 16
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


class FilterInvalid(Invalid):
    """No such filter, or no such value of it."""


class ContainerFilters:
    """Filters as one test: values of a name are alternatives, but labels and times must all hold.

    Raises: FilterInvalid, ContainerUnknown (`before` or `since` one that is not here).
    """

    def __init__(self, engine: "Engine", wanted: "Mapping[str, Sequence[str]]") -> None:
        for name in wanted:
            if name not in _MAKERS:
                raise FilterInvalid(
                    f"invalid filter '{name}'", hint=f"filters are {', '.join(sorted(_MAKERS))}"
                )
        self.of_any_state = bool(wanted.get("status") or wanted.get("exited"))
        """Whether these filters are about containers that do not run, too."""
        self._tests = [
            test
            for name, values in wanted.items()
            if values
            for test in _MAKERS[name](engine, tuple(values))
        ]

    def accept(self, outline: "Outline", state: "ContainerState") -> bool:
        """Tell whether the container passes every filter."""
        return all(test(outline, state) for test in self._tests)


def _status(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    _check("status", values, _STATUSES)
    return [lambda _, state: state.status in values]


def _health(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    _check("health", values, _HEALTHS)
    return [lambda _, state: (state.health.get("Status") or "none") in values]


def _exited(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    codes = {_number(value) for value in values}
    return [lambda _, state: state.status == "exited" and state.exit_code in codes]


def _before(engine: "Engine", values: tuple[str, ...]) -> "list[Test]":
    first = min(engine.containers.record(value).created for value in values)
    return [lambda outline, _: outline.created < first]


def _since(engine: "Engine", values: tuple[str, ...]) -> "list[Test]":
    last = max(engine.containers.record(value).created for value in values)
    return [lambda outline, _: outline.created > last]


def _id(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    patterns = [_pattern("id", value) for value in values]
    return [lambda outline, _: any(fits(outline.id) for fits in patterns)]


def _name(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    patterns = [_pattern("name", value) for value in values]
    return [
        lambda outline, _: any(fits(outline.name) or fits(f"/{outline.name}") for fits in patterns)
    ]


def _volume(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    wanted = set(values)
    return [
        lambda outline, _: any(
            not wanted.isdisjoint((mount["Destination"], mount.get("Source"), mount.get("Name")))
            for mount in outline.mounts
        )
    ]


def _expose(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    ports = {port for value in values for port in _ports("expose", value)}
    return [lambda outline, _: not ports.isdisjoint(outline.exposed)]


def _publish(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    ports = {port for value in values for port in _ports("publish", value)}
    return [lambda outline, _: not ports.isdisjoint(outline.published)]


def _is_task(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    """Test nothing: none of our containers is a swarm's."""
    chosen = {value in ("1", "true") for value in values}
    if len(chosen) > 1 or not set(values) <= {"0", "1", "true", "false"}:
        raise FilterInvalid(f"invalid filter 'is-task=[{' '.join(values)}]'", hint="true or false")
    return [lambda _, __: chosen == {False}]


def _isolation(_: "Engine", values: tuple[str, ...]) -> "list[Test]":
    if set(values) - {"", "default"}:
        raise FilterInvalid(
            f"invalid filter 'isolation={values[0]}'",
            hint="only containers on Windows have an isolation other than default",
        )
    return []


def _check(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise FilterInvalid(
                f"invalid filter '{name}={value}'", hint=f"one of {', '.join(known)}"
            )


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise FilterInvalid(
            f'strconv.Atoi: parsing "{text}": invalid syntax',
            hint="the filter exited takes an exit code: exited=137",
        ) from None


def _label(wanted: str, *, there: bool) -> "Test":
    key, equals, value = wanted.partition("=")

    def test(outline: "Outline", _: "ContainerState") -> bool:
        labels = outline.labels
        return (key in labels and (not equals or labels[key] == value)) == there

    return test


def _pattern(name: str, text: str) -> "Callable[[str], object]":
    """Give a search for a regular expression; `re` is not loaded for plain text."""
    if not text.strip(_PLAIN):
        return lambda value: text in value
    import re

    try:
        return re.compile(text).search
    except re.error as error:
        raise FilterInvalid(
            f"invalid filter '{name}={text}': {error}",
            hint=f"the filter {name} takes a regular expression: {name}=^web[0-9]+$",
        ) from error


def _network(engine: "Engine", values: tuple[str, ...]) -> "list[Test]":
    """Test the networks a container is on or was made for, by name or ID."""
    ids = set(values)
    for value in values:
        try:
            ids.add(engine.networks.get(value).id)
        except (NotFound, Invalid):  # host, none; or a network that is gone
            continue
    modes = ids | ({"default"} if "bridge" in ids else set())

    def test(outline: "Outline", state: "ContainerState") -> bool:
        names = state.network.get("Networks") or {}
        return (
            outline.network_mode in modes
            or not ids.isdisjoint(outline.networks)
            or not ids.isdisjoint(names)
        )

    return [test]


def _ports(name: str, text: str) -> "Iterator[str]":
    """Give the ports of `80`, `80/udp`, `8000-8010/tcp`. Raises: FilterInvalid."""
    if ":" in text:
        raise FilterInvalid(
            f"filter for '{name}' should not contain ':': {text}",
            hint=f"{name} takes the port inside: {name}={text.rpartition(':')[2]}",
        )
    numbers, _, protocol = text.partition("/")
    first, dash, last = numbers.partition("-")
    ends = (first, last) if dash else (first,)
    why = ""
    if not numbers:
        why = "Empty string specified for ports."
    for end in ends if numbers else ():
        if not (end.isascii() and end.isdigit()):
            why = f'strconv.ParseUint: parsing "{end}": invalid syntax'
        elif int(end) >= _PORTS:
            why = f'strconv.ParseUint: parsing "{end}": value out of range'
    if not why and int(ends[0]) > int(ends[-1]):
        why = f"Invalid range specified for the Port: {numbers}"
    if why:
        raise FilterInvalid(
            f"error while looking up for {name} {text}: {why}",
            hint=f"{name}=80, {name}=53/udp, {name}=8000-8010/tcp",
        )
    for number in range(int(ends[0]), int(ends[-1]) + 1):
        yield f"{number}/{(protocol or 'tcp').lower()}"


class _Ancestors:
    """The test whether a container's image is, or was made on, one of the images `names`.

    By layers: an image with more layers on those of another was made on it, wherever that was. One
    with the same layers, and only other settings, by what `commit` noted.
    """

    def __init__(self, engine: "Engine", names: tuple[str, ...]) -> None:
        self._engine = engine
        self._known: dict[str, bool] = {}
        self._piles: list[tuple[str, ...]] = []
        for name in names:
            try:
                image = engine.images.resolve(name)
            except LaminaError:  # as with docker: no image, so no container of it
                continue
            self._known[str(image.id)] = True
            self._piles.append(image.config.diff_ids)

    def accept(self, outline: "Outline", _: "ContainerState") -> bool:
        """Tell of one container."""
        if not self._piles:
            return False
        known = self._known.get(outline.image_id)
        if known is None:
            known = self._known[outline.image_id] = self._is_above(outline)
        return known

    def _is_above(self, outline: "Outline") -> bool:
        record = self._engine.containers.files.load(outline.id)
        layers = record.diff_ids if record else ()
        if any(len(pile) < len(layers) and layers[: len(pile)] == pile for pile in self._piles):
            return True
        image = outline.image_id
        seen = set()
        while image and image not in seen:
            seen.add(image)
            if self._known.get(image):
                return True
            try:
                image = self._engine.images.resolve(image).parent
            except LaminaError:
                return False
        return False


_MAKERS: "dict[str, Callable[[Engine, tuple[str, ...]], list[Test]]]" = {
    "ancestor": lambda engine, values: [_Ancestors(engine, values).accept],
    "before": _before,
    "exited": _exited,
    "expose": _expose,
    "health": _health,
    "id": _id,
    "is-task": _is_task,
    "isolation": _isolation,
    "label": lambda _, values: [_label(value, there=True) for value in values],
    "label!": lambda _, values: [_label(value, there=False) for value in values],
    "name": _name,
    "network": _network,
    "publish": _publish,
    "since": _since,
    "status": _status,
    "volume": _volume,
}
