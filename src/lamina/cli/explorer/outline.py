"""The lines of a tree that is opened here and there: what is shown of it, in which order."""

from __future__ import annotations

from lamina.cli.explorer.comparison import Mark
from lamina.errors import LaminaError
from lamina.values import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lamina.cli.explorer.comparison import Comparison, Item

__all__ = ["KINDS", "Branch", "Order", "Outline"]

KINDS = (Mark.ADDED, Mark.CHANGED, Mark.REMOVED, Mark.UNCHANGED)
"""The kinds that people can hide; what is repeated goes with what is changed."""


class Order(StrEnum):
    """What the names in a directory are sorted by; sizes and waste with the most first."""

    NAME = "name"
    SIZE = "size"
    WASTE = "waste"


class Branch:
    """One line: an item at its depth, open or not; or, without an item, why a directory cannot be read."""

    __slots__ = ("depth", "error", "is_open", "item")

    def __init__(self, item: Item | None, depth: int, *, error: str = "") -> None:
        self.item = item
        self.depth = depth
        self.error = error
        self.is_open = False


class Outline:
    """The lines of `comparison`, of which only what is opened is read.

    `sizes` and `waste` are bytes by path of directories (and, of waste, of files), as far as they
    are known. `open_paths` are kept when another comparison takes the place of this.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.shown = set(KINDS)
        self.only_hidden = False
        self.order = Order.NAME
        self.sizes: Mapping[bytes, int] = {}
        self.waste: Mapping[bytes, int] = {}
        self.open_paths: set[bytes] = set()
        self.branches: list[Branch] = []
        self.rebuild()

    def compare(self, comparison: Comparison) -> None:
        """Show another comparison, with the same directories open."""
        self.comparison = comparison
        self.rebuild()

    def rebuild(self) -> None:
        """Read again what is open. Directories that are not there stay open for when they are."""
        self.branches = self._below(b"", 0)

    def index(self, path: bytes) -> int:
        """Find the line of `path`, or of the nearest directory above it that has one; else 0."""
        known = {branch.item.path: at for at, branch in enumerate(self.branches) if branch.item}
        while path:
            if path in known:
                return known[path]
            path = path.rpartition(b"/")[0]
        return 0

    def path(self, at: int) -> bytes:
        """Give the path of a line; the root's for one that has none."""
        branch = self._branch(at)
        return branch.item.path if branch is not None and branch.item is not None else b""

    def _branch(self, at: int) -> Branch | None:
        """Give a line; None where there is none: everything may be left out."""
        return self.branches[at] if 0 <= at < len(self.branches) else None

    def open(self, at: int) -> bool:
        """Open the directory of a line; tell whether that showed anything new."""
        branch = self._branch(at)
        if branch is None or branch.item is None or branch.is_open or not branch.item.is_directory:
            return False
        branch.is_open = True
        self.open_paths.add(branch.item.path)
        self.branches[at + 1 : at + 1] = self._below(branch.item.path, branch.depth + 1)
        return True

    def close(self, at: int) -> bool:
        """Close the directory of a line; what was open in it is open again when it is."""
        branch = self._branch(at)
        if branch is None or branch.item is None or not branch.is_open:
            return False
        branch.is_open = False
        self.open_paths.discard(branch.item.path)
        end = at + 1
        while end < len(self.branches) and self.branches[end].depth > branch.depth:
            end += 1
        del self.branches[at + 1 : end]
        return True

    def parent(self, at: int) -> int:
        """Give the line of the directory that a line is in; its own where that is the root."""
        branch = self._branch(at)
        depth = branch.depth if branch is not None else 0
        while at and self.branches[at].depth >= depth > 0:
            at -= 1
        return at

    def close_all(self) -> None:
        """Close everything."""
        self.open_paths.clear()
        self.rebuild()

    def reveal(self, path: bytes) -> bool:
        """Open what is above `path`, and show its kind if that was hidden; tell whether it is there."""
        item = self.comparison.item(path)
        if item is None:
            return False
        self.only_hidden = self.only_hidden and item.hidden
        self.shown.add(Mark.CHANGED if item.mark is Mark.REPEATED else item.mark)
        parts = path.split(b"/")[:-1]
        self.open_paths.update(b"/".join(parts[: at + 1]) for at in range(len(parts)))
        self.rebuild()
        return True

    def toggle(self, kind: Mark) -> None:
        """Show a kind of change, or hide it."""
        self.shown ^= {kind}
        self.rebuild()

    def size(self, item: Item) -> int | None:
        """Give the bytes of a file, or of those in a directory; None as long as nobody counted these."""
        if item.is_directory:
            return self.sizes.get(item.path)
        return item.node.size if item.node.kind == "file" else None

    def _below(self, folder: bytes, depth: int) -> list[Branch]:
        """Give the lines below a directory; no recursion, for trees are deep."""
        out: list[Branch] = []
        stack = [iter(self._rows(folder, depth))]
        while stack:
            for branch in stack[-1]:
                out.append(branch)
                item = branch.item
                if item is not None and item.is_directory and item.path in self.open_paths:
                    branch.is_open = True
                    stack.append(iter(self._rows(item.path, branch.depth + 1)))
                    break
            else:
                stack.pop()
        return out

    def _rows(self, folder: bytes, depth: int) -> list[Branch]:
        try:
            items = [item for item in self.comparison.items(folder) if self._is_shown(item)]
            if self.order is not Order.NAME:
                items.sort(key=self._weight(), reverse=True)
        except LaminaError as error:  # what can be read is shown all the same
            return [Branch(None, depth, error=error.message)]
        return [Branch(item, depth) for item in items]

    def _weight(self) -> Callable[[Item], int]:
        if self.order is Order.WASTE:
            return lambda item: self.waste.get(item.path, 0)
        return lambda item: self.size(item) or 0

    def _is_shown(self, item: Item) -> bool:
        if self.only_hidden:
            return item.hidden or (
                item.is_directory
                and self.comparison.has(item, lambda child: child.hidden, hidden=True)
            )
        if len(self.shown) == len(KINDS):
            return True
        if self._is_of_kind(item):
            return True
        if not item.is_directory or not item.touched or item.mark in (Mark.ADDED, Mark.REMOVED):
            return False
        return self.comparison.has(item, self._is_of_kind, hidden=False)

    def _is_of_kind(self, item: Item) -> bool:
        mark = Mark.CHANGED if item.mark is Mark.REPEATED else item.mark
        # A directory that something changed in is no more than the way to that.
        way = item.is_directory and item.touched and mark is Mark.UNCHANGED
        return mark in self.shown and not way
