"""`lamina cat`: what is in files of an image or container, without running it."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.image_paths import ImagePath, Trees
from lamina.cli.studying import REMOTE
from lamina.errors import Invalid, LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="cat",
    usage="lamina cat [OPTIONS] IMAGE|CONTAINER:/PATH [IMAGE|CONTAINER:/PATH...]",
    summary="Print files of an image or container without running it",
    description=(
        "Print files of an image or container without running it.\n"
        "Symlinks are followed within it. A container's name wins over an image's; its files are\n"
        "read as they are now, without what is mounted into it. With --remote, or as docker://NAME,\n"
        "an image is read at its registry, without pulling it."
    ),
    flags=REMOTE,
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Write each file's bytes; tell what cannot be read, and go on."""
    places = [ImagePath(word) for word in arguments.positional]
    code = 0
    with Trees(context, arguments) as trees:
        for place in places:
            try:
                _print(place, trees, context)
            except LaminaError as error:
                context.say(f"lamina: {error.message}")
                if error.hint:
                    context.say(f"hint: {error.hint}")
                code = 1
        return max(code, trees.code)


def _print(place: ImagePath, trees: Trees, context: Context) -> None:
    from lamina.layer.entry import Kind

    _, _, node = trees.find(place)
    if node.kind is Kind.DIRECTORY:
        raise Invalid(
            f"{place.text}: Is a directory", hint=f"`lamina ls {place.text}` shows what is in it"
        )
    if node.kind is not Kind.FILE:
        raise Invalid(f"{place.text}: Not a file but a {node.kind}")
    out = context.binary_out
    for piece in node.layer.pieces(node):
        out.write(piece)
    out.flush()
