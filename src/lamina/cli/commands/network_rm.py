"""`lamina network rm`: remove networks that no container runs on."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network rm",
    usage="lamina network rm [OPTIONS] NETWORK [NETWORK...]",
    summary="Remove one or more networks",
    flags=(Flag("force", "f", kind=BOOL, help="Do not error if the network does not exist"),),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Remove each; go on past those that are not there or in use."""
    networks = context.engine.networks

    def remove(name: str) -> None:
        networks.remove(name)

    missing_is_failure = not arguments.flag("force")
    return for_each(context, arguments.positional, remove, missing_is_failure=missing_is_failure)
