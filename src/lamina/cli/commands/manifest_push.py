"""`lamina manifest push`: bring a list and the images in it to its repository."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="manifest push",
    usage="lamina manifest push [OPTIONS] MANIFEST_LIST",
    summary="Push a manifest list to a repository",
    flags=(
        Flag(
            "insecure", kind=BOOL, hidden=True
        ),  # docker's; loopback and named ones are plain here
        Flag("purge", "p", kind=BOOL, help="Remove the local manifest list after push"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Push, saying each image on stderr, and print the list's digest."""
    from lamina.engine.lists import Lists
    from lamina.events import Event, Notice

    def say(event: Event) -> None:
        if isinstance(event, Notice):
            context.say(event.text)

    digest = Lists(context.engine).push(
        arguments.positional[0], purge=arguments.flag("purge"), listener=say
    )
    context.print(str(digest))
    return 0
