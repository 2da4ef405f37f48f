"""`lamina load`: images from a tar of docker's or OCI's layout."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="load",
    usage="lamina load [OPTIONS]",
    summary="Load an image from a tar archive or STDIN",
    flags=(
        Flag("input", "i", help="Read from tar archive file, instead of STDIN"),
        Flag("platform", help="Load the images for a platform alone, e.g. linux/amd64"),
        Flag("quiet", "q", kind=BOOL, help="Suppress the load output"),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Load; elsewhere than on a terminal only the names are told."""
    from lamina.cli.errors import Interrupted
    from lamina.cli.files import input_file
    from lamina.cli.progress import Progress

    context.enter_namespace()
    with input_file(context, arguments.text("input"), command="load") as stream:
        layers = context.is_terminal and not arguments.flag("quiet")
        try:
            with Progress(context, layers=layers) as listener:
                context.engine.images.load(
                    stream, platform=arguments.text("platform"), listener=listener
                )
        except KeyboardInterrupt:
            raise Interrupted("repeat the load for the images not listed above") from None
    return 0
