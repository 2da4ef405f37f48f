"""The `unpacked` driver: each layer is unpacked once into a directory, overlayfs joins them."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.errors import Unsupported
from lamina.layer.stack import Lower, Stack
from lamina.settings import MAX_LOWERS

if TYPE_CHECKING:
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["UnpackedDriver"]


@dataclass(frozen=True, slots=True)
class UnpackedDriver:
    """Lowers are directories `snapshots/unpacked/<hex>`, made from the sealed files when needed.

    `in_namespace`: we are root of a user namespace only; `owners`: it has room for owners beside us.
    """

    layers: "Layers"
    reason: str = ""
    in_namespace: bool = False
    owners: bool = True
    most: int = MAX_LOWERS
    name: str = "unpacked"

    def lowers(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Unpack what is not unpacked yet; give the directories, lowest first.

        Raises: LayerUnknown, Corrupt, DiskFull.
        """
        piles = self.layers.showing(diff_ids)
        return tuple(Lower(self._directory(pile), sealed=False, diff_id=pile[-1]) for pile in piles)

    def view(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give the same: lowers are never written to."""
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

    def _directory(self, pile: "Sequence[Digest]") -> str:
        name = os.path.basename(self.layers.path(pile))
        return self.layers.directory(name, lambda place: self._unpack(pile, place))

    def _unpack(self, pile: "Sequence[Digest]", place: str) -> None:
        from lamina.layer.apply import unpack

        try:
            with self.layers.open(pile) as layer:
                unpack(
                    layer,
                    place,
                    privileged=not self.in_namespace,
                    xattr_prefix="user" if self.in_namespace else "trusted",
                    owners=self.owners,
                )
        except OSError as error:
            if error.errno != errno.EINVAL or not self.in_namespace:
                raise
            raise Unsupported(
                f"layer {pile[-1]} has files of owners that your user namespace has no room for",
                hint="give yourself a longer range in /etc/subuid and /etc/subgid",
            ) from error
