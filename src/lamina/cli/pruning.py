"""What the prune commands share: the question, the report, and what went."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, Flag
from lamina.cli.units import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.local import ImageSummary, Removed
    from lamina.engine.records import ContainerRecord
    from lamina.store.undo import Occasion

__all__ = [
    "FILTER_PRUNED",
    "FORCE",
    "NOW",
    "agreed",
    "containers_to_go",
    "images_to_go",
    "prune_networks",
    "tell_images",
    "tell_kept",
    "tell_space",
    "tell_volumes",
]

NOW = Flag("now", kind=BOOL, help="Free the room at once: nothing is kept for `lamina undo`")
FILTER_PRUNED = Flag(
    "filter", kind=FILTER, help='Provide filter values (e.g. "until=<timestamp>", "label!=<key>")'
)
FORCE = Flag("force", "f", kind=BOOL, help="Do not prompt for confirmation")


def agreed(context: Context, arguments: Arguments, warning: str) -> bool:
    """Ask unless `--force`; say so when the answer is no."""
    if arguments.flag("force"):
        return True
    context.print(f"WARNING! {warning}")
    return context.confirm("Are you sure you want to continue?")


def images_to_go(context: Context, arguments: Arguments) -> Callable[[ImageSummary], bool]:
    """Give the test of images that `--filter` asks for. Raises: FilterInvalid."""
    from lamina.cli.image_filters import labels_of, removable

    filters = {name: texts for name, texts in arguments.filters().items() if name != "dangling"}
    test = removable(context, filters)
    return lambda image: test(image.created, lambda: labels_of(context, image))


def containers_to_go(context: Context, arguments: Arguments) -> Callable[[ContainerRecord], bool]:
    """Give the test of containers that `--filter` asks for. Raises: FilterInvalid."""
    from lamina.cli.image_filters import removable

    test = removable(context, arguments.filters())
    return lambda record: test(record.created, lambda: record.config.get("Labels") or {})


def prune_networks(context: Context, arguments: Arguments) -> tuple[str, ...]:
    """Remove the networks that no container uses and that `--filter` asks for; give their names."""
    from lamina.cli.image_filters import removable

    test = removable(context, arguments.filters())
    return context.engine.networks.prune(
        lambda network: test(network.created, lambda: network.labels)
    )


def tell_images(context: Context, removed: Sequence[Removed]) -> None:
    """List what went, as docker words it; nothing for nothing."""
    if not removed:
        return
    context.print("Deleted Images:")
    for row in removed:
        context.print(f"untagged: {row.untagged}" if row.untagged else f"deleted: {row.deleted}")
    context.print()


def tell_space(context: Context, freed: int) -> None:
    """Say how much came back."""
    context.print(f"Total reclaimed space: {human_size(freed)}")


def tell_volumes(context: Context, names: Sequence[str]) -> None:
    """List the volumes that went, if any."""
    if names:
        context.print("\n".join(("Deleted Volumes:", *names, "")))


def tell_kept(context: Context, why: Occasion) -> None:
    """Say, as talk, what stays for a while so that `lamina undo` can bring it back."""
    from lamina.engine.undo import held_for

    size = held_for(context.engine, why)
    if size:
        span = human_duration(context.settings.undo_s).lower()
        context.say(
            f"{human_size(size)} are kept for {span}: `lamina undo` brings them back, "
            "`lamina image prune --now` frees them at once"
        )
