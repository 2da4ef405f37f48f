"""Where images go that come in: a module of its own, as commit needs nothing else of receiving."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.snapshot.layers import Layers
    from lamina.store.blobs import BlobStore

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where received images go, and how many layers come at once."""

    blobs: "BlobStore"
    layers: "Layers"
    workers: int = 3
