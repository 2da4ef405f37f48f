"""The `sealed` driver: the kernel mounts each sealed layer, overlayfs joins them. Nothing is unpacked."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from lamina.errors import Corrupt
from lamina.layer.stack import Changed, Lower, Stack
from lamina.settings import MAX_LOWERS
from lamina.snapshot.depth import merged_count, room_below
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.snapshot.checks import Checks
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["SealedDriver"]


@dataclass(frozen=True, slots=True)
class SealedDriver:
    """Lowers are the sealed files themselves."""

    layers: "Layers"
    checks: "Checks"
    reason: str = ""
    most: int = MAX_LOWERS
    name: str = "sealed"

    def lowers(self, diff_ids: "Sequence[Digest]", *, above: int = 0) -> tuple[Lower, ...]:
        """Give the sealed files, lowest first; of a pile too high for one union, the lowest merged.

        Raises: LayerUnknown, Corrupt, Unsupported (too many above).
        """
        return self._lowers(diff_ids, room_below(above, self.most))

    def ready(self, diff_ids: "Sequence[Digest]") -> None:
        """Do nothing: sealed layers are mounted as they are."""

    def view(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give the same, one less at most: sealed layers are read-only."""
        return self._lowers(diff_ids, self.most - 1)

    def _lowers(self, diff_ids: "Sequence[Digest]", most: int) -> tuple[Lower, ...]:
        piles = self.layers.showing(diff_ids, self.checks.is_opaque)
        merged = merged_count(len(piles), most)
        lowers = [
            Lower(self.layers.path(pile), sealed=True, diff_id=pile[-1]) for pile in piles[merged:]
        ]
        if merged:
            pile = piles[merged - 1]
            lowers.insert(0, Lower(self._merged(pile), sealed=True, diff_id=pile[-1]))
        return tuple(lowers)

    def _merged(self, pile: "Sequence[Digest]") -> str:
        """Give the pile as one sealed file, whole: a damaged one is made again from its layers."""
        path = self.layers.merged(pile)
        try:
            self.checks.check(path)
        except (Corrupt, FileNotFoundError):  # or swept just now
            with suppress(FileNotFoundError):
                os.unlink(path)
            path = self.layers.merged(pile)
        return path

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
        yield Changed(stack.upper, "trusted")
