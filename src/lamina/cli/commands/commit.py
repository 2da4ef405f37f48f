"""`lamina commit`: what a container changed becomes one new layer and a new image."""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="commit",
    usage="lamina commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    summary="Create a new image from a container's changes",
    flags=(
        Flag("author", "a", help='Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
        Flag(
            "change",
            "c",
            kind=LIST,
            help="Apply Dockerfile instruction to the created image",
        ),
        Flag("message", "m", help="Commit message"),
        Flag("pause", "p", kind=BOOL, default=True, help="Pause container during commit"),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Commit and print the new image's ID."""
    from lamina.engine.commit import commit

    context.enter_namespace()
    container, *names = arguments.positional
    image_id = commit(
        context.engine,
        container,
        names[0] if names else "",
        message=arguments.text("message"),
        author=arguments.text("author"),
        changes=arguments.texts("change"),
        pause=arguments.flag("pause"),
    )
    context.print(str(image_id))
    return 0
