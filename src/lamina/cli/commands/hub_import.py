"""`lamina hub import-registry`: bring what docker-registry kept into this machine's hub."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import PLACES, opened, settings_of
from lamina.cli.units import human_size
from lamina.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.database import Connection, Database

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub import-registry",
    usage="lamina hub import-registry [OPTIONS] DIR",
    summary="Bring repositories from a storage folder of docker-registry",
    description="Bring repositories from a storage folder of docker-registry.\n"
    "The hub may run meanwhile, the registry should rest. Again, it goes on where it ended.",
    flags=(
        *PLACES,
        Flag(
            "account", value="NAME", help="Who pushed it, as pages say (default: the first admin)"
        ),
        Flag("copy", kind=BOOL, help="Copy blobs, even where hard links could be made"),
        JSON,
        Flag("namespace", value="NAME", help="Where repositories go whose names have one part"),
        Flag("private", kind=BOOL, help="Make repositories private that are new here"),
        Flag("quiet", "q", kind=BOOL, help="Do not name each repository"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Bring everything; 1 where something was passed over, which is named with its reason."""
    is_quiet = arguments.flag("quiet") or arguments.flag("json")
    with opened(settings_of(arguments, context)) as (database, storage):
        from lamina.hub.distribution_folder import DistributionFolder
        from lamina.hub.importing import import_folder

        done = import_folder(
            database,
            storage,
            DistributionFolder(arguments.positional[0]),
            clock=context.now,
            account=_account(database, arguments.text("account")),
            namespace=arguments.text("namespace"),
            may_link=not arguments.flag("copy"),
            is_private=arguments.flag("private"),
            tell=(lambda _: None) if is_quiet else context.say,
        )
    if arguments.flag("json"):
        passed = [{"what": what, "why": why} for what, why in done.passed]
        show_json(
            context,
            {
                "repositories": done.repositories, "manifests": done.manifests, "tags": done.tags,
                "blobs": done.blobs, "size": done.size, "passed": passed,
            },
        )  # fmt: skip
    else:
        context.print(
            f"{done.repositories} repositories: {done.tags} tags, {done.manifests} manifests and"
            f" {done.blobs} blobs ({human_size(done.size)}) are new"
        )
        for what, why in done.passed:
            context.say(f"passed over {what}: {why}")
    return 1 if done.passed else 0


def _account(database: Database, name: str) -> str:
    def work(connection: Connection) -> str:
        from lamina.hub.tables import accounts

        if name:
            return accounts.get(connection, name).name
        admins = [each for each in accounts.rows(connection) if each.is_admin]
        if not admins:
            raise NotFound(
                "this hub has no account yet",
                hint="serve it once and make one: lamina hub register",
            )
        return min(admins, key=lambda each: each.id).name

    return database.read(work)
