"""`lamina volume rm`: remove volumes that no container has."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="volume rm",
    usage="lamina volume rm [OPTIONS] VOLUME [VOLUME...]",
    summary="Remove one or more volumes",
    flags=(Flag("force", "f", kind=BOOL, help="Force the removal of one or more volumes"),),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Remove each; go on past those that are not there or in use."""
    context.enter_namespace()
    remove = context.engine.volumes.remove
    force = arguments.flag("force")
    return for_each(context, arguments.positional, lambda name: remove(name, force=force))
