"""The `unpacked` driver: each layer is unpacked once into a directory, overlayfs joins them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from lamina.layer.stack import Changed, Lower, Stack
from lamina.settings import MAX_LOWERS
from lamina.snapshot.depth import merged_count, room_below
from lamina.snapshot.space import size_of
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.snapshot.checks import Checks
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["UnpackedDriver"]


@dataclass(frozen=True, slots=True)
class UnpackedDriver:
    """Lowers are directories `snapshots/unpacked/<hex>`, made from the sealed files when needed.

    `in_namespace`: we are root of a user namespace only; `owners`: it has room for owners beside us.
    """

    layers: "Layers"
    checks: "Checks"
    reason: str = ""
    in_namespace: bool = False
    owners: bool = True
    most: int = MAX_LOWERS
    name: str = "unpacked"

    def lowers(self, diff_ids: "Sequence[Digest]", *, above: int = 0) -> tuple[Lower, ...]:
        """Unpack what is not unpacked yet; give the directories, lowest first.

        Of a pile too high for one union, the lowest are unpacked into one.
        Raises: LayerUnknown, Corrupt, DiskFull, Unsupported (too many above).
        """
        return self._lowers(diff_ids, room_below(above, self.most))

    def ready(self, diff_ids: "Sequence[Digest]") -> None:
        """Unpack the pile's last layer."""
        self._directory(diff_ids)

    def view(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give the same, one less at most: lowers are never written to."""
        return self._lowers(diff_ids, self.most - 1)

    def _lowers(self, diff_ids: "Sequence[Digest]", most: int) -> tuple[Lower, ...]:
        piles = self.layers.showing(diff_ids, self.checks.is_opaque)
        merged = merged_count(len(piles), most)
        lowers = [
            Lower(self._directory(pile), sealed=False, diff_id=pile[-1]) for pile in piles[merged:]
        ]
        if merged:
            pile = piles[merged - 1]
            path = self.layers.merged_directory(pile, self._unpack_file)
            lowers.insert(0, Lower(path, sealed=False, diff_id=pile[-1]))
        return tuple(lowers)

    def fill(self, upper: str, diff_ids: "Sequence[Digest]") -> bool:  # noqa: ARG002 - the Protocol's
        """Leave `upper` empty for overlayfs."""
        return True

    @contextmanager
    def changed(
        self,
        stack: Stack,
        diff_ids: "Sequence[Digest]",  # noqa: ARG002 - the Protocol's
        since_ns: int,  # noqa: ARG002 - the Protocol's
    ) -> Iterator[Changed]:
        """Give the upper directory: overlayfs keeps just the changes there."""
        yield Changed(stack.upper, "user" if self.in_namespace else "trusted")

    def _directory(self, pile: "Sequence[Digest]") -> str:
        path = self.layers.path(pile)
        return self.layers.directory(os.path.basename(path), partial(self._unpack_file, path))

    def _unpack_file(self, path: str, place: str) -> None:
        from lamina.layer.apply import unpack
        from lamina.layer.sealed import SealedLayer

        self.layers.spend(size_of(path))
        with SealedLayer.open(path) as layer:
            unpack(
                layer,
                place,
                privileged=not self.in_namespace,
                xattr_prefix="user" if self.in_namespace else "trusted",
                owners=self.owners,
            )
