"""Where the layers of one union lie, as values."""

from lamina.spec.digest import Digest
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Changed", "Lower", "MarkSpace", "Stack"]

if TYPE_CHECKING:
    MarkSpace = Literal["trusted", "user", ""]
else:
    MarkSpace = str
"""Where overlayfs keeps its marks: for root, inside a user namespace, or nowhere."""


@dataclass(frozen=True, slots=True)
class Lower:
    """One read-only layer: a sealed file, or a directory it was unpacked into.

    Without a `diff_id`: what a container wrote before it was frozen.
    """

    path: str
    sealed: bool
    diff_id: Digest | None


@dataclass(frozen=True, slots=True)
class Stack:
    """Lowers, lowest first, and the writable directory over them; both empty when read-only."""

    lowers: tuple[Lower, ...]
    upper: str = ""
    work: str = ""

    @property
    def writable(self) -> bool:
        """Whether there is an upper directory."""
        return bool(self.upper)


@dataclass(frozen=True, slots=True)
class Changed:
    """A directory in overlayfs's form with what a container changed, and where its marks are.

    `frozen` are those below it that belong to it (see `layer.uppers`), topmost first.
    """

    path: str
    marks: MarkSpace
    frozen: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them, topmost first."""
        return (self.path, *self.frozen)
