"""Where images go: a `Protocol` with one implementation per kind of place.

`copy` brings blobs in any order and from several threads, then manifests, children before the
index that lists them; the one the name stands for is the last. Nothing has the name before
`finish`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from lamina.events import Phase
from lamina.values import Protocol, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.descriptor import Descriptor
    from lamina.stream.verify import Readable

__all__ = ["Arrival", "ImageSink", "OpenBlob", "Progress"]

OpenBlob = Callable[[], AbstractContextManager["Readable"]]
"""Opens a blob's bytes from the first; they are verified as they are read, to their end."""

Progress = Callable[[int], None]
"""Hears how many bytes have arrived."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a blob came to be there: PUSHED, PRESENT, or MOUNTED from another repository."""

    phase: Phase = Phase.PUSHED
    detail: str = ""


class ImageSink(Protocol):
    """A place that takes one image under a name."""

    def take(self, wanted: "Descriptor", opened: OpenBlob, progress: Progress) -> Arrival:
        """Take a blob, unless it is there. Called by several threads. Raises: what reading raises."""

    def manifest(self, descriptor: "Descriptor", raw: bytes, *, top: bool) -> None:
        """Take a manifest or index whose blobs and children are there; `top` is what is named."""

    def finish(self) -> None:
        """Give the name, durably."""

    def abandon(self) -> None:
        """Undo what nobody could use; whole blobs may stay. May be called after anything."""
