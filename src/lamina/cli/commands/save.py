"""`lamina save`: images as one tar that docker, podman, skopeo and umoci read too."""

from __future__ import annotations

from lamina.cli.flags import LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.digest import Digest

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
        Flag(
            "have", help="Leave out the layers in this file, an inventory of the receiving machine"
        ),
        Flag("output", "o", help="Write to a file, instead of STDOUT"),
        Flag("platform", help="Save the images for a platform alone, e.g. linux/amd64"),
        Flag("since", kind=LIST, help="Leave out the layers of this image, which the receiver has"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Write the archive; every image is looked up before the first byte."""
    from lamina.cli.files import output_file

    images, platform = context.engine.images, arguments.text("platform")
    for name in arguments.positional:
        images.resolve(name, platform=platform) if platform else images.find(name)
    without = _left_out(arguments, context)
    with output_file(context, arguments.text("output"), what="save") as out:
        images.save(
            arguments.positional,
            out,
            form=arguments.text("format"),
            platform=platform,
            without=without,
        )
    return 0


def _left_out(arguments: Arguments, context: Context) -> frozenset[Digest]:
    """Collect what the receiver has, by its inventory and by the images named."""
    if not (arguments.text("have") or arguments.texts("since")):
        return frozenset()
    from lamina.engine.bundles import layers_of, read_inventory

    found = layers_of(context.engine, arguments.texts("since"))
    if arguments.text("have"):
        from lamina.cli.files import input_file

        with input_file(context, arguments.text("have"), command="save --have") as stream:
            found |= read_inventory(stream)
    return found
