"""`lamina volume prune`: remove the volumes that no container has."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.pruning import FILTER_PRUNED, FORCE, agreed, tell_space, tell_volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="volume prune",
    usage="lamina volume prune [OPTIONS]",
    summary="Remove unused local volumes",
    flags=(
        Flag("all", "a", kind=BOOL, help="Remove all unused volumes, not just anonymous ones"),
        FILTER_PRUNED,
        FORCE,
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove, and say what came back."""
    from lamina.cli.image_filters import removable
    from lamina.cli.kinds import parse_bool

    filters = dict(arguments.filters())
    everything = arguments.flag("all") or any(map(parse_bool, filters.pop("all", ())))
    test = removable(context, filters)
    which = "all local volumes" if everything else "anonymous local volumes"
    warning = f"This will remove {which} not used by at least one container."
    if not agreed(context, arguments, warning):
        return 0
    context.enter_namespace()
    names, freed = context.engine.volumes.prune(
        lambda volume: test(volume.created, lambda: volume.labels), named=everything
    )
    tell_volumes(context, names)
    tell_space(context, freed)
    return 0
