"""`lamina hub rotate-keys`: sign short tokens with a new key, beside a hub that may be running."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.hub_places import DATABASE, ROOT, check_served, hub_settings, needs_extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub rotate-keys",
    usage="lamina hub rotate-keys [OPTIONS]",
    summary="Sign tokens with a new key",
    description="Sign tokens with a new key.\n"
    "A hub that runs begins within half a minute; nobody is logged out.",
    flags=(
        ROOT,
        DATABASE,
        Flag("at-once", kind=BOOL, help="Believe no old token any more: somebody may have the key"),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Make a key and retire the one before it."""
    settings = hub_settings(
        context, root=arguments.text("root"), database=arguments.text("database")
    )
    check_served(settings)
    try:
        from lamina.hub.services import People
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    people = People.open(settings)
    is_at_once = arguments.flag("at-once")
    try:
        people.signing_keys.rotate(at_once=is_at_once)
        people.note("rotate keys", "at once" if is_at_once else "")
    finally:
        people.close()
    rest = "old tokens are over" if is_at_once else "old tokens go on until their time is over"
    context.print(f"Tokens are signed with a new key; {rest}")
    return 0
