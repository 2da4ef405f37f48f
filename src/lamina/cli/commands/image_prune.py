"""`lamina image prune`: remove images that nothing names or uses."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.pruning import (
    FILTER_PRUNED,
    FORCE,
    NOW,
    agreed,
    images_to_go,
    tell_images,
    tell_kept,
    tell_space,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="image prune",
    usage="lamina image prune [OPTIONS]",
    summary="Remove unused images",
    flags=(
        Flag("all", "a", kind=BOOL, help="Remove all unused images, not just dangling ones"),
        FILTER_PRUNED,
        FORCE,
        NOW,
    ),
    arity=(0, 0),
)
_DANGLING = "This will remove all dangling images."
_UNUSED = "This will remove all images without at least one container associated to them."


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove, and say what came back."""
    from lamina.cli.image_filters import only_dangling

    everything = not only_dangling(arguments.filters()) or arguments.flag("all")
    accepts = images_to_go(context, arguments)
    if not agreed(context, arguments, _UNUSED if everything else _DANGLING):
        return 0
    context.enter_namespace()
    from lamina.engine.undo import occasion

    why = occasion("image prune -a" if everything else "image prune")
    removed, freed = context.engine.images.prune(
        all_unused=everything, accepts=accepts, now=arguments.flag("now"), occasion=why
    )
    tell_images(context, removed)
    tell_space(context, freed)
    tell_kept(context, why)
    return 0
