"""The sealed layers of this machine, and the directories some drivers unpack them into.

A layer is found by the diff IDs of the pile it tops. Where its index takes nothing from the layers
below, it lies once under its diff ID; where it does, once per pile:

    layers/<algorithm>/<diff-id>      layers/chain/<diff-id>/<chain-id>

A whole pile merged into one layer (see `merging`) lies under the diff ID of its last, and so goes
when that does:

    layers/merged/<diff-id>/merged-<chain-id>
"""

import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.snapshot import unsynced
from lamina.snapshot.space import size_of, tree_size
from lamina.snapshot.workplace import Workplace
from lamina.spec.digest import Digest, chain_id
from lamina.stream.files import (
    DiskFull,
    allow_open_files,
    disk_errors,
    publish,
    remove_tree,
    sync_directory,
    sync_file,
    unlimited,
)
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.sealed import SealedLayer
    from lamina.snapshot.sealing import LayerWriter

__all__ = ["Freed", "LayerUnknown", "Layers"]

_ALGORITHMS = {64: "sha256", 128: "sha512"}
_MERGED = "merged-"


class LayerUnknown(NotFound):
    """No sealed layer is here for this pile."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What a sweep removed: sealed layers, and the bytes on the disk of all that went."""

    count: int
    size: int


def _no_pin(diff_id: Digest) -> None:
    """Pin nothing: the layers of callers who keep no leases."""


class Layers:
    """The sealed layers under one root folder; safe for many threads and processes at once.

    A pile is a sequence of diff IDs, lowest first; a method that takes one is about its last.
    `remake(pile)` seals a layer that is missing again, from its blob, or raises NotFound: a layer
    that a blob holds is not waited for, and a power failure may take it (see `unsynced`).
    `spend(size)` is called before bytes are written, and raises where a quota does not allow them.
    `pin(diff_id)` is called before anyone is told that a layer is there, so that no collection takes
    what a running pull or commit relies on.
    """

    def __init__(
        self,
        root: str,
        remake: Callable[[Sequence[Digest]], object] | None = None,
        spend: Callable[[int], None] = unlimited,
        pin: Callable[[Digest], None] = _no_pin,
    ) -> None:
        self.spend = spend
        self._pin = pin
        self.root = os.path.abspath(root)
        self._remake = remake
        self._layers = f"{self.root}/layers"
        self._unpacked = f"{self.root}/snapshots/unpacked"
        self._new = Workplace(f"{self._layers}/new")
        self.directories = Workplace(f"{self.root}/snapshots/new")

    def has(self, diff_ids: Sequence[Digest]) -> bool:
        """Tell whether the pile's last layer is sealed here, whole; under a lease it then stays."""
        return self._whole(diff_ids) is not None

    def path(self, diff_ids: Sequence[Digest]) -> str:
        """Give the sealed file of the pile's last layer, made again if it got lost.

        Raises: LayerUnknown.
        """
        found = self._whole(diff_ids)
        if found is None and self._remake is not None:
            with suppress(NotFound):
                self._remake(diff_ids)
                found = self.find(diff_ids)
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
                    _place(place, path, durable=True)
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
            sync_file(place)

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
        held: bool = False,
    ) -> "LayerWriter":
        """Seal the pile's last layer, whose diff ID is known: what comes in is checked against it.

        One writer per layer exists on the machine; others wait here, `waiting` being called
        meanwhile, and may find it `sealed` then. `parents_ready` is called before the layers below
        are opened, which only some layers need: it waits for them. `held` says that a blob with the
        same bytes will be on the disk before anyone relies on the layer: then nobody waits for the
        disk here, and the layer can be made again.
        """
        from lamina.snapshot.sealing import LayerWriter

        claim = self._new.claim(diff_ids[-1].hex, waiting=waiting)
        return LayerWriter(self, claim, diff_ids[:-1], diff_ids[-1], parents_ready, held=held)

    def writer_new(self, parents: Sequence[Digest], *, held: bool = False) -> "LayerWriter":
        """Seal a layer that is being made, on top of `parents`: its diff ID is known at the end.

        `held`: as in `writer`.
        """
        from lamina.snapshot.sealing import LayerWriter

        return LayerWriter(self, self._new.claim(), parents, None, None, held=held)

    def writer_again(self, diff_ids: Sequence[Digest]) -> "LayerWriter":
        """Seal the pile's last layer once more, in the place of a file that is damaged.

        Containers that have the damaged file mounted keep it until they end.
        """
        from lamina.snapshot.sealing import LayerWriter

        claim = self._new.claim(diff_ids[-1].hex)
        return LayerWriter(self, claim, diff_ids[:-1], diff_ids[-1], None, again=True)

    def accept(
        self,
        temporary: str,
        diff_ids: Sequence[Digest],
        *,
        needs_parents: bool,
        again: bool = False,
        durable: bool = True,
    ) -> None:
        """Give a finished sealed file its place; for LayerWriter."""
        self._pin(diff_ids[-1])  # the file that serves may be an old one
        path = self._chain_path(diff_ids) if needs_parents else self._own_path(diff_ids)
        if again or not _may_stay(path, durable=durable):
            _place(temporary, path, durable=durable)

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
        """Remove every form of one layer; give the bytes on the disk of all. Absent is fine."""
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
            if row[0] in live or (since_ns is not None and _changed_ns(row[1]) >= since_ns)
        ]
        gone = {digest for digest, _ in files} - {digest for digest, _ in stay}
        size = sum(self.remove(digest) for digest in gone if digest not in kept)
        size += sum(self._unlink(path) for row, path in self.merged_layers() if row in gone)
        names = {os.path.basename(path) for _, path in stay} | {digest.hex for digest, _ in stay}
        for name in os.listdir(self._unpacked):
            shown = unsynced.marked(name).removeprefix(_MERGED)
            if shown.rpartition("-")[2] not in names:
                size += self._remove_directory(name)
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
        size = 0
        with suppress(FileNotFoundError):  # one that was found cut short goes at any time
            size = size_of(path)
            os.unlink(path)  # first: on a full disk this makes the room that renaming needs
        return size + self._remove_directory(os.path.basename(path))

    def _remove_directory(self, name: str) -> int:
        path = f"{self._unpacked}/{unsynced.marked(name)}"
        size = tree_size(path)
        self.discard_directory(path)
        unsynced.clear(path)
        return size

    def _own_path(self, diff_ids: Sequence[Digest]) -> str:
        return f"{self._layers}/{diff_ids[-1].replace(':', '/', 1)}"

    def _chain_path(self, diff_ids: Sequence[Digest]) -> str:
        return f"{self._layers}/chain/{diff_ids[-1].hex}/{chain_id(diff_ids).hex}"

    def _merged_path(self, diff_ids: Sequence[Digest]) -> str:
        name = f"{_MERGED}{chain_id(diff_ids).hex}"
        return f"{self._layers}/merged/{diff_ids[-1].hex}/{name}"

    def find(self, diff_ids: Sequence[Digest]) -> str | None:
        """Give the sealed file of the pile's last layer as it lies there, whole or not."""
        if not diff_ids:
            raise Invalid("an empty pile has no last layer")
        for place in (self._own_path, self._chain_path):  # a chain ID costs its whole pile
            path = place(diff_ids)
            if os.path.exists(path):
                return path
        return None

    def settle(self, diff_ids: Iterable[Digest]) -> None:
        """Wait until the disk has these layers: what else holds their bytes may go then."""
        wanted = set(diff_ids)
        for digest, path in self.files():
            if digest in wanted:
                unsynced.settle(path)

    def _whole(self, diff_ids: Sequence[Digest]) -> str | None:
        """Find a layer. One that a power failure may have cut short is read first; if so, it goes."""
        if diff_ids:
            self._pin(diff_ids[-1])
        found = self.find(diff_ids)
        if found is None:
            return None
        with suppress(FileNotFoundError):  # another process was quicker
            if unsynced.trust(found) is unsynced.WHOLE:
                return found
            with self._new.place(f"check-{os.path.basename(found)}"):
                known = unsynced.trust(found)
                if known is unsynced.DOUBTFUL and _is_sound(found, diff_ids[-1]):
                    known = unsynced.WHOLE if unsynced.settle(found) else known
                if known is unsynced.WHOLE:
                    return found
                os.unlink(found)
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


def _is_digest(name: str) -> bool:  # what others left is never garbage
    return len(name) in _ALGORITHMS and not name.strip("0123456789abcdef")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:  # found cut short by a power failure, and taken away, just now
        return 0


def _place(temporary: str, path: str, *, durable: bool) -> None:
    """Give a finished file its name, in a folder that may not be there yet."""
    put = publish if durable else os.rename
    try:
        put(temporary, path)
    except FileNotFoundError:  # the first of its folder
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if durable:
            sync_directory(os.path.dirname(os.path.dirname(path)))
        put(temporary, path)


def _may_stay(path: str, *, durable: bool) -> bool:
    """Tell whether the file that is there, if any, serves: it may be mounted, with its page cache."""
    try:
        whole = unsynced.trust(path) is unsynced.WHOLE
    except FileNotFoundError:
        return False
    return whole and (not durable or unsynced.settle(path))


def _is_sound(path: str, diff_id: Digest) -> bool:
    """Read all of a sealed file and tell whether it is the layer it should be."""
    from lamina.layer.sealed import SealedLayer

    try:
        with SealedLayer.open(path) as layer:
            layer.verify()
            return layer.diff_id == diff_id
    except Corrupt:
        return False
