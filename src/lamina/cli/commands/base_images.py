"""`lamina base`: the images here that an image was built on."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.units import short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="base",
    usage="lamina base [OPTIONS] IMAGE",
    summary="Show which images here an image was built on",
    description=(
        "Show which images here an image was built on, the nearest first: those whose layers are the\n"
        "lowest of its own, whatever they are called."
    ),
    flags=(
        FORMAT,
        JSON,
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("quiet", "q", kind=BOOL, help="Only show image IDs"),
    ),
    arity=(1, 1),
)
_LISTING = Listing(
    {"Name": "IMAGE", "ID": "IMAGE ID", "Layers": "LAYERS", "Above": "LAYERS ABOVE IT"},
    ("Name", "ID", "Layers", "Above"),
)


def main(arguments: Arguments, context: Context) -> int:
    """List them; nothing where no image here is its base."""
    from lamina.engine.base_images import base_images

    name = arguments.positional[0]
    count = len(context.engine.images.resolve(name).config.diff_ids)
    whole = arguments.flag("no-trunc")
    rows = [
        Row(
            {
                "Name": ", ".join(one.names) or "<none>",
                "ID": str(one.id) if whole else short_id(str(one.id)),
                "Layers": str(one.layers),
                "Above": str(count - one.layers),
            },
            {
                "names": list(one.names),
                "id": str(one.id),
                "layers": one.layers,
                "above": count - one.layers,
            },
        )
        for one in base_images(context.engine, name)
    ]
    show(context, _LISTING, rows, arguments)
    return 0
