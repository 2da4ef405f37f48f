"""`lamina pull`: an image from a registry to this machine."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.planning import DRY_RUN, tell_plans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="pull",
    usage="lamina pull [OPTIONS] NAME[:TAG|@DIGEST]",
    summary="Download an image from a registry",
    flags=(
        Flag("all-tags", "a", kind=BOOL, help="Download all tagged images in the repository"),
        Flag("all-platforms", kind=BOOL, help="Download the image of every platform"),
        DRY_RUN,
        Flag("platform", help="Choose the platform of a multi-platform image"),
        *refused.TRUST,
        Flag("no-unpack", kind=BOOL, help="Leave layers to be unpacked by the first container"),
        Flag("quiet", "q", kind=BOOL, help="Suppress verbose output"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Pull, drawing the layers as they come; the last line is the full name."""
    from lamina.cli.errors import Interrupted
    from lamina.cli.progress import Progress
    from lamina.errors import Invalid
    from lamina.spec.reference import Reference

    refused.check_trust(arguments)
    name = arguments.positional[0]
    context.enter_namespace()
    quiet, all_tags = arguments.flag("quiet"), arguments.flag("all-tags")
    reference = Reference.parse(name)
    bare = Reference.parse(name, default_tag="")
    if all_tags and (bare.tag or bare.digest):
        raise Invalid("tag can't be used with --all-tags/-a")
    if not all_tags and not bare.tag and bare.digest is None and not quiet:
        context.print(f"Using default tag: {reference.tag}")
        context.out.flush()
    platform, all_platforms = arguments.text("platform"), arguments.flag("all-platforms")
    if all_platforms and (platform or all_tags):
        raise Invalid("--all-platforms goes with neither --platform nor --all-tags")
    if arguments.flag("dry-run"):
        if all_platforms or all_tags:
            raise Invalid("--dry-run is for one image: neither --all-tags nor --all-platforms")
        plan = context.engine.images.plan_pull(name, platform=platform)
        tell_plans(context, (plan,), quiet=quiet, verb="fetched")
        return 0
    try:
        with Progress(context, quiet=quiet) as listener:
            context.engine.images.pull(
                name,
                platform=platform,
                all_tags=all_tags,
                all_platforms=all_platforms,
                unpack=not arguments.flag("no-unpack"),
                listener=listener,
            )
    except KeyboardInterrupt:
        raise Interrupted("what was downloaded is kept and the next pull continues") from None
    context.print(bare.name if all_tags else str(reference))
    return 0
