"""`lamina image inspect`: all there is to know about images, in docker's shape."""

from __future__ import annotations

from lamina.cli.flags import Command, Flag
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import inspect_all
from lamina.cli.unreadable import ImageLookup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="image inspect",
    usage="lamina image inspect [OPTIONS] IMAGE [IMAGE...]",
    summary="Display detailed information on one or more images",
    flags=(
        FORMAT_DOCUMENT,
        Flag("platform", help="Inspect the image for a platform, e.g. linux/amd64"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a JSON array of the images, or a template's line for each."""
    lookup = ImageLookup(context, platform=arguments.text("platform"))
    code = inspect_all(context, arguments.positional, lookup, form=arguments.text("format"))
    return max(code, lookup.code)
