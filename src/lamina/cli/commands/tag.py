"""`lamina tag`: give an image one more name."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="tag",
    usage="lamina tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    summary="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Tag; says nothing when it worked."""
    source, target = arguments.positional
    context.engine.images.tag(source, target)
    return 0
