"""`lamina network prune`: remove the networks that no container uses."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.pruning import FILTER_PRUNED, FORCE, agreed, prune_networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network prune",
    usage="lamina network prune [OPTIONS]",
    summary="Remove all unused networks",
    flags=(FILTER_PRUNED, FORCE),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove, and say what went."""
    warning = "This will remove all custom networks not used by at least one container."
    if not agreed(context, arguments, warning):
        return 0
    names = prune_networks(context, arguments)
    if names:
        context.print("Deleted Networks:")
        for name in names:
            context.print(name)
        context.print()
    return 0
