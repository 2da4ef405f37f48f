"""`lamina://NAME/PATH`: where the name of an image ends, and its path begins."""

from collections.abc import Callable

from lamina.spec.reference import Reference, ReferenceInvalid
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["PREFIX", "Place", "known_here", "split_url", "url_of"]

PREFIX = "lamina://"
_SHORTEST_PORT = 4  # digits; a tag such as 12 has fewer
_OPTIONS = ("layer", "platform", "remote")


class Place(NamedTuple):
    """What a URL says: the image, the path in it, and options such as the layer."""

    name: str
    path: str
    options: dict[str, str]


def split_url(url: str, known: Callable[[list[str]], str] = lambda _: "") -> Place:
    """Take a URL apart. Plain paths, which begin with a slash, name no image.

    The path begins at the first `:/`, which no name has in it: `lamina://debian:12:/etc`. Without
    one, the name is the longest beginning that `known` says is here (it is given all that could be
    names, the longest first); and where none is, what ends with the first tag or digest, after a
    registry if there is one. `?layer=2`, `?platform=linux/arm64` may follow the path.
    """
    if not url.startswith(PREFIX):
        return Place("", "/" + url.strip("/") if url.startswith("/") else url, {})
    rest, options = _options(url[len(PREFIX) :])
    name, colon, path = rest.partition(":/")
    if not colon:
        parts = rest.rstrip("/").split("/")
        name = known(_candidates(parts)) if len(parts) > 1 else ""
        name = name or "/".join(parts[: _guess(parts)])
        path = rest[len(name) :]
    return Place(name, "/" + path.strip("/"), options)


def url_of(name: str, path: str, *, layer: str = "") -> str:
    """Give the URL of a path that no reader can misread."""
    # A path that looks as if options followed has none: a question mark ends it.
    end = f"?layer={layer}" if layer else "?" * (_options(path) != (path, {}))
    return f"{PREFIX}{name}:/{path.lstrip('/')}{end}"


def known_here(candidates: list[str]) -> str:
    """Give the first that is an image or a container of the environment's root; else nothing.

    Costs one read of `index.json`.
    """
    from lamina.engine.engine import Engine
    from lamina.errors import LaminaError

    try:
        with Engine() as engine:
            names = {row.name for row in engine.store.names.all()}
            here = (each for each in candidates if _is_here(engine, each, names))
            return next(here, "")
    except LaminaError:  # there is no root that could be read
        return ""


def _is_here(engine: "Engine", text: str, names: set[str]) -> bool:
    from lamina.engine.reading import is_container
    from lamina.errors import Invalid, NotFound

    try:
        if _is_named(text, names):
            return True
        if "/" in text:  # no container's name, and no ID
            return False
        return is_container(engine, text) or bool(engine.images.find(text))
    except (Invalid, NotFound):
        return False


def _is_named(text: str, names: set[str]) -> bool:
    try:
        reference = Reference.parse(text)
    except ReferenceInvalid:
        return False
    if reference.tag and reference.digest:
        reference = reference.with_digest(reference.digest)
    return str(reference) in names


def _options(rest: str) -> tuple[str, dict[str, str]]:
    """Take options off the end; a question mark that none follow is one of the path."""
    path, mark, query = rest.rpartition("?")
    if mark and not query and _options(path) != (path, {}):  # it ends what is a path after all
        return path, {}
    pairs = [word.partition("=") for word in query.split("&")]
    if not mark or any(key not in _OPTIONS or not value for key, _, value in pairs):
        return rest, {}
    return path, {key: value for key, _, value in pairs}


def _candidates(parts: list[str]) -> list[str]:
    """Give every beginning that could be an image's name, the longest first."""
    found = []
    for count in range(len(parts), 1, -1):
        text = "/".join(parts[:count])
        try:
            Reference.parse(text)
        except ReferenceInvalid:
            continue
        found.append(text)
    return [*found, parts[0]]  # which may be an ID, or a container's name


def _guess(parts: list[str]) -> int:
    """Give how many parts are the name, by their looks."""
    host, _, port = parts[0].partition(":")
    tagged = [number for number, part in enumerate(parts) if ":" in part or "@" in part]
    is_port = port.isdecimal() and len(port) >= _SHORTEST_PORT and tagged[-1] > 0
    is_registry = "." in host or host == "localhost" or host.startswith("[") or is_port
    start = int(is_registry and len(parts) > 1)
    return next((number + 1 for number in tagged if number >= start), start + 1)
