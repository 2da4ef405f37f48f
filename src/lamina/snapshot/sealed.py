"""The `sealed` driver: the kernel mounts each sealed layer, overlayfs joins them. Nothing is unpacked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.layer.stack import Lower, Stack
from lamina.settings import MAX_LOWERS

if TYPE_CHECKING:
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["SealedDriver"]


@dataclass(frozen=True, slots=True)
class SealedDriver:
    """Lowers are the sealed files themselves."""

    layers: "Layers"
    reason: str = ""
    most: int = MAX_LOWERS
    name: str = "sealed"

    def lowers(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give the sealed files, lowest first. Raises: LayerUnknown."""
        piles = self.layers.showing(diff_ids)
        return tuple(Lower(self.layers.path(pile), sealed=True, diff_id=pile[-1]) for pile in piles)

    def view(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give the same: sealed layers are read-only."""
        return self.lowers(diff_ids)

    def fill(self, upper: str, diff_ids: "Sequence[Digest]") -> bool:  # noqa: ARG002 - the Protocol's
        """Leave `upper` empty for overlayfs."""
        return True

    @contextmanager
    def changed(
        self,
        stack: Stack,
        diff_ids: "Sequence[Digest]",  # noqa: ARG002 - the Protocol's
        since_ns: int,  # noqa: ARG002 - the Protocol's
    ) -> Iterator[str]:
        """Give the upper directory: overlayfs keeps just the changes there."""
        yield stack.upper
