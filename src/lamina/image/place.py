"""Where images go that come in: a module of its own, as commit needs nothing else of receiving."""

from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest
    from lamina.store.blobs import BlobStore

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where received images go, and how many layers come at once.

    `ready` is called with the pile of each layer that is sealed, in its thread, while others come.
    `room` is called with the bytes that an image will take at least, before any of it comes; it
    raises where they do not fit.
    """

    blobs: "BlobStore"
    layers: "Layers"
    workers: int = 3
    ready: "Callable[[Sequence[Digest]], None] | None" = None
    room: "Callable[[int], None] | None" = None
