"""`lamina inventory`: which layers are here, so that another machine's save leaves them out."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="inventory",
    usage="lamina inventory",
    summary="List the layers that are here, for another machine's save",
    description=(
        "List the layers that are here, for another machine's save.\n\n"
        "  there$ lamina inventory > have.json\n"
        "  here$  lamina save --have have.json -o bundle.tar IMAGE\n"
        "  there$ lamina load -i bundle.tar"
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:  # noqa: ARG001 - every command's
    """Print the inventory as JSON."""
    from lamina.cli.formats import show_json

    show_json(context, context.engine.images.inventory())
    return 0
