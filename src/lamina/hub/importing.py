"""What docker-registry kept, brought into a hub: repositories, tags, manifests and verified blobs.

Each repository is brought manifest by manifest, children before their index, as a push would: nothing is
seen that is not whole. What is here already is not read again, so a repeat goes on where the last one ended.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lamina.errors import Invalid, LaminaError
from lamina.hub.access import Caller
from lamina.hub.bringing import Bringer
from lamina.hub.database import Connection, Database
from lamina.hub.distribution_folder import DistributionFolder
from lamina.hub.documents import Facts, read_facts
from lamina.hub.errors import ManifestUnknown
from lamina.hub.names import is_repository
from lamina.hub.outbox import Outbox
from lamina.hub.registry import Registry
from lamina.hub.rules import TagRules
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, manifests, repositories, settled
from lamina.hub.tables.repositories import Repository
from lamina.spec.digest import Digest

__all__ = ["Imported", "import_folder"]

_WORKERS = 4


@dataclass(slots=True)
class Imported:
    """What came in; `passed` is (what, why) of what did not."""

    repositories: int = 0
    manifests: int = 0
    tags: int = 0
    blobs: int = 0
    size: int = 0
    passed: list[tuple[str, str]] = field(default_factory=list)


def import_folder(
    database: Database,
    storage: Storage,
    folder: DistributionFolder,
    *,
    clock: Callable[[], float],
    account: str,
    namespace: str = "",
    may_link: bool = True,
    is_private: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Bring everything in `folder`, in the name of `account`; `tell` gets each repository's name.

    Names of one part (`debian`) come below `namespace`. Blobs are hard links where that can be and
    `may_link`; each is read and its digest compared. With `is_private` repositories that are new here
    are private, as behind a registry that wants a login for everything. Raises: Invalid (names of one part and no
    namespace, or what can be none), Unavailable, OSError.
    """
    if namespace and not is_repository(f"{namespace}/app"):
        raise Invalid(f"{namespace!r} can be no namespace", hint="write it as in NAMESPACE/app")
    names = {each: _named(each, namespace) for each in folder.repositories()}
    short = [each for each in names if "/" not in each]
    if short and not namespace:
        raise Invalid(
            f"{short[0]} has no namespace, and here every repository has one",
            hint="say where to put such: --namespace NAME makes it NAME/" + short[0],
        )
    rules = TagRules.parse(database.read(settled.immutable))
    registry = Registry(database, storage, clock=clock, rules=rules, outbox=Outbox(clock=clock))
    importer = _Importer(
        database,
        storage,
        folder,
        registry=registry,
        account=account,
        clock=clock,
        may_link=may_link,
        is_private=is_private,
    )
    for theirs, ours in names.items():
        tell(ours)
        if is_repository(ours):
            importer.bring(theirs, ours)
        else:
            importer.done.passed.append((theirs, "its name cannot be one here"))
    return importer.done


def _named(theirs: str, namespace: str) -> str:
    return theirs if "/" in theirs or not namespace else f"{namespace}/{theirs}"


class _Importer:
    """Brings repositories, one at a time."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        folder: DistributionFolder,
        *,
        registry: Registry,
        account: str,
        clock: Callable[[], float],
        may_link: bool,
        is_private: bool,
    ) -> None:
        self.done = Imported()
        self._database = database
        self._folder = folder
        self._registry = registry
        self._caller = Caller(account, is_admin=True)
        self._clock = clock
        self._bringer = Bringer(database, storage, clock=clock)
        self._may_link = may_link
        self._is_private = is_private

    def bring(self, theirs: str, ours: str) -> None:
        """Bring one repository; what cannot be is passed over and noted."""
        repository = self._database.write(lambda connection: self._repository(connection, ours))
        waiting = self._read(theirs, ours, repository.id)
        while waiting:  # children first, then what names them
            names = {each.digest for each in waiting}
            ready = [each for each in waiting if not names & set(each.children)]
            for facts in ready or waiting:
                self._bring_manifest(ours, repository.id, facts)
            waiting = [each for each in waiting if each not in ready] if ready else []
        self._bring_tags(theirs, ours, repository.id)
        self.done.repositories += 1

    def _repository(self, connection: Connection, ours: str) -> Repository:
        is_new = repositories.find(connection, ours) is None
        repository = repositories.ensure(connection, ours, now=self._clock())
        if is_new and self._is_private:
            repositories.set_private(connection, repository, is_private=True)
        return repository

    def _read(self, theirs: str, ours: str, repository_id: int) -> list[Facts]:
        """Give the manifests that are not here yet."""
        found = []
        for digest in self._folder.revisions(theirs):
            if self._has(repository_id, digest):
                continue
            try:
                facts = read_facts(self._folder.manifest(digest), "")
            except FileNotFoundError:
                self._pass(f"{ours}@{digest}", "its bytes are missing")
                continue
            except LaminaError as error:
                self._pass(f"{ours}@{digest}", error.message)
                continue
            found.append(facts)
            if facts.digest != digest and digest.algorithm == "sha256":
                found.pop()
                self._pass(f"{ours}@{digest}", "its bytes are damaged")
        return found

    def _has(self, repository_id: int, digest: Digest) -> bool:
        def work(connection: Connection) -> bool:
            try:
                manifests.get(connection, repository_id, digest)
            except ManifestUnknown:
                return False
            return True

        return self._database.read(work)

    def _bring_manifest(self, ours: str, repository_id: int, facts: Facts) -> None:
        def bring(digest: Digest) -> tuple[int, str]:
            return self._bring_blob(repository_id, digest)

        with ThreadPoolExecutor(_WORKERS, "hub-import") as pool:
            found = list(pool.map(bring, facts.blobs))
        troubles = [why for _, why in found if why]
        if troubles:
            self._pass(f"{ours}@{facts.digest}", troubles[0])
            return
        self.done.blobs += sum(size >= 0 for size, _ in found)
        self.done.size += sum(max(0, size) for size, _ in found)
        try:
            self._registry.push_manifest(
                self._caller, ours, str(facts.digest), facts.raw, facts.media_type
            )
        except LaminaError as error:
            self._pass(f"{ours}@{facts.digest}", error.message)
        else:
            self.done.manifests += 1

    def _bring_blob(self, repository_id: int, digest: Digest) -> tuple[int, str]:
        """Give the bytes brought (-1: it was here) and what is wrong with the blob, if anything."""
        if self._is_linked(repository_id, digest) or self._bringer.link(repository_id, digest):
            return -1, ""
        path = self._folder.blob(digest)
        try:
            size = self._bringer.bring(repository_id, digest, path, may_link=self._may_link)
        except FileNotFoundError:
            return 0, f"blob {digest} is missing"
        except LaminaError as error:
            return 0, f"blob {digest}: {error.message}"
        return size, ""

    def _is_linked(self, repository_id: int, digest: Digest) -> bool:
        return self._database.read(
            lambda connection: blobs.find(connection, repository_id, digest) is not None
        )

    def _bring_tags(self, theirs: str, ours: str, repository_id: int) -> None:
        for tag in self._folder.tags(theirs):
            try:
                self._bring_tag(ours, repository_id, tag.name, tag.digest, tag.pushed_at)
            except LaminaError as error:
                self._pass(f"{ours}:{tag.name}", error.message)

    def _bring_tag(
        self, ours: str, repository_id: int, tag: str, digest: Digest, pushed_at: float
    ) -> None:
        def look(connection: Connection) -> tuple[bytes, str, Iterable[str]]:
            found = manifests.get(connection, repository_id, digest)
            return found.raw, found.media_type, manifests.tags_of(connection, found.id)

        raw, media_type, tags = self._database.read(look)
        if tag in tags:
            return
        self._registry.push_manifest(self._caller, ours, tag, raw, media_type)
        self._database.write(
            lambda connection: manifests.set_pushed(connection, repository_id, tag, at=pushed_at)
        )
        self.done.tags += 1

    def _pass(self, what: str, why: str) -> None:
        self.done.passed.append((what, why))
