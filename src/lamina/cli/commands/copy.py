"""`lamina copy`: an image from any place to any other, byte for byte, run nowhere."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.planning import DRY_RUN, tell_plans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="copy",
    usage="lamina copy [OPTIONS] SOURCE DESTINATION",
    summary="Copy an image between registries, layouts, folders, archives and this machine",
    description=(
        "Copy an image from one place to another, byte for byte, so that its digest stays.\n\n"
        "A place is one of:\n"
        "  docker://NAME[:TAG|@DIGEST]   a registry\n"
        "  oci:PATH[:NAME]               a folder that is an OCI image layout\n"
        "  oci-archive:PATH[:NAME]       a tar of one\n"
        "  docker-archive:PATH[:NAME]    what docker load reads and docker save writes\n"
        "  dir:PATH                      a folder with a manifest.json and blobs\n"
        "  NAME or lamina:NAME           this machine"
    ),
    flags=(
        Flag("all", "a", kind=BOOL, help="Copy everything that an index lists, whatever it is for"),
        DRY_RUN,
        Flag("platform", help="Choose the platform of a multi-platform image"),
        Flag(
            "referrers", kind=BOOL, help="Copy what is attached, too: signatures, lists of contents"
        ),
        Flag("quiet", "q", kind=BOOL, help="Only print the digest"),
    ),
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Copy, drawing the blobs as they go; quiet prints the digest alone."""
    from lamina.cli.errors import Interrupted
    from lamina.cli.progress import Progress

    source, target = arguments.positional
    quiet = arguments.flag("quiet")
    if arguments.flag("dry-run"):
        plan = context.engine.images.plan_copy(
            source,
            target,
            everything=arguments.flag("all"),
            platform=arguments.text("platform"),
            referrers=arguments.flag("referrers"),
        )
        tell_plans(context, (plan,), quiet=quiet)
        return 0
    try:
        with Progress(context, quiet=quiet) as listener:
            digest = context.engine.images.copy(
                source,
                target,
                everything=arguments.flag("all"),
                platform=arguments.text("platform"),
                referrers=arguments.flag("referrers"),
                listener=listener,
            )
    except KeyboardInterrupt:
        raise Interrupted("blobs that arrived whole are kept and not sent again") from None
    if quiet:
        context.print(str(digest))
    return 0
