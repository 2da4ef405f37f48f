"""`lamina hub backup|restore`: a hub in a folder, and out of it again into one of either kind."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import PLACES, opened, settings_of, to_fill
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["BACKUP", "RESTORE", "backup", "restore"]

BACKUP = Command(
    name="hub backup",
    usage="lamina hub backup [OPTIONS] DIR|FILE.tar",
    summary="Write accounts, settings and images of this machine's hub into a folder or file",
    description="Write accounts, settings and images of this machine's hub into a folder or file.\n"
    "The hub may run meanwhile. Into the same folder again it writes what is new.",
    flags=(
        *PLACES,
        Flag("copy", kind=BOOL, help="Copy blobs, even where hard links could be made"),
        JSON,
    ),
    arity=(1, 1),
)
RESTORE = Command(
    name="hub restore",
    usage="lamina hub restore [OPTIONS] DIR|FILE.tar",
    summary="Bring a backup into an empty hub, of the same kind or another",
    flags=(*PLACES, JSON),
    arity=(1, 1),
)
_SHOWN = 20
_FILE = ".tar"


def backup(arguments: Arguments, context: Context) -> int:
    """Back up; 1 where blobs were lacking, which are named."""
    folder = arguments.positional[0]
    with opened(settings_of(arguments, context)) as (database, storage):
        from lamina.hub.backup import back_up
        from lamina.hub.backup_file import back_up_file

        if folder.endswith(_FILE):
            done = back_up_file(database, storage, folder, clock=context.now)
        else:
            done = back_up(
                database, storage, folder, clock=context.now, may_link=not arguments.flag("copy")
            )
    if arguments.flag("json"):
        show_json(
            context,
            {
                "blobs": done.blobs, "size": done.size, "new": done.fresh,
                "new_size": done.fresh_size, "linked": done.linked, "lacking": list(done.lacking),
            },
        )  # fmt: skip
    else:
        context.print(
            f"{done.blobs} blobs ({human_size(done.size)}) in {folder}, {done.fresh} of them new"
            f" ({human_size(done.fresh_size)}"
            + (f", {done.linked} as hard links)" if done.linked else ")")
        )
        _lament(done.lacking, context, "are damaged or missing in this hub")
    return 1 if done.lacking else 0


def restore(arguments: Arguments, context: Context) -> int:
    """Restore; 1 where blobs were lacking, which are named."""
    settings = settings_of(arguments, context)
    with to_fill(settings, context) as (database, storage):
        from lamina.hub.restore import restore as bring_back

        done = bring_back(database, storage, arguments.positional[0], clock=context.now)
    if arguments.flag("json"):
        show_json(
            context,
            {
                "accounts": done.accounts, "repositories": done.repositories, "blobs": done.blobs,
                "size": done.size, "lacking": list(done.lacking),
            },
        )  # fmt: skip
    else:
        context.print(
            f"{done.accounts} accounts, {done.repositories} repositories and {done.blobs} blobs"
            f" ({human_size(done.size)}), each verified: {settings.places}"
        )
        _lament(done.lacking, context, "are damaged or missing in the backup: push them anew")
    return 1 if done.lacking else 0


def _lament(lacking: tuple[str, ...], context: Context, words: str) -> None:
    if lacking:
        context.say(f"{len(lacking)} blobs {words}:")
        for digest in lacking[:_SHOWN]:
            context.say(f"  {digest}")
