"""Keys, passwords and tokens in an image, also those that a later layer only hides."""

from lamina.study.lives import life
from lamina.study.regrets import in_text, seen_in, telling
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.layer.node import Layer
    from lamina.spec.config import ImageConfig
    from lamina.spec.wire import Document
    from lamina.study.regrets import Looking, Regrets

__all__ = ["Secret", "in_config", "in_layers", "of_looks"]

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Secret:
    """One thing that gives access to something: `what` it looks like.

    In layer `number` at `path`; `hidden_by` is the layer that removed or replaced it there, 0 where
    containers see it. With number 0 it is in the configuration: `path` then names the variable or
    the step of the history.
    """

    what: str
    path: bytes
    number: int
    hidden_by: int = 0


def in_layers(layers: "Sequence[Layer]") -> "Iterator[Secret]":
    """Give what is in files of `layers`, lowest first, of each layer by paths.

    Whoever pulls the image has each layer, so what is hidden can be read as well. Costs a walk of
    each index, and a read of its small texts. Raises: Corrupt.
    """
    for number, layer in enumerate(layers, 1):
        yield from _of_layer(layers, number, seen_in(layer))


def of_looks(layers: "Sequence[Layer]", looks: "Sequence[Looking]") -> "Iterator[Secret]":
    """Give what `in_layers` gives, of layers that were looked at."""
    for number, looking in enumerate(looks, 1):
        yield from _of_layer(layers, number, looking.regrets)


def _of_layer(layers: "Sequence[Layer]", number: int, seen: "Regrets") -> "Iterator[Secret]":
    for what, path in sorted(seen.secrets, key=lambda row: row[1]):
        later = (event.number for event in life(layers, path) if event.number > number)
        yield Secret(what, path, number, next(later, 0))


def in_config(config: "ImageConfig", settings: "Document | None" = None) -> "Iterator[Secret]":
    """Give what is in the environment, the labels and the commands of the history.

    `settings` are a container's own, which stand in for those of the image. What somebody wrote there
    in another form than the specification's is passed over.
    """
    settings = config.settings if settings is None else settings
    environment = settings.get("Env") or []
    rows = environment if isinstance(environment, list) else []
    for name in telling([row for row in rows if isinstance(row, str)]):
        yield Secret("an environment variable", f"ENV {name}".encode(errors="replace"), 0)
    labels = settings.get("Labels") or {}
    for name, value in sorted(labels.items()) if isinstance(labels, dict) else ():
        if what := in_text(str(value)):
            yield Secret(what, f"LABEL {name}".encode(errors="replace"), 0)
    for number, row in enumerate(config.history, 1):
        if what := in_text(row.created_by):
            yield Secret(what, f"step {number} of the history".encode(), 0)
            continue
        for name in telling(_build_arguments(row.created_by)):
            where = f"ARG {name}, step {number} of the history"
            yield Secret("a build argument", where.encode(errors="replace"), 0)


def _build_arguments(command: str) -> "list[str]":
    """Give those that a builder wrote before a step's command: `|2 A=1 B=2 /bin/sh -c …`."""
    words = command.removeprefix("RUN ").split(" ")
    count = words[0].removeprefix("|")
    if words[0] == count or not (count.isascii() and count.isdecimal() and len(count) < _DIGITS):
        return []
    return words[1 : 1 + int(count)]
