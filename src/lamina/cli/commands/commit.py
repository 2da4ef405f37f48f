"""`lamina commit`: what a container changed becomes one new layer and a new image."""

from __future__ import annotations

from functools import partial

from lamina.cli.flags import BOOL, INT, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.events import Event, Listener

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
        Flag(
            "compression-format",
            help="Pack the layer with gzip, zstd or none (zstd needs Docker 23 or podman 3 to read)",
            default="gzip",
        ),
        Flag(
            "compression-level",
            kind=INT,
            help="Level of gzip (1-9) or zstd (1-22); 1 is the fastest",
        ),
        Flag("compression", help="As --compression-format", hidden=True),
        Flag("format", "f", default="oci", help="Format of the manifest (oci or docker)"),
        Flag("iidfile", help="Write the image ID to the file"),
        Flag("include-volumes", kind=BOOL, help="Take along what the container's volumes hold"),
        Flag("message", "m", help="Commit message"),
        Flag("pause", "p", kind=BOOL, default=True, help="Pause container during commit"),
        Flag("quiet", "q", kind=BOOL, help="Do not say on stderr what is in the image"),
        Flag("squash", "s", kind=BOOL, help="Make one layer of the image and the changes"),
        Flag(
            "strict", kind=BOOL, help="Make no image that holds keys, tokens, caches or other waste"
        ),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Commit and print the new image's ID; say on stderr what is in it."""
    from lamina.cli.capturing import tell
    from lamina.cli.packing_flags import read_compression

    compression = read_compression(arguments)
    context.enter_namespace()
    container, *names = arguments.positional
    image_id = context.engine.commit(
        container,
        names[0] if names else "",
        message=arguments.text("message"),
        author=arguments.text("author"),
        changes=arguments.texts("change"),
        pause=arguments.flag("pause"),
        compression=compression,
        listener=_on_stderr(context),
        told=None if arguments.flag("quiet") else partial(tell, context),
        strict=arguments.flag("strict"),
        volumes=arguments.flag("include-volumes"),
        squash=arguments.flag("squash"),
        form=arguments.text("format"),
    )
    if arguments.text("iidfile"):
        with open(arguments.text("iidfile"), "w", encoding="ascii") as file:
            file.write(str(image_id))
    context.print(str(image_id))
    return 0


def _on_stderr(context: Context) -> Listener:
    """Make a listener that says what was left out."""

    def say(event: Event) -> None:
        from lamina.events import Notice

        if isinstance(event, Notice):
            context.say(f"WARNING: {event.text}")

    return say
