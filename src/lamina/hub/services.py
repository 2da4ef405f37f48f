"""Everything one hub holds, made once and shared by its requests."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lamina.hub.access_tokens import AccessTokens
from lamina.hub.accounts import Accounts
from lamina.hub.collect import Collector
from lamina.hub.database import Database
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.metrics import Metrics
from lamina.hub.organisations import Organisations
from lamina.hub.readiness import Readiness
from lamina.hub.registry import Registry
from lamina.hub.robots import Robots
from lamina.hub.roles import Roles
from lamina.hub.rules import TagRules
from lamina.hub.settings import HubSettings
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import accounts
from lamina.hub.threads import Threads
from lamina.hub.tokens import Tokens, new_key
from lamina.hub.transfers import Transfers
from lamina.hub.uploads import Uploads

__all__ = ["Services", "open_accounts", "open_places"]


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one hub. `close` once, after the last request."""

    settings: HubSettings
    clock: Callable[[], float]
    database: Database
    storage: Storage
    threads: Threads
    accounts: Accounts
    access_tokens: AccessTokens
    organisations: Organisations
    roles: Roles
    robots: Robots
    tokens: Tokens
    registry: Registry
    uploads: Uploads
    transfers: Transfers
    collector: Collector
    metrics: Metrics
    readiness: Readiness
    form_key: bytes
    """Signs the hidden fields of forms."""

    @classmethod
    def open(cls, settings: HubSettings, *, clock: Callable[[], float] = time.time) -> "Services":
        """Open (or make) the hub under `settings.root`. Blocks."""
        database = _open_database(settings)
        fresh_key, fresh_form_key = new_key(), secrets.token_bytes(32)
        pem, form_key = database.write(
            lambda connection: (
                accounts.secret(connection, "token signing key", fresh_key),
                accounts.secret(connection, "form key", fresh_form_key),
            )
        )
        storage = _open_storage(settings, database, clock)
        threads = Threads()
        transfers = Transfers(storage, threads)
        uploads = Uploads(database, storage, clock=clock, lease_s=settings.grace_s)
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            storage=storage,
            threads=threads,
            accounts=Accounts(database, settings, clock=clock),
            access_tokens=AccessTokens(database, clock=clock),
            organisations=Organisations(database, clock=clock),
            roles=Roles(database),
            robots=Robots(database, clock=clock),
            tokens=Tokens(pem, lifetime_s=settings.token_s, clock=clock),
            registry=Registry(
                database, storage, clock=clock, rules=TagRules.parse(settings.immutable)
            ),
            uploads=uploads,
            transfers=transfers,
            collector=Collector(
                database,
                storage,
                clock=clock,
                active=lambda: uploads.closing().union(transfers.active()),
            ),
            metrics=Metrics(),
            readiness=Readiness(
                database, storage, folder="" if settings.storage else settings.root
            ),
            form_key=form_key,
        )

    def close(self) -> None:
        """Write down what is counted, finish what runs, close the database. Blocks."""
        self.threads.close()
        self.registry.flush_pulls()
        self.database.close()


def open_accounts(
    settings: HubSettings, *, clock: Callable[[], float] = time.time
) -> tuple[Accounts, Database]:
    """Open the accounts alone, beside a hub that may be running; the caller closes the database."""
    database = _open_database(settings)
    return Accounts(database, settings, clock=clock), database


@contextmanager
def open_places(
    settings: HubSettings, *, clock: Callable[[], float] = time.time
) -> Iterator[tuple[Database, Storage]]:
    """Open database and storage alone, beside a hub that may be running, while the context lasts."""
    database = _open_database(settings)
    try:
        yield database, _open_storage(settings, database, clock)
    finally:
        database.close()


def _open_storage(settings: HubSettings, database: Database, clock: Callable[[], float]) -> Storage:
    if settings.storage:
        from lamina.hub.storage.address import S3Address
        from lamina.hub.storage.bucket import Bucket
        from lamina.hub.storage.s3 import S3Storage

        return S3Storage(Bucket(S3Address.parse(settings.storage)), database, clock=clock)
    return DiskStorage(settings.root)


def _open_database(settings: HubSettings) -> Database:
    if settings.database:
        from lamina.hub.databases.postgres import PostgresDatabase

        return PostgresDatabase(settings.database)
    os.makedirs(settings.root, mode=0o700, exist_ok=True)
    return SqliteDatabase(os.path.join(settings.root, "hub.db"))
