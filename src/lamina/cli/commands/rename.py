"""`lamina rename`: give a container another name."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="rename",
    usage="lamina rename CONTAINER NEW_NAME",
    summary="Rename a container",
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Say nothing when it worked."""
    context.engine.containers.rename(*arguments.positional)
    return 0
