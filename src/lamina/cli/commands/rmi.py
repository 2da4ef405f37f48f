"""`lamina rmi`: take names away, and images with their last name."""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, Command, Flag
from lamina.cli.pruning import NOW, tell_kept
from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.local import Removed

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="rmi",
    usage="lamina rmi [OPTIONS] IMAGE [IMAGE...]",
    summary="Remove one or more images",
    flags=(
        Flag("force", "f", kind=BOOL, help="Force removal of the image"),
        Flag(
            "no-prune", kind=BOOL, hidden=True
        ),  # an untagged parent is never removed with a child
        NOW,
        Flag("platform", kind=LIST, help="Remove only an image for a platform, e.g. linux/amd64"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Remove each image in turn; one that cannot go does not keep the others."""
    from lamina.engine.undo import occasion
    from lamina.errors import NotFound

    context.enter_namespace()
    why = occasion(f"rmi {' '.join(arguments.positional)}")
    failed = False
    force = arguments.flag("force")
    platforms = [word for text in arguments.texts("platform") for word in text.split(",")]
    for name in arguments.positional:
        try:
            removed = context.engine.images.remove(
                name, force=force, now=arguments.flag("now"), platforms=platforms, occasion=why
            )
        except LaminaError as error:
            failed = failed or not (force and isinstance(error, NotFound))
            context.say(f"lamina: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
            continue
        _tell(context, removed)
    if context.err.isatty():  # docker says nothing here, and scripts may mind
        tell_kept(context, why)
    return 1 if failed else 0


def _tell(context: Context, removed: Iterable[Removed]) -> None:
    for row in removed:
        context.print(f"Untagged: {row.untagged}" if row.untagged else f"Deleted: {row.deleted}")
