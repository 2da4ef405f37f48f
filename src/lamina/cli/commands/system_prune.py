"""`lamina system prune`: remove stopped containers and images that nothing needs."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.pruning import (
    FILTER_PRUNED,
    FORCE,
    NOW,
    agreed,
    containers_to_go,
    images_to_go,
    prune_networks,
    tell_images,
    tell_kept,
    tell_space,
    tell_volumes,
)
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="system prune",
    usage="lamina system prune [OPTIONS]",
    summary="Remove unused data",
    flags=(
        Flag("all", "a", kind=BOOL, help="Remove all unused images not just dangling ones"),
        FILTER_PRUNED,
        FORCE,
        NOW,
        Flag("volumes", kind=BOOL, help="Prune anonymous volumes"),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Ask, remove containers first so that their images may go, and say what came back."""
    everything, volumes = arguments.flag("all"), arguments.flag("volumes")
    if volumes and "until" in arguments.filters():
        raise Invalid('The "until" filter is not supported with "--volumes"')
    images_fit = images_to_go(context, arguments)
    containers_fit = containers_to_go(context, arguments)
    images = "images without at least one container associated to them"
    warning = (
        "This will remove:\n  - all stopped containers\n"
        "  - all networks not used by at least one container\n"
        + "  - all anonymous volumes not used by at least one container\n"
        * volumes
        + f"  - all {images if everything else 'dangling images'}\n"
        "  - what interrupted downloads left behind\n"
    )
    if not agreed(context, arguments, warning):
        return 0
    context.enter_namespace()
    ids, freed = context.engine.containers.prune(containers_fit)
    if ids:
        context.print("Deleted Containers:")
        for container_id in ids:
            context.print(container_id)
        context.print()
    networks = prune_networks(context, arguments)
    if networks:
        context.print("\n".join(("Deleted Networks:", *networks, "")))
    if volumes:
        freed += _prune_volumes(arguments, context)
    from lamina.engine.undo import occasion

    why = occasion("system prune -a" if everything else "system prune")
    removed, from_images = context.engine.images.prune(
        all_unused=everything, accepts=images_fit, now=arguments.flag("now"), occasion=why
    )
    tell_images(context, removed)
    tell_space(context, freed + from_images + context.engine.system.drop_downloads())
    tell_kept(context, why)
    return 0


def _prune_volumes(arguments: Arguments, context: Context) -> int:
    """Remove anonymous volumes that the filters take; give the bytes freed."""
    from lamina.cli.image_filters import removable

    test = removable(context, arguments.filters())
    names, freed = context.engine.volumes.prune(
        lambda volume: test(volume.created, lambda: volume.labels), named=False
    )
    tell_volumes(context, names)
    return freed
