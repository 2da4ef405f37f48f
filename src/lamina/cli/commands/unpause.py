"""`lamina unpause`: let paused containers go on."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="unpause",
    usage="lamina unpause CONTAINER [CONTAINER...]",
    summary="Unpause all processes within one or more containers",
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Thaw each."""
    return for_each(context, arguments.positional, context.engine.containers.unpause)
