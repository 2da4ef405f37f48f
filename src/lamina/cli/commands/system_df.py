"""`lamina system df`: what images and containers take on disk, and what could come back."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.table import render
from lamina.cli.units import ago, human_size, short_id, since_epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.system import ContainerUse, DiskUse, ImageUse

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="system df",
    usage="lamina system df [OPTIONS]",
    summary="Show disk usage",
    flags=(
        FORMAT,
        JSON,
        Flag("verbose", "v", kind=BOOL, help="Show detailed information on space usage"),
        Flag("quiet", kind=BOOL, hidden=True),
    ),
    arity=(0, 0),
)
_LISTING = Listing(
    {
        "Type": "TYPE",
        "TotalCount": "TOTAL",
        "Active": "ACTIVE",
        "Size": "SIZE",
        "Reclaimable": "RECLAIMABLE",
    },
    ("Type", "TotalCount", "Active", "Size", "Reclaimable"),
    quiet="Type",
)
_IMAGE_HEADERS = (
    "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS",
)  # fmt: skip
_CONTAINER_HEADERS = (
    "CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES",
)  # fmt: skip


def main(arguments: Arguments, context: Context) -> int:
    """Print docker's table; `-v` lists every image and container."""
    use = context.engine.system.df()
    if arguments.flag("verbose") and not arguments.flag("json") and not arguments.text("format"):
        _detail(context, use)
        return 0
    show(context, _LISTING, _rows(use), arguments)
    return 0


def _rows(use: DiskUse) -> list[Row]:
    active = sum(1 for image in use.images if image.containers)
    running = sum(1 for container in use.containers if container.running)
    return [
        _row("Images", len(use.images), active, use.layers_size, use.images_reclaimable),
        _row(
            "Containers",
            len(use.containers),
            running,
            use.containers_size,
            use.containers_reclaimable,
        ),
        _row("Local Volumes", 0, 0, 0, 0),
        _row("Build Cache", 0, 0, 0, 0),
    ]


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> Row:
    share = f" ({reclaimable * 100 // size}%)" if size else ""
    return Row(
        {
            "Active": str(active),
            "Reclaimable": human_size(reclaimable) + share,
            "Size": human_size(size),
            "TotalCount": str(total),
            "Type": kind,
        },
        {
            "type": kind,
            "total": total,
            "active": active,
            "size": size,
            "reclaimable": reclaimable,
        },
    )


def _detail(context: Context, use: DiskUse) -> None:
    now = context.now()
    images = [line for image in use.images for line in _image_lines(image, now)]
    containers = [_container_line(container, now) for container in use.containers]
    context.print("Images space usage:\n")
    context.out.write(render([_IMAGE_HEADERS, *images]))
    context.print("\nContainers space usage:\n")
    context.out.write(render([_CONTAINER_HEADERS, *containers]))


def _image_lines(image: ImageUse, now: float) -> list[tuple[str, ...]]:
    from lamina.spec.reference import Reference

    names = [Reference.parse(name) for name in image.names]
    pairs = [(name.familiar_name, name.tag) for name in names] or [("<none>", "<none>")]
    rest = (
        short_id(image.id),
        ago(since_epoch(image.created), now),
        human_size(image.size, precision=3),
        human_size(image.shared),
        human_size(image.unique),
        str(image.containers),
    )
    return [(*pair, *rest) for pair in pairs]


def _container_line(use: ContainerUse, now: float) -> tuple[str, ...]:
    return (
        short_id(use.id),
        use.image,
        use.command,
        "0",
        human_size(use.size, precision=3),
        ago(since_epoch(use.created), now),
        use.status,
        use.name,
    )
