"""`lamina image inspect`: all there is to know about images, in docker's shape."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import inspect_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="image inspect",
    usage="lamina image inspect [OPTIONS] IMAGE [IMAGE...]",
    summary="Display detailed information on one or more images",
    flags=(FORMAT_DOCUMENT,),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a JSON array of the images, or a template's line for each."""
    return inspect_all(
        context,
        arguments.positional,
        context.engine.images.inspect,
        form=arguments.text("format"),
    )
