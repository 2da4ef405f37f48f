"""Look at a hub's database, storage, certificate and what it asks elsewhere as the hub would use them, and say in words what is wrong.

What is tried leaves nothing behind. Nothing here prints a password or a key.
"""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import urlopen

from lamina.errors import LaminaError
from lamina.hub.settings import HubSettings, strange

if TYPE_CHECKING:
    from lamina.hub.storage.bucket import Bucket

__all__ = ["Finding", "examine"]

_OLDEST_POSTGRES = 13
_SKEW_S = 5.0
_FREE_SHARE = 0.05
_LINK_S = 60
_DAYS_LEFT = 14
_WAIT_S = 10
_RESERVED = 10
"""Connections that others than hubs should find free."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `hint` says what to do where it is not good."""

    subject: str
    is_good: bool
    text: str
    hint: str = ""

    @property
    def sign(self) -> str:
        """`ok` or `wrong`."""
        return "ok" if self.is_good else "wrong"


def examine(settings: HubSettings) -> tuple[Finding, ...]:
    """Give all findings: strange settings first, then the database's."""
    database = _postgres(settings.database) if settings.database else _sqlite(settings.root)
    storage = _bucket(settings.storage) if settings.storage else _folder(settings.root)
    found = (*_told("database", database), *_told("storage", storage))
    found = (*_settings(settings), *found)
    found = (*found, *_told("certificate", _certificate(settings)))
    return (*found, *_told("mail", _mail(settings)), *_told("sign-in", _sign_in(settings)))


def _settings(settings: HubSettings) -> Iterator[Finding]:
    for name in settings.strange:
        text, hint = strange(name)
        yield Finding("settings", is_good=False, text=text, hint=hint)


def _told(subject: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on; an error that ends them is one, too."""
    try:
        yield from findings
    except LaminaError as error:
        yield Finding(subject, is_good=False, text=error.message, hint=error.hint)
    except OSError as error:
        yield Finding(subject, is_good=False, text=f"{error.filename}: {error.strerror}")


def _mail(settings: HubSettings) -> Iterator[Finding]:
    if not settings.smtp:
        return
    from lamina.hub.mail import Mail, MailServer

    server = MailServer.parse(settings.smtp)
    Mail(server, sender=settings.mail_from).check()
    yield Finding("mail", is_good=True, text=f"{server.host} takes mail from us")


def _sign_in(settings: HubSettings) -> Iterator[Finding]:
    if settings.oidc is None:
        return
    from lamina.hub.oidc import Provider

    Provider(settings.oidc, clock=time.time).check()
    back = f"{settings.public_url}/signin/oidc/back"
    yield Finding("sign-in", is_good=True, text=f"{settings.oidc.issuer} answers; give it {back}")


def _sqlite(root: str) -> Iterator[Finding]:
    import sqlite3

    path = os.path.join(root, "hub.db")
    if not os.path.exists(path):
        yield Finding("database", is_good=True, text=f"{path} will be made when the hub is served")
        return
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            number = int(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            said, number = str(error), 0
    if said != "ok":
        hint = "stop the hub and restore hub.db from a backup"
        yield Finding("database", is_good=False, text=f"{path} is damaged: {said}", hint=hint)
        return
    yield Finding(
        "database", is_good=True, text=f"SQLite {sqlite3.sqlite_version} in {path}, intact"
    )
    yield _schema(number)


def _schema(number: int) -> Finding:
    from lamina.hub.databases.schema import pending

    left = len(pending(number))
    text = f"at step {number}" + (f", {left} to come at the next start" if left else ", up to date")
    return Finding("schema", is_good=True, text=text)


def _postgres(url: str) -> Iterator[Finding]:
    from lamina.hub.databases.postgres import connect

    began = time.monotonic()
    with connect(url) as connection:
        took_ms = 1000 * (time.monotonic() - began)

        def ask(sql: str) -> str:
            row = connection.execute(sql.encode()).fetchone()
            return str(row[0]) if row else ""

        version = connection.info.server_version // 10000
        yield Finding(
            "database",
            is_good=version >= _OLDEST_POSTGRES,
            text=f"PostgreSQL {version}, connected in {took_ms:.0f} ms",
            hint="" if version >= _OLDEST_POSTGRES else f"use {_OLDEST_POSTGRES} or newer",
        )
        yield from _postgres_settings(ask)
        yield _clock(float(ask("SELECT extract(epoch FROM clock_timestamp())")))
        if ask("SELECT to_regclass('schema_steps')") == "None":
            can = ask("SELECT has_schema_privilege(current_schema(), 'CREATE')") == "True"
            hint = "" if can else "GRANT CREATE ON SCHEMA public TO the hub's role"
            yield Finding(
                "schema", is_good=can, text="none yet; the first start makes it", hint=hint
            )
        else:
            yield _schema(int(ask("SELECT coalesce(max(number), 0) FROM schema_steps")))


def _postgres_settings(ask: Callable[[str], str]) -> Iterator[Finding]:
    wanted = (
        ("server_encoding", "UTF8", "make the database with: createdb -E UTF8 -T template0"),
        ("fsync", "on", "with it off, a power cut of the database loses images"),
        ("full_page_writes", "on", "with it off, a power cut of the database loses images"),
        ("transaction_read_only", "off", "this is a standby; name the primary"),
    )
    for name, value, hint in wanted:
        found = ask(f"SHOW {name}")
        is_good = found == value
        yield Finding(name, is_good=is_good, text=found, hint="" if is_good else hint)
    durable = ask("SHOW synchronous_commit")
    yield Finding(
        "synchronous_commit",
        is_good=durable != "off",
        text=durable,
        hint="" if durable != "off" else "with it off, a crash loses pushes that were acknowledged",
    )
    most, used = int(ask("SHOW max_connections")), int(ask("SELECT count(*) FROM pg_stat_activity"))
    is_good = most - used > _RESERVED
    hint = "" if is_good else "each process of the hub takes up to 16: raise max_connections"
    yield Finding("connections", is_good=is_good, text=f"{used} of {most} taken", hint=hint)


def _clock(theirs: float) -> Finding:
    skew_s = abs(time.time() - theirs)
    is_good = skew_s < _SKEW_S
    return Finding(
        "clock",
        is_good=is_good,
        text=f"{skew_s:.1f} s from the database's",
        hint="" if is_good else "leases and sessions compare clocks: run an NTP client everywhere",
    )


def _certificate(settings: HubSettings) -> Iterator[Finding]:
    from cryptography import x509

    from lamina.hub.certificate import read_certificate

    if read_certificate(settings) is None:
        return
    with open(settings.certificate, "rb") as file:
        ours = x509.load_pem_x509_certificates(file.read())[0]
    days = (ours.not_valid_after_utc.timestamp() - time.time()) / 86400
    end = f"{ours.not_valid_after_utc:%Y-%m-%d}"
    is_fresh = days > _DAYS_LEFT
    yield Finding(
        "certificate",
        is_good=is_fresh,
        text=f"{settings.certificate} holds until {end}" if days > 0 else f"it ended on {end}",
        hint="" if is_fresh else "renew it, then send the hub SIGHUP",
    )


def _folder(root: str) -> Iterator[Finding]:
    there = root
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if there == root:
        probe = os.path.join(root, f".doctor-{uuid.uuid4()}")
        with open(probe, "xb") as file:
            file.write(b"lamina")
            os.fsync(file.fileno())
        os.unlink(probe)
    can = os.access(there, os.W_OK)
    usage = shutil.disk_usage(there)
    is_roomy = usage.free > _FREE_SHARE * usage.total
    yield Finding(
        "storage",
        is_good=can,
        text=f"{root} can be written" if can else f"{there} cannot be written",
        hint="" if can else "give the hub's user write permission there",
    )
    yield Finding(
        "room",
        is_good=is_roomy,
        text=f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free",
        hint="" if is_roomy else "pushes end with 503 when it is full",
    )


def _bucket(text: str) -> Iterator[Finding]:
    from lamina.hub.storage.address import S3Address
    from lamina.hub.storage.bucket import Bucket

    address = S3Address.parse(text)
    bucket = Bucket(address)
    folder = f"doctor-{uuid.uuid4()}/"
    key = f"{folder}object"
    began = time.monotonic()
    bucket.put(key, b"lamina")
    took_ms = 1000 * (time.monotonic() - began)
    yield Finding("storage", is_good=True, text=f"{address} can be written, in {took_ms:.0f} ms")
    try:
        with contextlib.closing(bucket.get(key, first=1, length=3)) as body:
            found = bucket.read(body, 10)
        yield Finding(
            "ranges", is_good=found == b"ami", text=f"a part of an object reads {found!r}"
        )
        yield _parts(bucket, f"{folder}joined")
        if address.redirect_s:
            yield _link(bucket, key)
    finally:
        bucket.end_parts(folder)
        bucket.remove(list(bucket.keys(folder)))
    left = list(bucket.keys(folder))
    yield Finding("deletion", is_good=not left, text="works" if not left else f"{left} stay")


def _parts(bucket: "Bucket", key: str) -> Finding:
    multipart = bucket.begin_parts(key)
    etag = bucket.put_part(key, multipart, 1, b"lamina")
    bucket.join_parts(key, multipart, [(1, etag)])
    size = bucket.size(key)
    return Finding("parts", is_good=size == len(b"lamina"), text="uploads of parts work")


def _link(bucket: "Bucket", key: str) -> Finding:
    try:
        with urlopen(bucket.link(key, life_s=_LINK_S), timeout=_WAIT_S) as answer:  # noqa: S310 - the storage's own
            is_good = answer.read(10) == b"lamina"
    except OSError as error:
        return Finding(
            "links",
            is_good=False,
            text=f"clients cannot follow them: {error}",
            hint="name the address that clients reach with public-endpoint=URL",
        )
    return Finding("links", is_good=is_good, text="clients can follow them from here")
