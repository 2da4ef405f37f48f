"""`lamina export`: a container's file system as a plain tar."""

from __future__ import annotations

from lamina.cli.flags import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="export",
    usage="lamina export [OPTIONS] CONTAINER",
    summary="Export a container's filesystem as a tar archive",
    flags=(Flag("output", "o", help="Write to a file, instead of STDOUT"),),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Write the tar; volumes are not part of it."""
    from lamina.cli.files import output_file

    context.enter_namespace()
    name = arguments.positional[0]
    containers = context.engine.containers
    containers.record(name)
    with output_file(context, arguments.text("output"), what="export") as out:
        containers.export(name, out.write)
    return 0
