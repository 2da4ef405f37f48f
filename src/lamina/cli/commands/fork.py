"""`lamina fork`: several containers that go on from one's files."""

from __future__ import annotations

from lamina.cli.flags import LIST, STRING, Command, Flag
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="fork",
    usage="lamina fork [OPTIONS] CONTAINER [N]",
    summary="Make new containers that go on from a container's files",
    description=(
        "Make N (1) containers with the files and settings of CONTAINER, created and not started. "
        "They share what is there, and each writes for itself. A container that runs is paused "
        "while what it has written is copied. Ports of the machine, addresses and anonymous volumes "
        "that CONTAINER has are its own: forks get others (`lamina port` tells)."
    ),
    flags=(
        Flag(
            "from", kind=STRING, help="Go on from this checkpoint instead of what the files are now"
        ),
        Flag("name", kind=LIST, help="Name of a new container, once for each (default NAME-1, …)"),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print the new containers' whole IDs."""
    container, *count = arguments.positional
    names = arguments.texts("name")
    number = _number(count[0]) if count else max(len(names), 1)
    context.enter_namespace()
    made = context.engine.containers.fork(
        container, number, names=names, start=arguments.text("from")
    )
    for record in made:
        context.print(record.id)
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise Invalid(f"invalid number of forks: {text!r}", hint="from 1 to 1000")
    return int(text)
