"""`lamina manifest rm`: forget lists that were put together here."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="manifest rm",
    usage="lamina manifest rm MANIFEST_LIST [MANIFEST_LIST...]",
    summary="Delete one or more manifest lists from local storage",
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Forget each; what was pushed stays where it is."""
    from lamina.cli.each import for_each
    from lamina.engine.lists import Lists

    lists = Lists(context.engine)
    return for_each(context, arguments.positional, lambda name: str(lists.remove(name).familiar))
