"""`lamina layers`: the stack drawn, topmost layer first, with who made and who shares each."""

from __future__ import annotations

from lamina.cli.flags import BOOL, ArityWrong, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.stack_drawing import Box, draw, instruction
from lamina.cli.units import ago, human_size, short_id, shorten, since_epoch
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.inspect import LayerRow
    from lamina.engine.local import LocalImage

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="layers",
    usage="lamina layers [OPTIONS] IMAGE|CONTAINER\n       lamina layers --shared [IMAGE...]",
    summary="Draw the layers of an image or container",
    description=(
        "Draw the layers of an image or container.\n"
        "The topmost layer comes first; the dashed box is what a container writes to.\n"
        "With --shared: which images here (or which of those named) have layers in common, what\n"
        "the disk holds once, and what removing each image, or all that share a part, frees."
    ),
    flags=(
        FORMAT,
        JSON,
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("quiet", "q", kind=BOOL, help="Only show diff IDs"),
        Flag("shared", kind=BOOL, help="Draw what images share, and what removing them frees"),
        Flag("html", help="With --shared: write a page to a file", value="file"),
        Flag("svg", help="With --shared: write the picture to a file", value="file"),
    ),
)
_LISTING = Listing(
    {
        "Number": "LAYER",
        "DiffID": "DIFF ID",
        "Digest": "DIGEST",
        "ChainID": "CHAIN ID",
        "CreatedBy": "CREATED BY",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "Size": "SIZE",
        "CompressedSize": "COMPRESSED",
        "Comment": "COMMENT",
        "Author": "AUTHOR",
        "SharedWith": "SHARED WITH",
    },
    ("Number", "DiffID", "CreatedBy", "Size", "SharedWith"),
    quiet="DiffID",
)
_WIDEST = 100
_COMMAND_WIDTH = 45


def main(arguments: Arguments, context: Context) -> int:
    """Draw; as a listing where a format is asked for."""
    if arguments.flag("shared"):
        from lamina.cli.sharing_showing import show_sharing

        return show_sharing(arguments, context)
    from lamina.engine.inspect import stack

    _check(arguments)
    name = arguments.positional[0]
    image, top, code = _find(context, name)
    layers = stack(context.engine, image)
    whole = arguments.flag("no-trunc")
    if arguments.flag("json") or arguments.flag("quiet") or arguments.text("format"):
        rows = [_row(layer, context.now(), whole=whole) for layer in layers]
        show(context, _LISTING, rows, arguments)
        return code
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    size = human_size(image.size, precision=3)
    context.print(f"{name}  {short_id(image.id)}  {size} in {count}")
    boxes = [top, *(_box(layer, context.now(), whole=whole) for layer in layers)]
    context.out.write(
        draw(
            boxes,
            width=min(context.size()[0], _WIDEST),
            unicode=context.unicode,
            colour=context.colour,
            whole=whole,
        )
    )
    return code


def _check(arguments: Arguments) -> None:
    """Refuse what only --shared takes. Raises: ArityWrong, Invalid."""
    if len(arguments.positional) != 1:
        hint = "--shared draws what several share" if arguments.positional else ""
        raise ArityWrong("'lamina layers' requires 1 argument", hint=hint)
    for name in ("svg", "html"):
        if arguments.text(name):
            raise Invalid(f"--{name} goes with --shared")


def _find(context: Context, name: str) -> tuple[LocalImage, Box, int]:
    """Give the image that `name` or its container stands on, the writable layer's box, and the code.

    Raises: ImageUnknown (neither an image nor a container has that name).
    """
    from lamina.cli.unreadable import image_of
    from lamina.errors import NotFound

    try:
        detail = "read-write; `lamina commit` makes an image layer of it"
        image, code = image_of(context, name)
        return image, Box("container layer", details=(detail,), dashed=True), code
    except NotFound as unknown:
        containers = context.engine.containers
        try:
            record = containers.record(name)
        except NotFound:
            raise unknown from None
        used = next((use.size for use in containers.disk_use() if use.id == record.id), 0)
        top = Box(
            f"container layer of {record.name}",
            human_size(used, precision=3),
            details=(f"{short_id(record.id)}  from {record.image_name}", "read-write"),
            dashed=True,
        )
        image, code = image_of(context, str(record.image_id))
        return image, top, code


def _box(layer: LayerRow, now: float, *, whole: bool) -> Box:
    about = [str(layer.diff_id) if whole else short_id(layer.diff_id)]
    if layer.created:
        about.append(ago(since_epoch(layer.created), now))
    if layer.author:
        about.append(f"by {layer.author}")
    title = instruction(layer.created_by)
    details = ["  ".join(about)]
    if layer.comment and layer.comment != "buildkit.dockerfile.v0":
        if title:
            details.append(f"“{layer.comment}”")
        else:
            title = layer.comment
    return Box(
        title or "(made without an instruction)",
        human_size(layer.size, precision=3),
        number=str(layer.number),
        details=details,
        shared=f"shared with: {', '.join(layer.shared_with)}" if layer.shared_with else "",
    )


def _row(layer: LayerRow, now: float, *, whole: bool) -> Row:
    def shown(text: str) -> str:
        return text if whole else short_id(text)

    command = instruction(layer.created_by)
    return Row(
        {
            "Author": layer.author,
            "ChainID": shown(layer.chain_id),
            "Comment": layer.comment,
            "CompressedSize": human_size(layer.compressed_size, precision=3),
            "CreatedAt": layer.created or "N/A",
            "CreatedBy": command if whole else shorten(command, _COMMAND_WIDTH),
            "CreatedSince": ago(since_epoch(layer.created), now),
            "DiffID": shown(layer.diff_id),
            "Digest": shown(layer.digest),
            "Number": str(layer.number),
            "SharedWith": ", ".join(layer.shared_with),
            "Size": human_size(layer.size, precision=3),
        },
        {
            "number": layer.number,
            "diff_id": str(layer.diff_id),
            "digest": str(layer.digest),
            "chain_id": str(layer.chain_id),
            "created": layer.created,
            "created_by": layer.created_by,
            "author": layer.author,
            "comment": layer.comment,
            "size": layer.size,
            "compressed_size": layer.compressed_size,
            "shared_with": list(layer.shared_with),
        },
    )
