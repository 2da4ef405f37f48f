"""`lamina rm`: remove containers."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.each import for_each
from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="rm",
    usage="lamina rm [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Remove one or more containers",
    flags=(
        Flag(
            "force", "f", kind=BOOL, help="Force the removal of a running container (uses SIGKILL)"
        ),
        *refused.REMOVE,
        Flag(
            "volumes", "v", kind=BOOL, help="Remove anonymous volumes associated with the container"
        ),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Remove each; with --force one that is not there is told, and no failure (as Docker's)."""
    refused.refuse(arguments, refused.REMOVE)
    force, volumes = arguments.flag("force"), arguments.flag("volumes")
    context.enter_namespace()

    def remove(name: str) -> None:
        context.engine.containers.remove(name, force=force, volumes=volumes)

    return for_each(context, arguments.positional, remove, missing_is_failure=not force)
