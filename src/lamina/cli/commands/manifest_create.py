"""`lamina manifest create`: begin a list of images for several platforms."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="manifest create",
    usage="lamina manifest create [OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
    summary="Create a local manifest list for annotating and pushing to a registry",
    description=(
        "Create a local manifest list for annotating and pushing to a registry.\n\n"
        "A MANIFEST is an image of this machine, else of its registry; of an index every image is\n"
        "taken. Nothing but manifests is fetched before `lamina manifest push`."
    ),
    flags=(
        Flag("amend", "a", kind=BOOL, help="Amend an existing manifest list"),
        Flag(
            "insecure", kind=BOOL, hidden=True
        ),  # docker's; loopback and named ones are plain here
    ),
    arity=(2, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Begin or amend the list, and say its full name."""
    from lamina.engine.lists import Lists

    name, *images = arguments.positional
    reference = Lists(context.engine).create(name, images, amend=arguments.flag("amend"))
    context.print(f"Created manifest list {reference}")
    return 0
