"""The sealed layers of this machine, and the directories some drivers unpack them into.

A layer is found by the diff IDs of the pile it tops. Where its index takes nothing from the layers
below, it lies once under its diff ID; where it does, once per pile:

    layers/<algorithm>/<diff-id>      layers/chain/<diff-id>/<chain-id>

A whole pile merged into one layer (see `merging`) lies under the diff ID of its last, and so goes
when that does:

    layers/merged/<diff-id>/merged-<chain-id>
"""

import os
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from lamina.errors import Invalid, NotFound
from lamina.snapshot import unsynced
from lamina.snapshot.workplace import Claim, Workplace
from lamina.spec.digest import Digest, chain_id
from lamina.stream.files import (
    DiskFull,
    allow_open_files,
    disk_errors,
    publish,
    remove_tree,
    sync_directory,
)
from lamina.stream.verify import DigestMismatch, Hasher
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.entry import Entry
    from lamina.layer.seal import Sealer, SealResult
    from lamina.layer.sealed import SealedLayer

__all__ = ["Freed", "LayerUnknown", "LayerWriter", "Layers"]

_ALGORITHMS = {64: "sha256", 128: "sha512"}
_MERGED = "merged-"


class LayerUnknown(NotFound):
    """No sealed layer is here for this pile."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What a sweep removed: sealed layers, and their bytes."""

    count: int
    size: int


class Layers:
    """The sealed layers under one root folder; safe for many threads and processes at once.

    A pile is a sequence of diff IDs, lowest first; a method that takes one is about its last.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._layers = f"{self.root}/layers"
        self._unpacked = f"{self.root}/snapshots/unpacked"
        self._new = Workplace(f"{self._layers}/new")
        self.directories = Workplace(f"{self.root}/snapshots/new")

    def has(self, diff_ids: Sequence[Digest]) -> bool:
        """Tell whether the pile's last layer is sealed here."""
        return self._find(diff_ids) is not None

    def path(self, diff_ids: Sequence[Digest]) -> str:
        """Give the sealed file of the pile's last layer. Raises: LayerUnknown."""
        found = self._find(diff_ids)
        if found is None:
            raise LayerUnknown(f"layer {diff_ids[-1]} is not here", hint="pull its image again")
        return found

    def open(self, diff_ids: Sequence[Digest]) -> "SealedLayer":
        """Open the pile's last layer; the caller closes. Raises: LayerUnknown, Corrupt."""
        from lamina.layer.sealed import SealedLayer

        return SealedLayer.open(self.path(diff_ids))

    def pile(self, diff_ids: Sequence[Digest]) -> "list[SealedLayer]":
        """Open every layer of the pile, lowest first; the caller closes each.

        Raises: LayerUnknown, Corrupt; then none is left open.
        """
        allow_open_files(len(diff_ids))
        piles = [diff_ids[: i + 1] for i in range(len(diff_ids))]
        with ExitStack() as stack:
            opened = [stack.enter_context(self.open(pile)) for pile in piles]
            stack.pop_all()
        return opened

    @contextmanager
    def opened(self, diff_ids: Sequence[Digest]) -> "Iterator[list[SealedLayer]]":
        """Open every layer of the pile, lowest first, for the body. Raises: as `pile`."""
        with ExitStack() as stack:
            yield [stack.enter_context(layer) for layer in self.pile(diff_ids)]

    def showing(
        self, diff_ids: Sequence[Digest], is_opaque: Callable[[str], bool]
    ) -> list[tuple[Digest, ...]]:
        """Give the pile of each layer that can show anything, lowest first.

        `is_opaque` tells of a sealed file whether its root has an opaque whiteout: that hides all
        that lies below, and overlayfs ignores the mark in a root, so those layers have to stay out
        of the stack. Raises: LayerUnknown, Corrupt.
        """
        piles = [tuple(diff_ids[: i + 1]) for i in range(len(diff_ids))]
        for number in range(len(piles) - 1, 0, -1):
            if is_opaque(self.path(piles[number])):
                return piles[number:]
        return piles

    def merged(self, diff_ids: Sequence[Digest]) -> str:
        """Give the sealed file of the whole pile as one layer, making it where it is not there yet.

        Made once on the machine; takes as long as writing all that the pile shows.
        Raises: LayerUnknown, Corrupt, DiskFull.
        """
        path = self._merged_path(diff_ids)
        if not os.path.exists(path):
            with self._new.place(os.path.basename(path)) as place:
                if not os.path.exists(path):
                    self._merge(diff_ids, place)
                    _place(place, path)
        return path

    def merged_directory(self, diff_ids: Sequence[Digest], fill: Callable[[str, str], None]) -> str:
        """Give a directory with what the whole pile shows, made once by `fill(sealed, place)`.

        The sealed file that `fill` unpacks is gone afterwards, unless it was there before.
        """

        def unpack(place: str) -> None:
            path = self._merged_path(diff_ids)
            if os.path.exists(path):
                fill(path, place)
                return
            with self._new.place(os.path.basename(path)) as sealed:
                self._merge(diff_ids, sealed)
                fill(sealed, place)

        return self.directory(f"{_MERGED}{chain_id(diff_ids).hex[:32]}-{diff_ids[-1].hex}", unpack)

    def merged_files(self, diff_ids: Sequence[Digest]) -> list[str]:
        """List the sealed files of merged layers that serve as the lower part of the pile."""
        known = set(_names(f"{self._layers}/merged"))
        paths = [
            self._merged_path(diff_ids[: i + 1])
            for i, digest in enumerate(diff_ids)
            if digest.hex in known
        ]
        return [path for path in paths if os.path.exists(path)]

    def _merge(self, diff_ids: Sequence[Digest], place: str) -> None:
        from lamina.layer.view import Tree
        from lamina.snapshot.merging import seal_tree

        with disk_errors("merging layers"), self.opened(diff_ids) as layers:
            seal_tree(Tree.of(layers), place)
            _sync_file(place)

    def size(self, diff_ids: Sequence[Digest]) -> int:
        """Give the bytes of the sealed file. Raises: LayerUnknown."""
        return os.stat(self.path(diff_ids)).st_size

    def __iter__(self) -> Iterator[Digest]:
        """Give the diff ID of every layer, each once, in no order."""
        return iter({digest for digest, _ in self.files()})

    def writer(
        self,
        diff_ids: Sequence[Digest],
        *,
        parents_ready: Callable[[], None] | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> "LayerWriter":
        """Seal the pile's last layer, whose diff ID is known: what comes in is checked against it.

        One writer per layer exists on the machine; others wait here, `waiting` being called
        meanwhile, and may find it `sealed` then. `parents_ready` is called before the layers below
        are opened, which only some layers need: it waits for them.
        """
        claim = self._new.claim(diff_ids[-1].hex, waiting=waiting)
        return LayerWriter(self, claim, diff_ids[:-1], diff_ids[-1], parents_ready)

    def writer_new(self, parents: Sequence[Digest]) -> "LayerWriter":
        """Seal a layer that is being made, on top of `parents`: its diff ID is known at the end."""
        return LayerWriter(self, self._new.claim(), parents, None, None)

    def writer_again(self, diff_ids: Sequence[Digest]) -> "LayerWriter":
        """Seal the pile's last layer once more, in the place of a file that is damaged.

        Containers that have the damaged file mounted keep it until they end.
        """
        claim = self._new.claim(diff_ids[-1].hex)
        return LayerWriter(self, claim, diff_ids[:-1], diff_ids[-1], None, again=True)

    def accept(
        self,
        temporary: str,
        diff_ids: Sequence[Digest],
        *,
        needs_parents: bool,
        again: bool = False,
    ) -> None:
        """Give a finished sealed file its place; for LayerWriter."""
        path = self._chain_path(diff_ids) if needs_parents else self._own_path(diff_ids)
        if again or not os.path.exists(path):  # it may be mounted: keep one page cache for all
            _place(temporary, path)

    def directory(self, name: str, fill: Callable[[str], None]) -> str:
        """Give the directory `snapshots/unpacked/<name>`, filled by `fill(path)` if not there yet.

        Filled once on the machine, beside, and renamed when whole. It is not synced, and filled
        again should the machine stop before the disk has it (see `unsynced`).
        """
        path = f"{self._unpacked}/{name}"
        if os.path.isdir(path) and not unsynced.is_doubtful(path):
            return path
        with self.directories.place(name) as place:
            doubtful = unsynced.is_doubtful(path)
            if os.path.isdir(path) and not doubtful:
                return path
            with disk_errors("unpacking a layer"):
                self.discard_directory(path)
                marked = not doubtful and unsynced.mark(path)
                try:
                    os.mkdir(place, 0o700)
                    fill(place)
                    if not marked:  # once is enough to learn that this machine loses power
                        unsynced.sync_tree(place)
                    os.rename(place, path)
                finally:
                    if not marked or not os.path.isdir(path):
                        sync_directory(self._unpacked)
                        unsynced.clear(path)
        return path

    def remove(self, diff_id: Digest) -> int:
        """Remove every form of one layer; give the bytes of its sealed files. Absent is fine."""
        freed = 0
        for digest, path in list(self._all_files()):
            if digest == diff_id:
                freed += self._unlink(path)
        for kind in ("chain", "merged"):
            with suppress(OSError):  # there was none, or another process is putting one in
                os.rmdir(f"{self._layers}/{kind}/{diff_id.hex}")
        return freed

    def sweep(
        self, live: Container[Digest], since_ns: int | None = None, kept: Container[Digest] = ()
    ) -> Freed:
        """Remove every layer whose diff ID is not in `live`, and what killed processes left.

        Layers finished after `since_ns`, when the oldest lease began, stay: they may get a name yet.
        Of those in `kept` the sealed file stays. To be called in the body of `Store.sweep`.
        """
        files = list(self._all_files())
        stay = [
            row
            for row in files
            if row[0] in live or (since_ns is not None and os.stat(row[1]).st_mtime_ns >= since_ns)
        ]
        gone = {digest for digest, _ in files} - {digest for digest, _ in stay}
        size = sum(self.remove(digest) for digest in gone if digest not in kept)
        size += sum(self._unlink(path) for row, path in self.merged_layers() if row in gone)
        names = {os.path.basename(path) for _, path in stay} | {digest.hex for digest, _ in stay}
        for name in os.listdir(self._unpacked):
            shown = unsynced.marked(name).removeprefix(_MERGED)
            if shown.rpartition("-")[2] not in names:
                self._remove_directory(name)
        self._new.clean()
        self.directories.clean()
        return Freed(len(gone), size)

    def discard_directory(self, path: str) -> None:
        """Remove a directory under the root: out of sight at once, then file by file."""
        if not os.path.isdir(path):
            return
        try:
            with self.directories.place() as place, disk_errors("removing a directory"):
                os.rename(path, place)
        except FileNotFoundError:  # another process was quicker
            return
        except DiskFull:  # not even room for a lock file, or for a name in another folder
            remove_tree(path)

    def _unlink(self, path: str) -> int:
        size = os.stat(path).st_size
        os.unlink(path)  # first: on a full disk this makes the room that renaming needs
        self._remove_directory(os.path.basename(path))
        return size

    def _remove_directory(self, name: str) -> None:
        path = f"{self._unpacked}/{unsynced.marked(name)}"
        self.discard_directory(path)
        unsynced.clear(path)

    def _own_path(self, diff_ids: Sequence[Digest]) -> str:
        return f"{self._layers}/{diff_ids[-1].replace(':', '/', 1)}"

    def _chain_path(self, diff_ids: Sequence[Digest]) -> str:
        return f"{self._layers}/chain/{diff_ids[-1].hex}/{chain_id(diff_ids).hex}"

    def _merged_path(self, diff_ids: Sequence[Digest]) -> str:
        name = f"{_MERGED}{chain_id(diff_ids).hex}"
        return f"{self._layers}/merged/{diff_ids[-1].hex}/{name}"

    def _find(self, diff_ids: Sequence[Digest]) -> str | None:
        if not diff_ids:
            raise Invalid("an empty pile has no last layer")
        for place in (self._own_path, self._chain_path):  # a chain ID costs its whole pile
            path = place(diff_ids)
            if os.path.exists(path):
                return path
        return None

    def files(self) -> Iterator[tuple[Digest, str]]:
        """Give every sealed layer: its diff ID and its file; one may have several, for its piles."""
        for algorithm in _ALGORITHMS.values():
            for name in filter(_is_digest, _names(f"{self._layers}/{algorithm}")):
                yield Digest(f"{algorithm}:{name}"), f"{self._layers}/{algorithm}/{name}"
        yield from self._files_by_pile("chain")

    def merged_layers(self) -> Iterator[tuple[Digest, str]]:
        """Give every merged layer: the diff ID of the last layer in it, and its file."""
        return self._files_by_pile("merged")

    def _all_files(self) -> Iterator[tuple[Digest, str]]:
        yield from self.files()
        yield from self.merged_layers()

    def _files_by_pile(self, kind: str) -> Iterator[tuple[Digest, str]]:
        for name in filter(_is_digest, _names(f"{self._layers}/{kind}")):
            digest = Digest(f"{_ALGORITHMS[len(name)]}:{name}")
            for file in _names(f"{self._layers}/{kind}/{name}"):
                yield digest, f"{self._layers}/{kind}/{name}/{file}"


class LayerWriter:
    """One layer on its way in; a context manager that removes what was not committed.

    Takes the uncompressed tar in order; hashes and seals it as it comes. For one thread.
    """

    def __init__(
        self,
        layers: Layers,
        claim: Claim,
        parents: Sequence[Digest],
        expected: Digest | None,
        parents_ready: Callable[[], None] | None,
        *,
        again: bool = False,
    ) -> None:
        self._layers = layers
        self._again = again
        self._claim = claim
        self._parents = tuple(parents)
        self._expected = expected
        self._parents_ready = parents_ready
        self._needs_parents = False
        self._hasher = Hasher(expected.algorithm if expected else "sha256")
        self._sealer = self._start()

    def __enter__(self) -> "LayerWriter":  # noqa: PYI034 - nothing derives from it
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @property
    def sealed(self) -> bool:
        """Tell whether another process has sealed this layer: there is nothing left to do."""
        return self._expected is not None and self._layers.has((*self._parents, self._expected))

    @property
    def size(self) -> int:
        """Bytes of tar taken so far."""
        return self._hasher.size

    @property
    def diff_id(self) -> Digest:
        """The digest of the tar taken so far; after the last `write` the layer's diff ID."""
        return self._hasher.digest

    def write(self, data: "bytes | memoryview") -> None:
        """Take the next bytes of the tar. Raises: Corrupt or Invalid (no layer), DiskFull."""
        self._hasher.update(data)
        with disk_errors("sealing a layer"):
            self._sealer.write(data)

    def add(self, entries: "Sequence[Entry]") -> None:
        """Take the next entries of a tar of our own writing: `Sealer.add`. Raises: EntryInvalid."""
        self._sealer.add(entries)

    def append(self, data: bytes) -> None:
        """Take the next bytes of such a tar; another thread may. Raises: DiskFull."""
        self._hasher.update(data)
        with disk_errors("sealing a layer"):
            self._sealer.append(data)

    def finish(self) -> "SealResult":
        """Check the diff ID and write the index; `settle` makes the layer visible.

        The diff ID is then `.diff_id`. Raises: DigestMismatch, Corrupt, Invalid, DiskFull; then
        everything is removed and a repeat starts anew.
        """
        diff_id = self.diff_id
        try:
            self._check(diff_id)
            with ExitStack() as stack, disk_errors("sealing a layer"):
                result = self._sealer.finish(diff_id, partial(self._open_parents, stack))
        except BaseException:
            self.discard()
            raise
        self._needs_parents = result.needs_parents
        return result

    def settle(self) -> None:
        """Make the finished layer visible, durably. Raises: DiskFull; nothing is visible then."""
        try:
            with disk_errors("sealing a layer"):
                _sync_file(self._claim.path)
                pile = (*self._parents, self.diff_id)
                self._layers.accept(
                    self._claim.path, pile, needs_parents=self._needs_parents, again=self._again
                )
        finally:
            self.discard()

    def commit(self) -> "SealResult":
        """Finish and settle. Raises: as both."""
        result = self.finish()
        self.settle()
        return result

    def discard(self) -> None:
        """Remove what was written and unlock. May be called twice, and after `commit`."""
        self._sealer.close()
        self._claim.release()

    def _check(self, diff_id: Digest) -> None:
        if self._expected is not None and diff_id != self._expected:
            raise DigestMismatch(
                f"layer has diff ID {diff_id}, its image says {self._expected}",
                hint="the image was built wrongly or tampered with; tell its publisher",
            )

    def _start(self) -> "Sealer":
        from lamina.layer.seal import Sealer

        try:
            with disk_errors("sealing a layer"):
                return Sealer(self._claim.path)
        except BaseException:
            self._claim.release()
            raise

    def _open_parents(self, stack: ExitStack) -> "list[SealedLayer]":
        if self._parents_ready is not None:
            self._parents_ready()
        return stack.enter_context(self._layers.opened(self._parents))


def _is_digest(name: str) -> bool:  # what others left is never garbage
    return len(name) in _ALGORITHMS and not name.strip("0123456789abcdef")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _place(temporary: str, path: str) -> None:
    """Give a finished file its name, in a folder that may not be there yet."""
    try:
        publish(temporary, path)
    except FileNotFoundError:  # the first of its folder
        os.makedirs(os.path.dirname(path), exist_ok=True)
        sync_directory(os.path.dirname(os.path.dirname(path)))
        publish(temporary, path)


def _sync_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
