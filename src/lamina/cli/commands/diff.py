"""`lamina diff`: what a container changed, or in what two images or containers differ."""

from __future__ import annotations

import os

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.studying import REMOTE
from lamina.errors import Invalid, LaminaError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="diff",
    usage="lamina diff CONTAINER\n       lamina diff [OPTIONS] IMAGE|CONTAINER IMAGE|CONTAINER",
    summary="Inspect changes to files or directories on a container's filesystem",
    description=(
        "Inspect changes to files or directories on a container's filesystem.\n"
        "Of two images: what the second has that the first has not, and the other way round, in\n"
        "files, packages, configuration and history. Of containers: in files."
    ),
    flags=(
        Flag("json", kind=BOOL, help="Of two: print one JSON object with everything"),
        Flag("name-only", kind=BOOL, help="Of two: print the paths alone"),
        Flag("patch", "p", kind=BOOL, help="Of two: show how the lines of text files changed"),
        *REMOTE,
        Flag("stat", kind=BOOL, help="Of two: count by directory instead of listing files"),
        Flag("times", kind=BOOL, help="Of two: times of change are differences, too"),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print A, C or D and the path of each change, sorted."""
    if len(arguments.positional) > 1:
        from lamina.cli.comparing import compare_images

        return compare_images(arguments, context)
    given = [flag.name for flag in COMMAND.flags if arguments.flag(flag.name)]
    if given:
        raise Invalid(
            f"--{given[0]} is of two images or containers",
            hint=f"name another beside {arguments.positional[0]}",
        )
    context.enter_namespace()
    try:
        changes = context.engine.containers.changes(arguments.positional[0])
    except NotFound as error:
        raise _of_an_image(arguments.positional[0], error, context) from None
    for change in changes:
        context.print(f"{change.kind} /{os.fsdecode(change.path)}")
    return 0


def _of_an_image(name: str, error: NotFound, context: Context) -> NotFound:
    """Give the error whose hint is of use where `name` is an image's: it takes two of them."""
    try:
        context.engine.images.documents(name)
    except LaminaError:
        return error
    hint = f"it is an image: `lamina diff {name} OTHER` compares two"
    return NotFound(error.message, hint=hint)
