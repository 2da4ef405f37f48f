"""One sealed layer on its way to its place among the others."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from lamina.snapshot import unsynced
from lamina.spec.digest import Digest
from lamina.stream.files import disk_errors, sync_file
from lamina.stream.verify import DigestMismatch, Hasher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.entry import Entry
    from lamina.layer.seal import Sealer, SealResult
    from lamina.layer.sealed import SealedLayer
    from lamina.snapshot.layers import Layers
    from lamina.snapshot.workplace import Claim

__all__ = ["LayerWriter"]


class LayerWriter:
    """One layer on its way in; a context manager that removes what was not committed.

    Takes the uncompressed tar in order; hashes and seals it as it comes. For one thread.
    """

    def __init__(
        self,
        layers: "Layers",
        claim: "Claim",
        parents: Sequence[Digest],
        expected: Digest | None,
        parents_ready: Callable[[], None] | None,
        *,
        again: bool = False,
        held: bool = False,
    ) -> None:
        self._layers = layers
        self._again = again
        self._held = held
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
        self._layers.spend(len(data))
        self._hasher.update(data)
        with disk_errors("sealing a layer"):
            self._sealer.write(data)

    def add(self, entries: "Sequence[Entry]") -> None:
        """Take the next entries of a tar of our own writing: `Sealer.add`. Raises: EntryInvalid."""
        self._sealer.add(entries)

    def append(self, data: bytes) -> None:
        """Take the next bytes of such a tar; another thread may. Raises: DiskFull."""
        self._layers.spend(len(data))
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
        """Make the finished layer visible, durably unless its bytes are held by a blob.

        Raises: DiskFull; nothing is visible then.
        """
        try:
            with disk_errors("sealing a layer"):
                if not self._held:
                    sync_file(self._claim.path)
                pile = (*self._parents, self.diff_id)
                self._layers.accept(
                    self._claim.path,
                    pile,
                    needs_parents=self._needs_parents,
                    again=self._again,
                    durable=not self._held,
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
                sealer = Sealer(self._claim.path, early=not self._held)
                # Before the first byte, so that the disk never has bytes without the mark.
                self._held = self._held and unsynced.mark_file(self._claim.path)
                return sealer
        except BaseException:
            self._claim.release()
            raise

    def _open_parents(self, stack: ExitStack) -> "list[SealedLayer]":
        if self._parents_ready is not None:
            self._parents_ready()
        return stack.enter_context(self._layers.opened(self._parents))
