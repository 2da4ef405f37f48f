"""The store: this machine's blobs and names, an OCI image layout that other tools read as it is."""

from contextlib import AbstractContextManager, contextmanager
from functools import cached_property

from lamina.store.blobs import BlobStore
from lamina.store.disk import Disk, fill_reserve, make
from lamina.store.leases import Leases
from lamina.store.names import Names
from lamina.stream.files import unlimited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lamina.spec.digest import Digest
    from lamina.store.garbage import Collected, Reach

__all__ = ["Store", "Sweep"]


class Store:
    """Blobs and names under one root folder; safe for many threads and processes at once.

    `spend(size)` is called before so many bytes of a blob are written, and may refuse.
    """

    def __init__(self, disk: Disk, spend: "Callable[[int], None]" = unlimited) -> None:
        self.disk = disk
        self._leases = Leases(disk)
        self.blobs = BlobStore(disk, self._leases.pin, spend)
        self.names = Names(disk, self.blobs.has, self._leases.settled)

    @classmethod
    def open(cls, root: str, spend: "Callable[[int], None]" = unlimited) -> "Store":
        """Open the store under `root`, making it when absent.

        Raises: Denied (not ours to write), DiskFull, RootInvalid (not a layout we know).
        """
        return cls(make(root), spend)

    @property
    def root(self) -> str:
        """The folder, absolute."""
        return self.disk.root

    @property
    def unpinned(self) -> BlobStore:
        """The blobs for whoever only looks: no lease takes note of what is looked for."""
        return BlobStore(self.disk)

    def lease(self) -> AbstractContextManager[None]:
        """Keep whatever this object is asked for during the body, also by other threads.

        Every digest looked for with `blobs.has`, opened, read, stored or pinned, of a blob or a layer,
        stays until the body ends, named or not, whatever other processes remove meanwhile. A killed process holds nothing.
        """
        return self._leases.hold()

    def pin(self, digest: "Digest") -> None:
        """Keep a blob or a layer until the running lease of this object ends; nothing without one."""
        self._leases.pin(digest)

    def collect(self, roots: "Iterable[Digest]" = ()) -> "Collected":
        """Remove every blob that no name, no running lease and none of `roots` reaches.

        Safe at any time. Raises: ManifestDamaged (a manifest in use cannot be read).
        """
        with self.sweep(roots) as sweep:
            return sweep.blobs()

    @contextmanager
    def sweep(self, roots: "Iterable[Digest]" = ()) -> "Iterator[Sweep]":
        """Hold everyone still and tell what must stay, for removing more than blobs.

        `roots` is read while everyone is held still: a generator that looks for containers then
        misses none. In the body nothing may be leased, named or looked for with `blobs.has`: it
        would wait for itself. Keep it short. Raises: ManifestDamaged.
        """
        from lamina.store.garbage import Reach, reach

        with self._leases.alone() as held:
            named = [row.target.digest for row in self.names.all()]
            reached = reach(self.unpinned, [*named, *roots, *held.digests])
            live = Reach(reached.blobs, reached.diff_ids | held.digests)
            sweep = Sweep(self.disk, live, held.since_ns)
            if held.everything:
                sweep.spare(self.unpinned)
            yield sweep


class Sweep:
    """What a collection may and may not remove. Lives for the body of `Store.sweep`.

    Layers newer than `since_ns` (epoch nanoseconds; None: no lease runs) may be in the making of
    somebody else's hands and stay, too.
    """

    def __init__(self, disk: Disk, live: "Reach", since_ns: int | None) -> None:
        self.live = live
        self.since_ns = since_ns
        self._disk = disk
        self._store = BlobStore(disk)
        self._spared: frozenset[Digest] = frozenset()

    def spare(self, blobs: "Iterable[Digest]") -> None:
        """Keep these blobs for now, though nothing needs them. To be called before `garbage`."""
        self._spared |= frozenset(blobs)

    @cached_property
    def garbage(self) -> "tuple[tuple[Digest, int], ...]":
        """Every blob that may go, with its size, smallest first."""
        stay = self.live.blobs | self._spared
        rows = [(row, self._store.size(row)) for row in self._store if row not in stay]
        return tuple(sorted(rows, key=lambda row: row[1]))

    def blobs(self) -> "Collected":
        """Remove the garbage; manifests go before the layers they refer to."""
        from lamina.store.garbage import Collected

        gone = [(digest, self._store.delete(digest)) for digest, _ in self.garbage]
        fill_reserve(self._disk)
        return Collected(len(gone), sum(size for _, size in gone), tuple(row for row, _ in gone))
