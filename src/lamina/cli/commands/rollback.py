"""`lamina rollback`: a container's files as they were at a checkpoint."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="rollback",
    usage="lamina rollback [OPTIONS] CONTAINER NAME",
    summary="Return a container's files to a checkpoint",
    description=(
        "Return the files of a container that does not run to the checkpoint NAME, which stays. "
        "What they were until now is kept as the checkpoint `before-rollback`, which the next "
        "rollback replaces."
    ),
    flags=(Flag("discard", kind=BOOL, help="Do not keep what the files were until now"),),
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print the container, as it was called."""
    context.enter_namespace()
    container, name = arguments.positional
    context.engine.containers.rollback(container, name, keep=not arguments.flag("discard"))
    context.print(container)
    return 0
