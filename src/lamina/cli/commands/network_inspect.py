"""`lamina network inspect`: what networks are and who is on them."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import inspect_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network inspect",
    usage="lamina network inspect [OPTIONS] NETWORK [NETWORK...]",
    summary="Display detailed information on one or more networks",
    flags=(FORMAT_DOCUMENT, Flag("verbose", "v", kind=BOOL, hidden=True)),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a JSON array of the networks, or a template's line for each."""
    lookup = context.engine.networks.inspect
    return inspect_all(context, arguments.positional, lookup, form=arguments.text("format"))
