"""Runs of mirroring rules: a repository's tags copied from another registry, with a log.

A process takes a rule whose time has come and says so in its row, again and again while it works;
another goes on where that one died. What is here already is not fetched: a run that was cut short
costs the next one nothing. Manifests are pushed as anyone pushes them, so quotas, immutable tags and
webhooks hold.
"""

import logging
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase

from lamina.errors import Invalid, LaminaError, NotFound
from lamina.hub.access import Caller
from lamina.hub.blob_source import AlreadyHere, BlobSource, Wanted
from lamina.hub.database import Connection, Database
from lamina.hub.documents import Facts, read_facts
from lamina.hub.errors import (
    BlobUnknown,
    ManifestUnknown,
    QuotaExceeded,
    UpstreamFailed,
    UpstreamLimited,
)
from lamina.hub.registry import Registry
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import manifests, mirrors, repositories
from lamina.hub.tables.mirrors import Mirror, Run
from lamina.hub.tables.repositories import Repository
from lamina.hub.uploads import Uploads
from lamina.hub.upstream import Upstream
from lamina.remote.repository import Repository as Remote
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.reference import Reference

__all__ = ["Mirroring"]

_LOGGER = logging.getLogger("lamina.hub")
_AT_ONCE = 2
_LEASE_S = 300.0
_RENEW_EVERY_S = 30.0
_PIECE = 1024 * 1024
_LOG_LIMIT = 64 * 1024
_FAILURES = 5
"""In a row, after which a run ends: the registry has a bad day."""
_SOON_S = 900.0
_DEPTH = 4
_ALL = 1 << 40


class _Stopped(LaminaError):
    """The hub is stopping, or the rule was removed."""


class Mirroring:
    """Runs the rules of a hub, two at a time in this process."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        registry: Registry,
        uploads: Uploads,
        *,
        clock: Callable[[], float],
        root: str,
        via: str,
    ) -> None:
        self._database = database
        self._storage = storage
        self._registry = registry
        self._uploads = uploads
        self._clock = clock
        self._folder = os.path.join(root, "upstream", "mirrors")
        self._via = via
        self._pool = ThreadPoolExecutor(_AT_ONCE, "hub-mirror")
        self._guard = threading.Lock()
        self._running: dict[Future[None], Upstream] = {}
        self._is_stopping = False

    def begin_due(self) -> int:
        """Begin runs of rules whose time has come, as many as there is room for; give how many."""
        begun = 0
        while self._has_room():
            rule = self._claim()
            if rule is None:
                break
            upstream = self._open(rule)
            with self._guard:
                future = self._pool.submit(self._run, rule, upstream)
                self._running[future] = upstream
            future.add_done_callback(self._forget)
            begun += 1
        return begun

    def _claim(self) -> Mirror | None:
        now = self._clock()
        if not self._database.read(lambda connection: mirrors.any_due(connection, now=now)):
            return None
        return self._database.write(
            lambda connection: mirrors.claim(connection, now=now, until=now + _LEASE_S)
        )

    def wait(self) -> None:
        """Wait for the runs that are under way."""
        with self._guard:
            running = list(self._running)
        for future in running:
            future.exception()

    def close(self) -> None:
        """Cut the runs that are under way; the next start of a hub goes on with them."""
        self._is_stopping = True
        with self._guard:
            upstreams = list(self._running.values())
        for each in upstreams:
            each.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _has_room(self) -> bool:
        with self._guard:
            return not self._is_stopping and len(self._running) < _AT_ONCE

    def _forget(self, future: Future[None]) -> None:
        with self._guard:
            self._running.pop(future, None)

    def _open(self, rule: Mirror) -> Upstream:
        return Upstream(
            rule.source.partition("/")[0],
            username=rule.username,
            password=rule.password,
            folder=os.path.join(self._folder, rule.id),
            via=self._via,
            clock=self._clock,
        )

    def _run(self, rule: Mirror, upstream: Upstream) -> None:
        """Do one run, and say how it went. Never raises."""
        began_at = self._clock()
        run = _Running(
            self._database, rule, Run(str(uuid.uuid4()), rule.id, began_at, None, "running"),
            clock=self._clock, is_stopping=lambda: self._is_stopping,
        )  # fmt: skip
        next_at = began_at + rule.every_s
        try:
            run.begin()
            _Copying(self, rule, upstream, run).all_tags()
            state = "failed" if run.now.failed else "done"
        except UpstreamLimited as error:
            run.say(f"{error.message}; the rest is tried again then")
            state, next_at = "failed", self._clock() + error.retry_after_s
        except _Stopped as error:
            run.say(error.message)
            state, next_at = "failed", began_at
        except LaminaError as error:
            run.say(f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
            state, next_at = "failed", min(next_at, self._clock() + _SOON_S)
        except Exception:
            _LOGGER.exception("mirroring %s failed", rule.source)
            run.say("the hub failed; its log says more")
            state = "failed"
        finally:
            upstream.close()
        if self._is_stopping:
            next_at = began_at
        with suppress(LaminaError):  # else the lease ends by itself
            run.end(state, next_at=next_at)

    def source(self, wanted: Wanted, upstream: Upstream, came: Callable[[int], None]) -> BlobSource:
        """Give what fetches a blob."""
        return BlobSource(
            wanted,
            upstream,
            database=self._database,
            storage=self._storage,
            uploads=self._uploads,
            came=came,
        )

    @property
    def database(self) -> Database:
        """Where what is here is looked up."""
        return self._database

    @property
    def registry(self) -> Registry:
        """Where manifests are pushed."""
        return self._registry

    @property
    def uploads(self) -> Uploads:
        """Where blobs that are here are asked for."""
        return self._uploads

    @property
    def clock(self) -> Callable[[], float]:
        """What time it is."""
        return self._clock


class _Running:
    """The log of one run, and its hold on the rule."""

    def __init__(
        self,
        database: Database,
        rule: Mirror,
        run: Run,
        *,
        clock: Callable[[], float],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._rule = rule
        self._clock = clock
        self._is_stopping = is_stopping
        self._renewed_at = 0.0
        self.now = run

    def begin(self) -> None:
        """Note that the run begins."""
        self._database.write(lambda connection: mirrors.add_run(connection, self.now))

    def say(self, line: str) -> None:
        """Add a line to the log."""
        if len(self.now.log) < _LOG_LIMIT:
            self.now = replace(self.now, log=f"{self.now.log}{line}\n".replace("\0", "?"))

    def came(self, size: int) -> None:
        """Count bytes that came."""
        self.now = replace(self.now, size=self.now.size + size)
        self.renew()

    def renew(self) -> None:
        """Keep the rule, and write down how far this is. Raises: _Stopped."""
        now = self._clock()
        if self._is_stopping():
            raise _Stopped("the hub stopped; the next start goes on")
        if now - self._renewed_at < _RENEW_EVERY_S:
            return
        self._renewed_at = now

        def work(connection: Connection) -> bool:
            mirrors.save_run(connection, self.now)
            return mirrors.renew(connection, self._rule.id, until=now + _LEASE_S)

        if not self._database.write(work, alone=False):
            raise _Stopped("the rule was removed")

    def end(self, state: str, *, next_at: float) -> None:
        """Write down how it went, and let go of the rule."""
        self.now = replace(self.now, state=state, ended_at=self._clock())

        def work(connection: Connection) -> None:
            mirrors.save_run(connection, self.now)
            mirrors.end(connection, self._rule.id, next_at=next_at, began_at=self.now.began_at)

        self._database.write(work)


class _Copying:
    """One run's copying."""

    def __init__(
        self, mirroring: Mirroring, rule: Mirror, upstream: Upstream, run: _Running
    ) -> None:
        self._mirroring = mirroring
        self._rule = rule
        self._upstream = upstream
        self._run = run
        self._name = rule.source.partition("/")[2]
        self._caller = Caller(rule.created_by, is_admin=True)

    @property
    def _there(self) -> Remote:
        return self._upstream.repository(self._name)

    def all_tags(self) -> None:
        """Copy every tag that fits; with `deletes`, remove those that are gone."""
        try:
            with self._upstream.asked():
                tags = self._there.tags()
        except NotFound as error:
            raise UpstreamFailed(f"{self._rule.source}: {error.message}") from error
        wanted = [each for each in tags if self._fits(each)]
        self._run.say(f"{self._rule.source} has {len(tags)} tags, {len(wanted)} of them fit")
        in_a_row = 0
        for tag in wanted:
            self._run.renew()
            try:
                self._copy_tag(tag)
                in_a_row = 0
            except (UpstreamLimited, QuotaExceeded, _Stopped):
                raise
            except LaminaError as error:
                self._run.renew()  # a hub that stops cuts its connections: no fault of the tag's
                in_a_row += 1
                self._run.now = replace(self._run.now, failed=self._run.now.failed + 1)
                self._run.say(f"{tag}: {error.message}")
                if in_a_row >= _FAILURES:
                    raise UpstreamFailed(
                        f"{_FAILURES} tags in a row failed; tried again soon"
                    ) from error
        if self._rule.deletes:
            self._remove_gone(frozenset(tags))

    def _fits(self, tag: str) -> bool:
        return any(fnmatchcase(tag, pattern) for pattern in self._rule.tags)

    def _copy_tag(self, tag: str) -> None:
        there = self._there
        with self._upstream.asked():
            found = there.resolve(Reference(there.registry, there.repository, tag))
        if self._digest_here(tag) == found.digest:
            self._run.now = replace(self._run.now, same=self._run.now.same + 1)
            return
        self._copy(found.digest, tag=tag)
        self._copy_attached(found.digest)
        self._run.now = replace(self._run.now, copied=self._run.now.copied + 1)
        self._run.say(f"{tag}: copied {found.digest}")

    def _copy(self, digest: Digest, *, tag: str = "", depth: int = 0) -> None:
        """Copy a manifest after all that it names."""
        if depth > _DEPTH:
            raise Invalid(f"{digest} is an index of indexes of indexes")
        with self._upstream.asked():
            descriptor, raw = self._there.manifest(digest)
        facts = read_facts(raw, descriptor.media_type)
        for child in facts.children:
            if not self._is_here(child):
                self._copy(child, depth=depth + 1)
        self._copy_blobs(facts)
        self._mirroring.registry.push_manifest(
            self._caller, self._rule.target, tag or digest, raw, descriptor.media_type
        )

    def _copy_blobs(self, facts: Facts) -> None:
        document = parse_manifest(facts.raw, facts.media_type)
        if not isinstance(document, Manifest):
            return
        repository = self._ensure()
        wanted = frozenset(facts.blobs)
        for part in {each.digest: each for each in (document.config, *document.layers)}.values():
            if part.digest in wanted and not self._has_blob(part.digest):
                source = self._mirroring.source(
                    Wanted(repository, self._name, part), self._upstream, self._run.came
                )
                with suppress(AlreadyHere):
                    _fetch(source)

    def _copy_attached(self, digest: Digest) -> None:
        """Copy what is attached to a manifest (signatures, lists of parts), as far as that goes."""
        try:
            with self._upstream.asked():
                found = self._there.referrers(digest)
        except (NotFound, UpstreamFailed):  # many registries have no such list
            return
        for each in found:
            if not self._is_here(each.digest):
                self._copy(each.digest)

    def _remove_gone(self, tags: frozenset[str]) -> None:
        if not tags:
            self._run.say("it lists no tags at all: nothing is removed")
            return
        here = self._mirroring.registry.tag_names(
            self._caller, self._rule.target, last="", limit=_ALL
        )
        for tag in here:
            if tag not in tags and self._fits(tag):
                try:
                    self._mirroring.registry.delete_reference(self._caller, self._rule.target, tag)
                except LaminaError as error:
                    self._run.now = replace(self._run.now, failed=self._run.now.failed + 1)
                    self._run.say(f"{tag}: not removed: {error.message}")
                else:
                    self._run.now = replace(self._run.now, removed=self._run.now.removed + 1)
                    self._run.say(f"{tag}: removed, as it is there")

    def _ensure(self) -> Repository:
        now = self._mirroring.clock()
        return self._mirroring.database.write(
            lambda connection: repositories.ensure(connection, self._rule.target, now=now)
        )

    def _digest_here(self, tag: str) -> Digest | None:
        def work(connection: Connection) -> Digest | None:
            found = repositories.find(connection, self._rule.target)
            return manifests.named(connection, found.id, tag) if found else None

        return self._mirroring.database.read(work)

    def _is_here(self, digest: Digest) -> bool:
        def work(connection: Connection) -> bool:
            found = repositories.find(connection, self._rule.target)
            if found is None:
                return False
            try:
                manifests.get(connection, found.id, digest)
            except ManifestUnknown:
                return False
            return True

        return self._mirroring.database.read(work)

    def _has_blob(self, digest: Digest) -> bool:
        """Tell whether a blob is here; the sweep leaves it alone for a while, then."""
        try:
            self._mirroring.uploads.size(self._caller, self._rule.target, digest)
        except BlobUnknown:
            return False
        return True


def _fetch(source: BlobSource) -> None:
    try:
        source.open()
        while piece := source.read(_PIECE):
            source.keep(piece)
        source.finish()
    finally:
        source.close()
