"""`lamina top`: the processes in a container."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="top",
    usage="lamina top CONTAINER [ps OPTIONS]",
    summary="Display the running processes of a container",
    interspersed=False,
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print a table as this machine's `ps` gives it, with this machine's process IDs."""
    from lamina.cli.table import render

    name, *options = arguments.positional
    titles, rows = context.engine.containers.top(name, options)
    context.out.write(render([titles, *rows], least=20))
    return 0
