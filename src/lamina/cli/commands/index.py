"""`lamina index`: put a seek index beside an image at its registry."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="index",
    usage="lamina index [OPTIONS] NAME[:TAG]",
    summary="Put an index beside an image at its registry, so that files are read without pulling it",
    description=(
        "Put an index beside an image at its registry, so that files are read without pulling it.\n"
        "The image stays as it is. Layers that are here are read here, others are fetched once.\n"
        "Whoever can pull the image can use it: `lamina packages --remote NAME`."
    ),
    flags=(
        Flag("again", kind=BOOL, help="Make it anew, though there is one"),
        Flag("platform", help="Index the image for a platform, e.g. linux/arm64"),
        Flag("quiet", "q", kind=BOOL, help="Only print the digest of the index"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Make it, or find it, and say where it is."""
    from lamina.cli.progress import Progress
    from lamina.cli.units import human_size
    from lamina.engine.indexing import index_image

    quiet = arguments.flag("quiet")
    with Progress(context, quiet=quiet) as listener:
        made = index_image(
            context.engine,
            arguments.positional[0],
            platform=arguments.text("platform"),
            again=arguments.flag("again"),
            listener=listener,
        )
    if quiet:
        context.print(str(made.artifact))
    else:
        what = f"index {made.artifact} ({human_size(made.size, precision=3)})"
        was = "Pushed" if made.made else "There is an"
        context.print(f"{was} {what} of {made.reference.familiar}")
    return 0
