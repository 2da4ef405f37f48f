"""`lamina explore`: look around in an image or container on the terminal, or get all of it written."""

from __future__ import annotations

from lamina.cli.exploring import FLAGS, is_asked, tell
from lamina.cli.flags import Command
from lamina.cli.studying import PREFIX, REMOTE, is_remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="explore",
    usage="lamina explore [OPTIONS] IMAGE|CONTAINER",
    summary="Look around in an image: its layers, their files, waste, packages and secrets",
    description=(
        "Look around in an image: its layers, their files, waste, packages and secrets.\n"
        "Needs a terminal; the keys are shown there, ? shows all of them.\n"
        "With --json, --html or --ci it needs none: everything is written down, or judged by rules;\n"
        "of a container: of its image."
    ),
    flags=(*FLAGS, *REMOTE),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Write what is asked for, or open the explorer; it ends with q."""
    name = arguments.positional[0]
    remote = is_remote(arguments, name)
    if is_asked(arguments):
        return tell(arguments, context)
    from lamina.cli.explorer.start import explore

    platform = arguments.text("platform")
    return explore(name.removeprefix(PREFIX), context, remote=remote, platform=platform)
