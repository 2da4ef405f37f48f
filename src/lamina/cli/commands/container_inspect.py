"""`lamina container inspect`: all there is to know about containers, in docker's shape."""

from __future__ import annotations

from lamina.cli.commands.inspect import container_lookup
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import inspect_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="container inspect",
    usage="lamina container inspect [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Display detailed information on one or more containers",
    flags=(FORMAT_DOCUMENT, Flag("size", "s", kind=BOOL, help="Display total file sizes")),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a JSON array of the containers, or a template's line for each."""
    lookup = container_lookup(context, size=arguments.flag("size"))
    return inspect_all(context, arguments.positional, lookup, form=arguments.text("format"))
