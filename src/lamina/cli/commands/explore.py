"""`lamina explore`: look around in an image or container on the terminal."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="explore",
    usage="lamina explore IMAGE|CONTAINER",
    summary="Look around in an image: its layers, their files, waste, packages and secrets",
    description=(
        "Look around in an image: its layers, their files, waste, packages and secrets.\n"
        "Needs a terminal; the keys are shown there, ? shows all of them."
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Open the explorer; it ends with q."""
    from lamina.cli.explorer.start import explore

    explore(arguments.positional[0], context)
    return 0
