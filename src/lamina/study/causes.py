"""Why bytes are in a layer for nothing, and one file's of them."""

from lamina.values import StrEnum, dataclass

__all__ = ["Cause", "Wasted"]


class Cause(StrEnum):
    """Why bytes are in a layer for nothing."""

    OVERWRITTEN = "overwritten"
    """A later layer has other content at the same path."""
    DELETED = "deleted later"
    """A later layer removed the path, or a directory above it."""
    COPIED = "copied for its mode or owner"
    """A later layer has the same content again, because something else about the file changed."""
    REPEATED = "repeated"
    """A later layer has the same file again, with nothing changed or its time alone."""
    CACHE = "package cache"
    """A package manager's cache that everybody sees and nobody needs."""
    DUPLICATE = "duplicate content"
    """Another path that is seen has the same bytes."""
    ZEROS = "zeros written out"
    """A file's long runs of zeros that were not left as holes."""


@dataclass(frozen=True, slots=True)
class Wasted:
    """One file that takes `size` bytes of layer `number` for nothing.

    `hidden_by` is the layer that hides it, 0 where it is seen; `note` the path that removed it, the
    cache's package manager, or the path with the same content.
    """

    path: bytes
    size: int
    cause: Cause
    number: int
    hidden_by: int = 0
    note: bytes = b""
