"""`lamina create`: a new container that does not run yet."""

from __future__ import annotations

from lamina.cli.creating import FLAGS
from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="create",
    usage="lamina create [OPTIONS] IMAGE [COMMAND] [ARG...]",
    summary="Create a new container",
    flags=FLAGS,
    interspersed=False,
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print the new container's whole ID."""
    from lamina.cli.creating import create

    context.print(create(arguments, context).id)
    return 0
