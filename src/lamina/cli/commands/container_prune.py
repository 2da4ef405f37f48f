"""`lamina container prune`: remove the containers that do not run."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.pruning import FILTER_PRUNED, FORCE, agreed, containers_to_go, tell_space

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
        FILTER_PRUNED,
        FORCE,
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove, and say what came back."""
    accepts = containers_to_go(context, arguments)
    if not agreed(context, arguments, "This will remove all stopped containers."):
        return 0
    ids, freed = context.engine.containers.prune(accepts)
    if ids:
        context.print("Deleted Containers:")
        for container_id in ids:
            context.print(container_id)
        context.print()
    tell_space(context, freed)
    return 0
