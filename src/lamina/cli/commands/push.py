"""`lamina push`: an image from this machine to a registry."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import BOOL, INT, Command, Flag
from lamina.cli.planning import DRY_RUN, tell_plans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="push",
    usage="lamina push [OPTIONS] NAME[:TAG]",
    summary="Upload an image to a registry",
    flags=(
        Flag("all-tags", "a", kind=BOOL, help="Push all tags of an image to the repository"),
        Flag(
            "compression-format",
            help="Pack layers made here with gzip, zstd or none instead of as they are",
            value="string",
        ),
        Flag(
            "compression-level",
            kind=INT,
            help="Level of gzip (1-9) or zstd (1-22); 1 is the fastest",
        ),
        Flag("compression", help="As --compression-format", hidden=True),
        Flag("level", kind=INT, help="As --compression-level", hidden=True),
        Flag(
            "force-compression",
            kind=BOOL,
            help="Pack layers that came from elsewhere so, too; their digests change",
        ),
        DRY_RUN,
        Flag("index", kind=BOOL, help="Put a seek index beside it, as `lamina index` does"),
        *refused.TRUST,
        Flag("platform", help="Push the image for a platform alone, e.g. linux/amd64"),
        Flag("quiet", "q", kind=BOOL, help="Suppress verbose output"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Push, drawing the layers as they go; quiet says the full name alone."""
    from lamina.cli.errors import Interrupted
    from lamina.cli.packing_flags import read_compression
    from lamina.cli.progress import Progress
    from lamina.errors import Invalid
    from lamina.spec.reference import Reference

    refused.check_trust(arguments)
    name, platform = arguments.positional[0], arguments.text("platform")
    compression, force = read_compression(arguments), arguments.flag("force-compression")
    if force and compression is None:
        raise Invalid("--force-compression needs --compression-format")
    quiet, all_tags = arguments.flag("quiet"), arguments.flag("all-tags")
    reference = Reference.parse(name)
    bare = Reference.parse(name, default_tag="")
    if all_tags and (bare.tag or bare.digest):
        raise Invalid("tag can't be used with --all-tags/-a")
    if not all_tags and not bare.tag and bare.digest is None and not quiet:
        context.print(f"Using default tag: {reference.tag}")
        context.out.flush()
    if arguments.flag("dry-run"):
        plans = context.engine.images.plan_push(
            name, all_tags=all_tags, platform=platform, compression=compression, force=force
        )
        tell_plans(context, plans, quiet=quiet)
        return 0
    if not quiet:
        from lamina.cli.capturing import warn

        warn(context, context.engine.images.regrets(name))
    try:
        with Progress(context, quiet=quiet) as listener:
            outcomes = context.engine.images.push(
                name,
                all_tags=all_tags,
                platform=platform,
                compression=compression,
                force=force,
                listener=listener,
            )
            if arguments.flag("index"):
                from lamina.engine.indexing import index_image

                for outcome in outcomes:
                    index_image(
                        context.engine,
                        str(outcome.reference),
                        platform=platform,
                        listener=listener,
                    )
    except KeyboardInterrupt:
        raise Interrupted("what arrived whole is kept there and the next push continues") from None
    if quiet:
        context.print(bare.name if all_tags else str(reference))
    return 0
