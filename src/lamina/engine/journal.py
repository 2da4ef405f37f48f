"""Events of one engine: noted, and given to who asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.stream import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["FILTERS", "attributes_of", "events", "note_container", "note_volume"]

FILTERS = ("container", "event", "image", "label", "scope", "type", "volume")


def attributes_of(record: "ContainerRecord") -> dict[str, str]:
    """Give what goes with each event of a container: image, name and its labels."""
    labels = {str(key): str(value) for key, value in (record.config.get("Labels") or {}).items()}
    return {**labels, "image": record.image_name, "name": record.name}


def note_container(engine: "Engine", record: "ContainerRecord", action: str, **more: str) -> None:
    """Note what was done with a container."""
    path = f"{engine.settings.root}/{journal.FILE}"
    journal.note(path, "container", action, record.id, {**attributes_of(record), **more})


def note_volume(engine: "Engine", name: str, action: str) -> None:
    """Note what was done with a volume."""
    journal.note(
        f"{engine.settings.root}/{journal.FILE}", "volume", action, name, {"driver": "local"}
    )


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


def _fits(event: Document, wanted: Mapping[str, Sequence[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    ident, kind = str(event["Actor"]["ID"]), str(event["Type"])
    tests: dict[str, Callable[[str], bool]] = {
        "container": lambda text: (
            kind == "container" and (ident.startswith(text) or attributes.get("name") == text)
        ),
        "event": lambda text: str(event["Action"]).partition(":")[0] == text.partition(":")[0],
        "image": lambda text: (
            text in (attributes.get("image"), str(attributes.get("image")).partition(":")[0])
        ),
        "label": lambda text: _labelled(attributes, text),
        "scope": lambda text: text == event["scope"],
        "type": lambda text: text == kind,
        "volume": lambda text: kind == "volume" and ident == text,
    }
    return all(any(tests[name](text) for text in texts) for name, texts in wanted.items())


def _labelled(attributes: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in attributes and (not equals or attributes[key] == value)
