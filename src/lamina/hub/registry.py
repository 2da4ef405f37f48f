"""Use cases of manifests, tags and lists, each in one transaction. Every call may block."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from lamina.hub.access import Caller
from lamina.hub.admission import admit, allowed
from lamina.hub.database import Connection, Database
from lamina.hub.documents import CONFIG_LIMIT, Facts, read_facts, with_config
from lamina.hub.errors import (
    BlobUnknown,
    DigestDisagrees,
    ManifestUnknown,
    NameUnknown,
    TagImmutable,
    TagInvalid,
)
from lamina.hub.names import check_repository, check_tag
from lamina.hub.outbox import NOBODY, Asked, Deed, Outbox
from lamina.hub.rules import TagRules
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, manifests, repositories, retention
from lamina.hub.tables.manifests import StoredManifest
from lamina.hub.tables.repositories import Repository
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest

__all__ = ["Registry", "check_reference", "visible"]

_ALL = 1 << 40
_NOTED_S = 3600.0


def visible(connection: Connection, caller: Caller, name: str, action: str = "pull") -> Repository:
    """Give the repository if it is there and `caller` may `action` it.

    Raises: RepositoryNameInvalid, LoginRequired, NameUnknown, PushDenied.
    """
    repository = repositories.find(connection, check_repository(name))
    admit(connection, caller, name, repository, action)
    if repository is None:
        raise NameUnknown(f"repository {name} is not known here")
    return repository


def check_reference(reference: str) -> str:
    """Give a tag or digest back. Raises: DigestInvalid, TagInvalid."""
    return Digest.parse(reference) if ":" in reference else check_tag(reference)


def _find_reference(reference: str) -> str:
    """Give a tag or digest back that may be here. Raises: DigestInvalid, ManifestUnknown."""
    try:
        return check_reference(reference)
    except TagInvalid as error:  # nobody can have pushed it: it is missing, not wrong
        raise ManifestUnknown(f"manifest {reference!r} is not in this repository") from error


class Registry:
    """What `/v2/` does with manifests and names."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        clock: Callable[[], float],
        rules: TagRules,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._rules = rules
        self._outbox = outbox
        self._storage = storage
        self._clock = clock
        self._pulls: Counter[int] = Counter()
        self._asked: set[int] = set()
        self._noted: dict[int, float] = {}
        self._guard = threading.Lock()
        self._flushing = threading.Lock()

    def grants(
        self, caller: Caller, wanted: "list[tuple[str, frozenset[str]]]"
    ) -> dict[str, frozenset[str]]:
        """Give what of `wanted` a token for `caller` may allow."""

        def work(connection: Connection) -> dict[str, frozenset[str]]:
            found: dict[str, frozenset[str]] = {}
            for name, actions in wanted:
                may = allowed(connection, caller, name, repositories.find(connection, name))
                asked = may if "*" in actions else may & actions
                found[name] = found.get(name, frozenset()) | asked
            return found

        return self._database.read(work)

    def manifest(
        self,
        caller: Caller,
        name: str,
        reference: str,
        *,
        is_pull: bool,
        asked: Asked = NOBODY,
    ) -> StoredManifest:
        """Give a manifest by tag or digest; `is_pull` counts it, an index not: its child comes too.

        Raises: what `visible` does, ManifestUnknown.
        """

        def work(connection: Connection) -> StoredManifest:
            repository = visible(connection, caller, name)
            return manifests.get(connection, repository.id, _find_reference(reference))

        found = self._database.read(work)
        if is_pull:
            self.note_pull(caller, name, reference, found, asked=asked)
        else:
            self.note_asked(found.id)
        return found

    def note_asked(self, manifest_id: int) -> None:
        """Note that a manifest was asked for; it is written down with the next `flush_pulls`."""
        with self._guard:
            self._asked.add(manifest_id)

    def note_pull(
        self,
        caller: Caller,
        name: str,
        reference: str,
        manifest: StoredManifest,
        *,
        asked: Asked = NOBODY,
    ) -> None:
        """Count a pull of `manifest`; it is written down with the next `flush_pulls`."""
        self.note_asked(manifest.id)
        if manifest.media_type in MediaType.INDEXES:
            return
        with self._guard:
            self._pulls[manifest.repository_id] += 1
        if self._outbox.wants_pulls(name):
            tag = "" if ":" in reference else reference
            self._outbox.pulled(_deed("pull", name, caller, manifest, tag=tag), asked)

    def flush_pulls(self) -> None:
        """Write down the pulls counted since the last time, and what was asked for, to the hour.

        On return they are written down, whoever did it: two at once come one after another.
        """
        with self._flushing:
            self._flush_pulls()

    def _flush_pulls(self) -> None:
        now = self._clock()
        with self._guard:
            counts, self._pulls = self._pulls, Counter()
            asked, self._asked = self._asked, set()
        self._noted = {each: at for each, at in self._noted.items() if at > now - _NOTED_S}
        fresh = sorted(asked - self._noted.keys())
        if not counts and not fresh:
            return

        def work(connection: Connection) -> None:
            repositories.count_pulls(connection, counts, now=now)
            retention.note_pulls(connection, fresh, now=now)

        try:
            self._database.write(work, alone=False)
        except BaseException:
            with self._guard:
                self._pulls.update(counts)
                self._asked |= asked
            raise
        self._noted.update(dict.fromkeys(fresh, now))

    def check_push(self, caller: Caller, name: str) -> None:
        """Let a pusher pass before their bytes are read. Raises: what `visible` does."""
        check_repository(name)
        self._database.read(
            lambda connection: admit(
                connection, caller, name, repositories.find(connection, name), "push"
            )
        )

    def push_manifest(
        self,
        caller: Caller,
        name: str,
        reference: str,
        raw: bytes,
        media_type: str,
        *,
        asked: Asked = NOBODY,
    ) -> Facts:
        """Keep a manifest as sent and move its tag, in one transaction.

        Raises: what `visible` does, ManifestInvalid, ManifestBlobUnknown, DigestDisagrees,
        TagImmutable.
        """
        self.check_push(caller, name)
        check_reference(reference)
        facts = read_facts(raw, media_type)
        if ":" in reference:
            facts = _named(facts, Digest.parse(reference))
        if facts.config is not None and facts.config.media_type in MediaType.CONFIGS:
            facts = self._with_config(facts)
        now = self._clock()

        def work(connection: Connection) -> None:
            repository = repositories.ensure(connection, name, now=now)
            row = manifests.put(connection, repository.id, facts, account=caller.name, now=now)
            tag = "" if ":" in reference else reference
            deed = Deed(
                "push", name, caller.name, facts.digest, facts.media_type, len(raw), tag=tag
            )
            if tag:
                there = self._check_move(connection, repository, tag, facts.digest)
                manifests.put_tag(connection, repository.id, tag, row, account=caller.name, now=now)
                if there is not None and there != facts.digest:
                    moved = replace(deed, event="move", previous=there)
                    self._outbox.tell(connection, moved, asked)
            self._outbox.tell(connection, deed, asked)

        self._database.write(work)
        self._outbox.stir()
        return facts

    def _with_config(self, facts: Facts) -> Facts:
        assert facts.config is not None  # noqa: S101 - asked by the caller
        if facts.config.size > CONFIG_LIMIT:
            return facts
        try:
            return with_config(facts, self.config(facts.config.digest))
        except BlobUnknown:
            return facts  # the transaction will say so, for this repository

    def config(self, digest: Digest) -> bytes:
        """Give a configuration's bytes, whoever asks, up to `CONFIG_LIMIT`. Raises: BlobUnknown."""
        place = self._database.read(lambda connection: blobs.place(connection, digest))
        if place is None:
            raise BlobUnknown(f"blob {digest} is not here")
        with self._storage.open(digest, place) as file:
            return file.read(CONFIG_LIMIT)

    def delete_reference(
        self, caller: Caller, name: str, reference: str, *, asked: Asked = NOBODY
    ) -> None:
        """Delete one tag, or a manifest with all its tags.

        Raises: what `visible` does, ManifestUnknown, ContentReferenced, TagImmutable.
        """
        now = self._clock()

        def work(connection: Connection) -> None:
            repository = visible(connection, caller, name, "delete")
            found = manifests.get(connection, repository.id, _find_reference(reference))
            by_digest = ":" in reference
            names = manifests.tags_of(connection, found.id) if by_digest else (reference,)
            self._check_removal(repository, names)
            if by_digest:
                manifests.remove(connection, repository.id, Digest(reference), now=now)
            else:
                manifests.remove_tag(connection, repository.id, reference, now=now)
            tag = "" if by_digest else reference
            deed = _deed("delete", name, caller, found, tag=tag)
            self._outbox.tell(connection, replace(deed, tags=names if by_digest else ()), asked)

        self._database.write(work)
        self._outbox.stir()

    def remove_repository(self, caller: Caller, name: str, *, asked: Asked = NOBODY) -> None:
        """Delete a repository with all that is in it. Raises: what `visible` does, TagImmutable."""
        now = self._clock()

        def work(connection: Connection) -> None:
            visible(connection, caller, name)  # first: a stranger learns of no private one
            repository = visible(connection, caller, name, "delete")
            if self._rules.for_repository(name):
                names = manifests.tag_names(connection, repository.id, last="", limit=_ALL)
                self._check_removal(repository, names)
            repositories.remove(connection, repository, now=now)
            self._outbox.tell(connection, Deed("delete", name, caller.name), asked)

        self._database.write(work)

    def _check_move(
        self, connection: Connection, repository: Repository, tag: str, digest: Digest
    ) -> Digest | None:
        """Let a tag be made, or be pushed again as it is; give what it named. Raises: TagImmutable."""
        there = manifests.named(connection, repository.id, tag)
        if there not in (None, digest) and self._rules.holds(repository.name, tag):
            raise TagImmutable(
                f"tag {tag} of {repository.name} is immutable and names {there}",
                hint="push under another tag",
            )
        return there

    def _check_removal(self, repository: Repository, tags: tuple[str, ...]) -> None:
        for tag in tags:
            if self._rules.holds(repository.name, tag):
                raise TagImmutable(
                    f"tag {tag} of {repository.name} is immutable and cannot be deleted",
                    hint="who runs the hub can change its rules",
                )

    def tag_names(self, caller: Caller, name: str, *, last: str, limit: int) -> tuple[str, ...]:
        """Give tags after `last` in byte order. Raises: what `visible` does."""
        return self._database.read(
            lambda connection: manifests.tag_names(
                connection, visible(connection, caller, name).id, last=last, limit=limit
            )
        )

    def catalog(self, caller: Caller, *, last: str, limit: int) -> tuple[str, ...]:
        """Give the repositories after `last` that `caller` may see."""
        reader = caller.as_reader
        return self._database.read(
            lambda connection: repositories.catalog(
                connection, reader=reader, last=last, limit=limit
            )
        )

    def referrers(
        self,
        caller: Caller,
        name: str,
        subject: Digest,
        *,
        artifact_type: str,
        last: str,
        limit: int,
    ) -> tuple[tuple[StoredManifest, ...], bool]:
        """Give what is attached to `subject`, by digest, and whether there is more.

        Nothing is attached in a repository that is not there: clients take a 404 for a registry
        without this list. Raises: RepositoryNameInvalid, LoginRequired.
        """

        def work(connection: Connection) -> tuple[tuple[StoredManifest, ...], bool]:
            try:
                repository = visible(connection, caller, name)
            except NameUnknown:
                return (), False
            return manifests.referrers(
                connection,
                repository.id,
                subject,
                artifact_type=artifact_type,
                last=last,
                limit=limit,
            )

        return self._database.read(work)

    def delete_blob(self, caller: Caller, name: str, digest: Digest) -> None:
        """Take a blob from a repository. Raises: as `visible`, BlobUnknown, ContentReferenced."""
        now = self._clock()
        self._database.write(
            lambda connection: blobs.unlink(
                connection, visible(connection, caller, name, "delete").id, digest, now=now
            )
        )


def _deed(event: str, name: str, caller: Caller, found: StoredManifest, *, tag: str) -> Deed:
    """Give what `caller` did to a manifest that is here."""
    return Deed(event, name, caller.name, found.digest, found.media_type, len(found.raw), tag=tag)


def _named(facts: Facts, digest: Digest) -> Facts:
    """Give `facts` under the digest it was pushed by. Raises: DigestDisagrees."""
    import hashlib

    found = hashlib.new(digest.algorithm, facts.raw).hexdigest()
    if found != digest.hex:
        raise DigestDisagrees(f"the manifest sent is {digest.algorithm}:{found}, not {digest}")
    return replace(facts, digest=digest)
