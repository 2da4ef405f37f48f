"""Where a hub of this machine has its things, as the words of `lamina hub …` say it."""

from __future__ import annotations

from lamina.cli.flags import Flag
from lamina.errors import Invalid, LaminaError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.database import Database
    from lamina.hub.settings import HubSettings
    from lamina.hub.storage.protocol import Storage

__all__ = [
    "DATABASE",
    "PLACES",
    "ROOT",
    "STORAGE",
    "check_served",
    "hub_settings",
    "needs_extra",
    "opened",
    "opened_database",
    "settings_of",
    "to_fill",
]

ROOT = Flag("root", value="DIR", help="Folder of the hub's database and images")
DATABASE = Flag(
    "database", value="URL", help="PostgreSQL in place of the folder's SQLite: postgresql://..."
)
STORAGE = Flag(
    "storage", value="URL", help="S3 in place of the folder: s3://BUCKET/PREFIX?endpoint=URL"
)
PLACES = (ROOT, DATABASE, STORAGE)
"""The flags that `opened` reads."""
_SCALE = ("psycopg", "psycopg_pool", "botocore")


def hub_settings(context: Context, **given: str) -> HubSettings:
    """Read the hub's settings: what is `given`, then the environment. Raises: Invalid."""
    from lamina.cli.startup import make_whole
    from lamina.hub.settings import HubSettings

    make_whole("ctypes")  # psycopg imports a module of it
    return HubSettings.from_environment(context.environ, **given)


def settings_of(arguments: Arguments, context: Context) -> HubSettings:
    """Read the settings of a command with the flags `PLACES`. Raises: Invalid."""
    return hub_settings(context, **{flag.name: arguments.text(flag.name) for flag in PLACES})


def check_served(settings: HubSettings) -> None:
    """Let pass where a hub's database is. Raises: Invalid."""
    import os

    if not settings.database and not os.path.exists(os.path.join(settings.root, "hub.db")):
        raise Invalid(f"no hub was ever served from {settings.root}", hint="name it with --root")


def opened(settings: HubSettings) -> AbstractContextManager[tuple[Database, Storage]]:
    """Open a hub's database and storage beside the hub that may be running.

    Raises: Invalid (no hub is there), Unsupported (a package is missing), Unavailable.
    """
    from contextlib import contextmanager

    @contextmanager
    def open_both() -> Iterator[tuple[Database, Storage]]:
        try:
            from lamina.hub.services import open_places

            places = open_places(settings)
        except ModuleNotFoundError as error:
            raise needs_extra(error) from error
        with places as found:
            yield found

    check_served(settings)
    return open_both()


def to_fill(
    settings: HubSettings, context: Context
) -> AbstractContextManager[tuple[Database, Storage]]:
    """Open a hub that a backup is brought into; it may not be there yet. Raises: as `opened`, InUse."""
    from contextlib import contextmanager

    @contextmanager
    def open_both() -> Iterator[tuple[Database, Storage]]:
        try:
            from lamina.hub.restore import places

            found = places(settings, clock=context.now)
        except ModuleNotFoundError as error:
            raise needs_extra(error) from error
        with found as both:
            yield both

    return open_both()


def opened_database(settings: HubSettings) -> AbstractContextManager[Database]:
    """Open a hub's database alone, beside the hub that may be running. Raises: as `opened`."""
    from contextlib import closing

    check_served(settings)
    try:
        from lamina.hub.services import open_database
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    return closing(open_database(settings))


def needs_extra(error: ModuleNotFoundError) -> LaminaError:
    """Say which extra of the package has what is missing."""
    extra = "scale" if error.name in _SCALE else "hub"
    return Unsupported(
        f"the hub needs the package {error.name!r}",
        hint=f"install it with: pip install 'lamina[{extra}]'",
    )
