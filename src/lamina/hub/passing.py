"""Passing on what another registry has: the use cases behind requests to a cache. Calls block.

A tag is believed for a while, then compared by HEAD, and what is here goes on to be given when its
registry does not answer. Manifests are kept as they are, before their blobs; a blob is fetched only
where a manifest that came this way names it, so nobody can have the hub fetch anything else.
"""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from lamina.errors import Invalid, LaminaError, NotFound
from lamina.hub.access import Caller
from lamina.hub.admission import admit
from lamina.hub.blob_source import BlobSource, Wanted
from lamina.hub.database import Connection, Database
from lamina.hub.documents import Facts, read_facts
from lamina.hub.errors import (
    BlobUnknown,
    ManifestUnknown,
    NameUnknown,
    UpstreamFailed,
)
from lamina.hub.metrics import family
from lamina.hub.names import check_repository
from lamina.hub.registry import check_reference
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, caches, manifests, repositories, turns
from lamina.hub.tables.caches import Cache, Held
from lamina.hub.tables.repositories import Repository
from lamina.hub.uploads import Uploads
from lamina.remote.errors import AccessDenied, LoginRequired
from lamina.spec.descriptor import Descriptor
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.reference import Reference

if TYPE_CHECKING:
    from lamina.hub.caches import Caches
    from lamina.hub.upstream import Upstream

__all__ = ["Outcome", "Passing"]

_USED_EVERY_S = 3600.0
_EVICT_EVERY_S = 3600.0
_BATCH = 200
_USES_KEPT = 100_000
_ATTACHED = "attached to "  # no tag has blanks
_MOST_ATTACHED = 100


class Outcome(Enum):
    """How a request to a cache was met."""

    HIT = "hit"
    REVALIDATED = "revalidated"
    MISS = "miss"
    STALE = "stale"


class Passing:
    """What requests to caches do before they are answered as all others are."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        caches_: "Caches",
        uploads: Uploads,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._storage = storage
        self._caches = caches_
        self._uploads = uploads
        self._clock = clock
        self._guard = threading.Lock()
        self._flushing = threading.Lock()
        self._uses: dict[int, float] = {}
        self._written: dict[int, float] = {}
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        """How requests for manifests were met, by namespace."""
        self.fetched: Counter[str] = Counter()
        """Bytes of blobs that came, by namespace."""
        self.failures: Counter[str] = Counter()
        """Questions that a registry did not answer well, by namespace."""

    # manifests

    def look(self, caller: Caller, cache: Cache, name: str, reference: str) -> bool:
        """Let whoever may pull pass; tell whether a manifest is here and is to be believed.

        Raises: NameUnknown, LoginRequired.
        """
        check_repository(name)
        check_reference(reference)
        now = self._clock()

        def work(connection: Connection) -> int | None:
            found = repositories.find(connection, name)
            admit(connection, caller, name, found or _to_be(cache, name), "pull")
            if found is None:
                return None
            if ":" in reference:
                return _row_of(connection, found, Digest(reference))
            held = caches.find_held(connection, found.id, reference)
            is_fresh = held is not None and now - held.checked_at < cache.fresh_s
            return held.manifest_id if held is not None and is_fresh else None

        row = self._database.read(work)
        if row is None:
            return False
        self._use(row)
        self._count(cache, Outcome.HIT)
        return True

    def bring(self, cache: Cache, name: str, reference: str) -> Outcome:
        """See to it that a manifest is here and, by tag, what its registry has now.

        Raises: NameUnknown, ManifestUnknown, UpstreamFailed, UpstreamLimited.
        """
        if ":" in reference:
            outcome = self._by_digest(cache, name, Digest(reference))
        else:
            outcome = self._by_tag(cache, name, reference)
        self._count(cache, outcome)
        return outcome

    def _by_digest(self, cache: Cache, name: str, digest: Digest) -> Outcome:
        upstream = self._caches.upstream(cache)
        with _Lacking(self, cache, digest), upstream.asked():
            descriptor, raw = upstream.repository(_below(cache, name)).manifest(digest)
        self._keep(cache, name, _facts(upstream, raw, descriptor), tag="")
        return Outcome.MISS

    def _by_tag(self, cache: Cache, name: str, tag: str) -> Outcome:
        def work(connection: Connection) -> tuple[Repository | None, Held | None]:
            found = repositories.find(connection, name)
            return found, caches.find_held(connection, found.id, tag) if found else None

        repository, held = self._database.read(work)
        try:
            return self._compare(cache, name, tag, known=held.digest if held else "")
        except ManifestUnknown:
            if held is not None and repository is not None:
                self._forget_tag(repository, tag)
            raise
        except LaminaError:
            if held is None:
                raise
            self._use(held.manifest_id)
            return Outcome.STALE

    def _compare(self, cache: Cache, name: str, tag: str, *, known: str) -> Outcome:
        upstream = self._caches.upstream(cache)
        with _Lacking(self, cache, tag), upstream.asked():
            there = upstream.repository(_below(cache, name))
            found = there.resolve(Reference(there.registry, there.repository, tag))
            if found.digest == known:
                self._note_checked(name, tag)
                return Outcome.REVALIDATED
            descriptor, raw = there.manifest(found.digest)
        self._keep(cache, name, _facts(upstream, raw, descriptor), tag=tag)
        return Outcome.MISS

    def _keep(self, cache: Cache, name: str, facts: Facts, *, tag: str) -> None:
        """Keep a manifest of a cache, whose blobs may come later, and what a tag names."""
        now = self._clock()

        def work(connection: Connection) -> int:
            repository = _ensure(connection, cache, name, now=now)
            row = manifests.put(
                connection, repository.id, facts, account=cache.namespace, now=now, may_lack=True
            )
            if tag:
                manifests.put_tag(
                    connection, repository.id, tag, row, account=cache.namespace, now=now
                )
                caches.note_checked(connection, repository.id, tag, now=now)
            return row

        self._use(self._database.write(work))

    def _note_checked(self, name: str, tag: str) -> None:
        now = self._clock()

        def work(connection: Connection) -> Held | None:
            repository = repositories.find(connection, name)
            if repository is None:
                return None
            caches.note_checked(connection, repository.id, tag, now=now)
            return caches.find_held(connection, repository.id, tag)

        held = self._database.write(work)
        if held is not None:
            self._use(held.manifest_id)

    def _forget_tag(self, repository: Repository, tag: str) -> None:
        now = self._clock()

        def work(connection: Connection) -> None:
            with suppress(ManifestUnknown):
                manifests.remove_tag(connection, repository.id, tag, now=now)

        self._database.write(work)

    # what is attached

    def look_for_attached(self, caller: Caller, cache: Cache, name: str, subject: Digest) -> bool:
        """Tell whether the list of what is attached to a manifest is to be believed.

        Of what is not here it is: nothing. Raises: NameUnknown, LoginRequired.
        """
        check_repository(name)

        def work(connection: Connection) -> bool:
            found = repositories.find(connection, name)
            admit(connection, caller, name, found or _to_be(cache, name), "pull")
            if found is None:
                return True
            since = caches.checked_at(connection, found.id, f"{_ATTACHED}{subject}")
            return self._clock() - since < cache.fresh_s

        return self._database.read(work)

    def bring_attached(self, cache: Cache, name: str, subject: Digest) -> None:
        """Bring what is attached to a manifest (signatures, lists of parts) where it lists that.

        Raises: UpstreamFailed, UpstreamLimited, NotFound.
        """
        upstream = self._caches.upstream(cache)
        with upstream.asked():
            there = upstream.repository(_below(cache, name))
            found = there.referrers(subject)[:_MOST_ATTACHED]
        for each in found:
            if not self._is_here(name, each.digest):
                self._by_digest(cache, name, each.digest)
        self._note_checked(name, f"{_ATTACHED}{subject}")

    def _is_here(self, name: str, digest: Digest) -> bool:
        def work(connection: Connection) -> bool:
            found = repositories.find(connection, name)
            return found is not None and _row_of(connection, found, digest) is not None

        return self._database.read(work)

    # blobs

    def wanted(self, caller: Caller, cache: Cache, name: str, digest: Digest) -> Wanted | None:
        """Give a blob that is to be fetched; None: it is here.

        Raises: NameUnknown, LoginRequired, BlobUnknown (no manifest that came this way names it).
        """
        check_repository(name)

        def look(connection: Connection) -> tuple[Repository, bytes | None]:
            found = repositories.find(connection, name)
            admit(connection, caller, name, found or _to_be(cache, name), "pull")
            if found is None:
                raise BlobUnknown(f"blob {digest} is not in {name}")
            if blobs.find(connection, found.id, digest) is not None:
                return found, None
            raw = caches.named_by(connection, found.id, digest)
            if raw is None:
                raise BlobUnknown(f"blob {digest} is not in {name}")
            return found, raw

        repository, raw = self._database.read(look)
        if raw is None:
            return None
        now = self._clock()
        if self._database.write(
            lambda connection: caches.link_within(
                connection, repository.id, digest, namespace=cache.namespace, now=now
            )
        ):
            return None
        return Wanted(repository, _below(cache, name), _described(raw, digest))

    def source(self, cache: Cache, wanted: Wanted) -> BlobSource:
        """Give what fetches a blob."""
        return BlobSource(
            wanted,
            self._caches.upstream(cache),
            database=self._database,
            storage=self._storage,
            uploads=self._uploads,
            came=lambda size: self._count_fetched(cache, size),
        )

    # what the caches hold on to

    def _use(self, manifest_id: int) -> None:
        """Note that a manifest was pulled; once an hour is enough."""
        now = self._clock()
        with self._guard:
            if now - self._written.get(manifest_id, 0.0) >= _USED_EVERY_S:
                self._uses[manifest_id] = now
                self._written[manifest_id] = now
            if len(self._written) > _USES_KEPT:
                self._written.clear()

    def flush_uses(self) -> None:
        """Write down what was pulled since the last time; on return it is, whoever wrote it."""
        with self._flushing:
            with self._guard:
                uses, self._uses = self._uses, {}
            try:
                if uses:
                    self._database.write(
                        lambda connection: caches.note_uses(connection, uses), alone=False
                    )
            except BaseException:
                with self._guard:
                    self._uses = {**uses, **self._uses}
                raise

    def evict_in_turn(self) -> int:
        """Drop what nobody pulled for as long as its cache says; give how many manifests went.

        Once an hour, by one process of the hub. Blobs go with the sweep after.
        """
        now = self._clock()
        is_ours = self._database.write(
            lambda connection: turns.take_turn(
                connection, "evict", now=now, until=now + 0.9 * _EVICT_EVERY_S
            )
        )
        return self.evict() if is_ours else 0

    def evict(self) -> int:
        """Drop what nobody pulled for as long as its cache says; give how many manifests went."""
        now, gone = self._clock(), 0
        for cache in self._database.read(caches.rows):
            while found := self._database.write(partial(_evict, cache=cache, now=now)):
                gone += found
        return gone

    def families(self) -> str:
        """Give what Prometheus reads of the caches; empty where there are none."""
        with self._guard:
            outcomes, fetched, failures = (
                self.outcomes.copy(), self.fetched.copy(), self.failures.copy()
            )  # fmt: skip
        limits = self._caches.limits()
        if not (outcomes or fetched or failures or limits):
            return ""
        rows = (
            ("manifests_total", "counter", "Requests for manifests of caches",
             [({"namespace": name, "outcome": outcome.value}, count)
              for (name, outcome), count in sorted(outcomes.items(), key=str)]),
            ("fetched_bytes_total", "counter", "Bytes of blobs that came from other registries",
             [({"namespace": name}, count) for name, count in sorted(fetched.items())]),
            ("failures_total", "counter", "Questions that a registry did not answer well",
             [({"namespace": name}, count) for name, count in sorted(failures.items())]),
            ("rate_limit", "gauge", "What a registry last said of its rate limit",
             [({"namespace": name}, limit) for name, (limit, _) in limits.items() if limit is not None]),
            ("rate_remaining", "gauge", "What a registry last said is left of its rate limit",
             [({"namespace": name}, left) for name, (_, left) in limits.items() if left is not None]),
        )  # fmt: skip
        return "".join(
            family(
                f"lamina_hub_cache_{name}",
                kind,
                text,
                [("", labels, each) for labels, each in found],
            )
            for name, kind, text, found in rows
        )

    def _count(self, cache: Cache, outcome: Outcome) -> None:
        with self._guard:
            self.outcomes[cache.namespace, outcome] += 1

    def count_failure(self, cache: Cache) -> None:
        """Count a question that a registry did not answer well."""
        with self._guard:
            self.failures[cache.namespace] += 1

    def _count_fetched(self, cache: Cache, size: int) -> None:
        """Count bytes that came from a registry."""
        with self._guard:
            self.fetched[cache.namespace] += size


class _Lacking:
    """Says in the hub's own words what a registry lacks. Raises: ManifestUnknown, NameUnknown, …."""

    def __init__(self, passing: Passing, cache: Cache, reference: str) -> None:
        self._passing = passing
        self._cache = cache
        self._reference = reference

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, NotFound):
            raise ManifestUnknown(
                f"manifest {self._reference!r} is not at {self._cache.upstream}"
            ) from error
        if isinstance(error, UpstreamFailed):
            self._passing.count_failure(self._cache)
            cause = error.__cause__
            if isinstance(cause, LoginRequired) or (
                isinstance(cause, AccessDenied) and not self._cache.username
            ):
                # registries say so of what is not there, to those who have no login
                raise NameUnknown(
                    f"{self._cache.upstream} has no such repository, or none for everyone"
                ) from error


def _below(cache: Cache, name: str) -> str:
    return name.removeprefix(f"{cache.namespace}/")


def _row_of(connection: Connection, repository: Repository, digest: Digest) -> int | None:
    try:
        return manifests.get(connection, repository.id, digest).id
    except ManifestUnknown:
        return None


def _to_be(cache: Cache, name: str) -> Repository:
    """Give a repository as it would be made, for asking who may pull it."""
    return Repository(0, name, cache.namespace, cache.is_private, "", "", 0, 0.0, 0.0)


def _ensure(connection: Connection, cache: Cache, name: str, *, now: float) -> Repository:
    found = repositories.find(connection, name)
    if found is None:
        found = repositories.ensure(connection, name, now=now)
        repositories.set_private(connection, found, is_private=cache.is_private)
    return found


def _facts(upstream: "Upstream", raw: bytes, descriptor: Descriptor) -> Facts:
    try:
        return read_facts(raw, descriptor.media_type)
    except Invalid as error:
        raise UpstreamFailed(f"{upstream.registry}: {error.message}") from error


def _described(raw: bytes, digest: Digest) -> Descriptor:
    document = parse_manifest(raw, "")
    assert not isinstance(document, Index)  # noqa: S101 - an index names no blobs
    return next(each for each in (document.config, *document.layers) if each.digest == digest)


def _evict(connection: Connection, *, cache: Cache, now: float) -> int:
    """Drop some of a cache's manifests that nobody pulled for long; give how many."""
    found = caches.unused(connection, cache.namespace, before=now - cache.keep_s, limit=_BATCH)
    for repository_id, digest in found:
        manifest = manifests.get(connection, repository_id, digest)
        for tag in manifests.tags_of(connection, manifest.id):
            manifests.remove_tag(connection, repository_id, tag, now=now)
        connection.execute("DELETE FROM cached_uses WHERE manifest_id = ?", (manifest.id,))
        manifests.doom(connection, repository_id, manifest.digest, now=now)
    return len(found)
