"""`lamina diff`: what a container changed."""

from __future__ import annotations

import os

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="diff",
    usage="lamina diff CONTAINER",
    summary="Inspect changes to files or directories on a container's filesystem",
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print A, C or D and the path of each change, sorted."""
    context.enter_namespace()
    for change in context.engine.containers.changes(arguments.positional[0]):
        context.print(f"{change.kind} /{os.fsdecode(change.path)}")
    return 0
