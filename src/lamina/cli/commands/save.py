"""`lamina save`: images as one tar that docker, podman, skopeo and umoci read too."""

from __future__ import annotations

from lamina.cli.flags import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="save",
    usage="lamina save [OPTIONS] IMAGE [IMAGE...]",
    summary="Save one or more images to a tar archive (streamed to STDOUT by default)",
    flags=(
        Flag(
            "format",
            default="docker",
            help="Layout of the archive: 'docker' (which is an OCI layout too) or 'oci'",
        ),
        Flag("output", "o", help="Write to a file, instead of STDOUT"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Write the archive; every image is looked up before the first byte."""
    from lamina.cli.files import output_file

    for name in arguments.positional:
        context.engine.images.find(name)
    with output_file(context, arguments.text("output"), what="save") as out:
        context.engine.images.save(arguments.positional, out, form=arguments.text("format"))
    return 0
