"""`lamina system df`: what images and containers take on disk, and what could come back."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show, show_json
from lamina.cli.table import render
from lamina.cli.units import ago, human_size, short_id, since_epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.disk_use import ContainerUse, DiskUse, ImageUse, Share, VolumeUse

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
_VOLUME_HEADERS = ("VOLUME NAME", "LINKS", "SIZE")
_FREES_HEADERS = ("COMMAND", "FREES")


def main(arguments: Arguments, context: Context) -> int:
    """Print docker's table and what else there is; `-v` lists every image, container and volume."""
    use = context.engine.system.df()
    verbose = arguments.flag("verbose") and not arguments.text("format")
    if verbose and arguments.flag("json"):
        show_json(context, _document(use))
    elif verbose:
        _detail(context, use)
    else:
        show(context, _LISTING, [_row(share) for share in use.shares], arguments)
    if use.quota and not arguments.flag("json") and arguments.text("format") in ("", "table"):
        part = use.size * 100 // use.quota
        context.print(f"\nQuota: {human_size(use.size)} used of {human_size(use.quota)} ({part}%)")
    return 0


def _document(use: DiskUse) -> dict[str, object]:
    """Give all that `-v` shows, in bytes; `frees` is what removing just that frees."""
    return {
        "size": use.size,
        "quota": use.quota or None,
        "shares": [_row(share).document for share in use.shares],
        "images": [
            {
                "id": image.id,
                "names": list(image.names),
                "created": image.created,
                "size": image.size,
                "shared": image.shared,
                "unique": image.unique,
                "containers": image.containers,
            }
            for image in use.images
        ],
        "containers": [
            {
                "id": row.id,
                "name": row.name,
                "image": row.image,
                "status": row.status,
                "size": row.size,
            }
            for row in use.containers
        ],
        "volumes": [
            {"name": row.name, "size": row.size, "containers": row.containers}
            for row in use.volumes
        ],
    }


def _row(share: Share) -> Row:
    part = f" ({share.reclaimable * 100 // share.size}%)" if share.size else ""
    return Row(
        {
            "Active": str(share.active),
            "Reclaimable": human_size(share.reclaimable) + part,
            "Size": human_size(share.size),
            "TotalCount": str(share.total),
            "Type": share.kind,
        },
        {
            "type": share.kind,
            "total": share.total,
            "active": share.active,
            "size": share.size,
            "reclaimable": share.reclaimable,
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
    context.print("\nLocal Volumes space usage:\n")
    context.out.write(render([_VOLUME_HEADERS, *map(_volume_line, use.volumes)]))
    context.print("\nWhat a removal frees:\n")
    context.out.write(render([_FREES_HEADERS, *_frees(use)]))


def _frees(use: DiskUse) -> list[tuple[str, str]]:
    """Say what each command would free, as things are now."""
    could = {share.kind: human_size(share.reclaimable) for share in use.shares}
    return [
        ("lamina rmi --now IMAGE", "UNIQUE SIZE of the image"),
        ("lamina rm CONTAINER", "SIZE of the container"),
        ("lamina container prune", could["Containers"]),
        ("lamina image prune -a --now", f"{could['Images']}, and all that is kept for undo"),
        ("lamina image prune --now", f"{could['Kept for Undo']} that are kept for undo"),
        ("lamina system prune", f"{could['Downloads']} of interrupted downloads"),
    ]


def _volume_line(use: VolumeUse) -> tuple[str, ...]:
    return use.name, str(use.containers), human_size(use.size)


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
