"""Everything one hub holds, made once and shared by its requests."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.errors import InUse, LaminaError
from lamina.hub.access_tokens import AccessTokens
from lamina.hub.accounts import Accounts
from lamina.hub.caches import Caches
from lamina.hub.collect import Collector
from lamina.hub.database import Connection, Database
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.departures import Departures
from lamina.hub.exploring.explorer import Explorer
from lamina.hub.fetches import Fetches
from lamina.hub.identities import Identities
from lamina.hub.intake import Intake
from lamina.hub.links import Links
from lamina.hub.metrics import Metrics
from lamina.hub.mirroring import Mirroring
from lamina.hub.mirrors import Mirrors
from lamina.hub.openings import Openings
from lamina.hub.organisations import Organisations
from lamina.hub.outbox import Outbox
from lamina.hub.passing import Passing
from lamina.hub.profiles import Profiles
from lamina.hub.quotas import Quotas
from lamina.hub.readiness import Readiness
from lamina.hub.registry import Registry
from lamina.hub.remembered import Known
from lamina.hub.repositories import Repositories
from lamina.hub.retention import Retention
from lamina.hub.robots import Robots
from lamina.hub.roles import Roles
from lamina.hub.rules import TagRules
from lamina.hub.scrub import Scrubber
from lamina.hub.sessions import Sessions
from lamina.hub.settings import HubSettings
from lamina.hub.signing_keys import SigningKeys
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import accounts, audit, settled
from lamina.hub.tables.audit import Entry
from lamina.hub.threads import Threads
from lamina.hub.together import Together
from lamina.hub.tokens import Tokens
from lamina.hub.transfers import Transfers
from lamina.hub.uploads import Uploads
from lamina.hub.webhooks import Webhooks

if TYPE_CHECKING:
    from lamina.hub.oidc import Provider
    from lamina.hub.recovery import Recovery

__all__ = [
    "RESTORING",
    "People",
    "Services",
    "database_path",
    "open_database",
    "open_places",
    "open_storage",
]

RESTORING = ".restoring"
"""How the name of a database ends that `hub restore` fills, until all is in it."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one hub. `close` once, after the last request."""

    settings: HubSettings
    clock: Callable[[], float]
    database: Database
    known: Known
    storage: Storage
    threads: Threads
    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    links: Links
    departures: Departures
    recovery: "Recovery | None"
    """Links by mail; None without a mail server."""
    identities: Identities
    provider: "Provider | None"
    """Another site to sign in by; None without one."""
    access_tokens: AccessTokens
    organisations: Organisations
    roles: Roles
    robots: Robots
    signing_keys: SigningKeys
    tokens: Tokens
    registry: Registry
    repositories: Repositories
    retention: Retention
    quotas: Quotas
    uploads: Uploads
    intake: Intake | None
    """Takes small uploads the short way; None where the database or the storage is another machine's."""
    transfers: Transfers
    collector: Collector
    scrubber: Scrubber
    metrics: Metrics
    readiness: Readiness
    outbox: Outbox
    webhooks: Webhooks
    caches: Caches
    passing: Passing
    fetches: Fetches
    together: Together
    mirrors: Mirrors
    mirroring: Mirroring
    explorer: Explorer
    form_key: bytes
    """Signs the hidden fields of forms."""

    @classmethod
    def open(cls, settings: HubSettings, *, clock: Callable[[], float] = time.time) -> "Services":
        """Open (or make) the hub under `settings.root`. Blocks."""
        database = open_database(settings)
        fresh_form_key = secrets.token_bytes(32)

        def work(connection: Connection) -> bytes:
            settled.note_start(connection, immutable_rules=settings.immutable, now=clock())
            return accounts.secret(connection, "form key", fresh_form_key)

        form_key = database.write(work)
        keys = SigningKeys(database, clock=clock, lifetime_s=settings.token_s)
        storage = open_storage(settings, database, clock)
        threads = Threads()
        transfers = Transfers(storage, threads)
        openings = Openings(form_key, clock=clock)
        uploads = Uploads(
            database, storage, clock=clock, lease_s=settings.grace_s, openings=openings
        )
        people, rules = (
            Accounts(database, settings, clock=clock),
            TagRules.parse(settings.immutable),
        )
        links = Links(database, people, clock=clock)
        outbox = Outbox(clock=clock)
        registry = Registry(database, storage, clock=clock, rules=rules, outbox=outbox)
        caches = Caches(database, clock=clock, root=settings.root, form_key=form_key)
        tokens = Tokens(*keys.load(), lifetime_s=settings.token_s, clock=clock)
        intake = None
        if isinstance(database, SqliteDatabase) and isinstance(storage, DiskStorage):
            intake = Intake(
                database,
                storage,
                openings,
                accounts=people,
                tokens=tokens,
                caches=caches,
                clock=clock,
            )
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            known=Known(database.version),
            storage=storage,
            threads=threads,
            accounts=people,
            sessions=Sessions(database, clock=clock, life_s=settings.session_s),
            profiles=Profiles(database),
            links=links,
            departures=Departures(database, rules=rules, clock=clock),
            recovery=_open_recovery(settings, database, people, links),
            identities=Identities(database, clock=clock),
            provider=_open_provider(settings, clock),
            access_tokens=AccessTokens(database, clock=clock),
            organisations=Organisations(database, clock=clock),
            roles=Roles(database),
            robots=Robots(database, clock=clock),
            signing_keys=keys,
            tokens=tokens,
            registry=registry,
            repositories=Repositories(database, clock=clock),
            retention=Retention(database, clock=clock, immutable=rules),
            quotas=Quotas(database, clock=clock),
            uploads=uploads,
            intake=intake,
            transfers=transfers,
            collector=Collector(
                database,
                storage,
                clock=clock,
                active=lambda: uploads.closing().union(transfers.active()),
            ),
            scrubber=Scrubber(database, storage, clock=clock),
            metrics=Metrics(),
            readiness=Readiness(
                database, storage, folder="" if settings.storage else settings.root
            ),
            outbox=outbox,
            caches=caches,
            passing=Passing(database, storage, caches, uploads, clock=clock),
            fetches=Fetches(lambda: _passing_folder(settings)),
            together=Together(),
            mirrors=Mirrors(database, clock=clock),
            mirroring=Mirroring(
                database,
                storage,
                registry,
                uploads,
                clock=clock,
                root=settings.root,
                via=caches.via,
            ),
            explorer=Explorer(
                database, storage, clock=clock, root=settings.root, limit=settings.explore_limit
            ),
            webhooks=Webhooks(database, outbox, clock=clock, networks=settings.webhook_networks),
            form_key=form_key,
        )

    def look_for_keys(self) -> None:
        """Take the signing keys that the database has now: another process may have changed them."""
        self.tokens.take(self.signing_keys.load())

    def version(self) -> tuple[int, int] | None:
        """Give what changes with all that a kept answer follows from; None: keep nothing.

        Besides the database that is the keys that this process believes: it takes them later than
        the commit that changed them.
        """
        known = self.database.version()
        return None if known is None else (known, self.tokens.changes)

    def close(self) -> None:
        """Write down what is counted, finish what runs, close the database. Blocks."""
        self.explorer.close()
        self.scrubber.stop()
        self.mirroring.close()
        self.caches.close()
        self.fetches.close()
        self.together.close()
        self.threads.close()
        self.registry.flush_pulls()
        self.webhooks.flush_pulls()
        self.passing.flush_uses()
        self._put_away()
        self.database.close()

    def _put_away(self) -> None:
        """Leave as little as can be for the next process; what is left, it finds."""
        if self.settings.read_only:
            return
        try:
            self.uploads.note_rested(for_s=0)
            if self.intake is not None:
                self.intake.settle()
        except (LaminaError, OSError) as error:  # a full disk: all of it is durable as it is
            logging.getLogger("lamina.hub").warning("left for the next start: %s", error)


@dataclass(frozen=True, slots=True)
class People:
    """The accounts alone, beside a hub that may be running. `close` once."""

    database: Database
    accounts: Accounts
    links: Links
    departures: Departures
    signing_keys: SigningKeys
    clock: Callable[[], float]

    @classmethod
    def open(cls, settings: HubSettings, *, clock: Callable[[], float] = time.time) -> "People":
        """Open what `Services` would. Blocks."""
        database = open_database(settings)
        people, rules = (
            Accounts(database, settings, clock=clock),
            TagRules.parse(settings.immutable),
        )
        return cls(
            database,
            people,
            Links(database, people, clock=clock),
            Departures(database, rules=rules, clock=clock),
            SigningKeys(database, clock=clock, lifetime_s=settings.token_s),
            clock,
        )

    def note(self, action: str, subject: str) -> None:
        """Keep in the audit log what was done by hand on this machine."""
        entry = Entry(self.clock(), "", action, subject, "command line", "", "")
        self.database.write(lambda connection: audit.add(connection, entry))

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _open_provider(settings: HubSettings, clock: Callable[[], float]) -> "Provider | None":
    if settings.oidc is None:
        return None
    from lamina.hub.oidc import Provider

    return Provider(settings.oidc, clock=clock)


def _open_recovery(
    settings: HubSettings, database: Database, people: Accounts, links: Links
) -> "Recovery | None":
    if not settings.smtp:
        return None
    from lamina.hub.mail import Mail, MailServer
    from lamina.hub.recovery import Recovery

    mail = Mail(MailServer.parse(settings.smtp), sender=settings.mail_from)
    return Recovery(database, people, links, mail, url=settings.public_url)


@contextmanager
def open_places(
    settings: HubSettings, *, clock: Callable[[], float] = time.time
) -> Iterator[tuple[Database, Storage]]:
    """Open database and storage alone, beside a hub that may be running, while the context lasts."""
    database = open_database(settings)
    try:
        yield database, open_storage(settings, database, clock)
    finally:
        database.close()


def _passing_folder(settings: HubSettings) -> str:
    """Give the folder, made if need be, where blobs lie while they are passed on."""
    folder = os.path.join(settings.root, "passing")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def open_storage(settings: HubSettings, database: Database, clock: Callable[[], float]) -> Storage:
    """Open the storage alone, of a hub with that database."""
    if settings.storage:
        from lamina.hub.storage.address import S3Address
        from lamina.hub.storage.bucket import Bucket
        from lamina.hub.storage.s3 import S3Storage

        return S3Storage(Bucket(S3Address.parse(settings.storage)), database, clock=clock)
    return DiskStorage(settings.root, database)


def database_path(settings: HubSettings) -> str:
    """Give where the hub's SQLite database is, if it has one."""
    return os.path.join(settings.root, "hub.db")


def open_database(settings: HubSettings) -> Database:
    """Open the database alone; the caller closes it. Raises: Unavailable, Invalid, Corrupt, InUse."""
    if settings.database:
        from lamina.hub.databases.postgres import PostgresDatabase

        return PostgresDatabase(settings.database)
    os.makedirs(settings.root, mode=0o700, exist_ok=True)
    path = database_path(settings)
    if os.path.exists(path + RESTORING) and not os.path.exists(path):
        raise InUse(
            f"a backup is being restored into {settings.root}, or that was cut short",
            hint=f"run `lamina hub restore` again, or remove {path}{RESTORING}",
        )
    return SqliteDatabase(path)
