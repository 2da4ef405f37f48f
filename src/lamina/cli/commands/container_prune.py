"""`lamina container prune`: remove the containers that do not run."""

from __future__ import annotations

from lamina.cli.flags import FILTER, Command, Flag
from lamina.cli.pruning import FORCE, agreed, tell_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="container prune",
    usage="lamina container prune [OPTIONS]",
    summary="Remove all stopped containers",
    flags=(
        Flag("filter", kind=FILTER, help='Provide filter values (e.g. "until=<timestamp>")'),
        FORCE,
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove, and say what came back."""
    if not agreed(context, arguments, "This will remove all stopped containers."):
        return 0
    ids, freed = context.engine.containers.prune(arguments.filters())
    if ids:
        context.print("Deleted Containers:")
        for container_id in ids:
            context.print(container_id)
        context.print()
    tell_space(context, freed)
    return 0
