"""What the explorer shows, without a terminal: the stack, the tree that is looked at, lists beside it."""

from __future__ import annotations

from lamina.cli.explorer.comparison import Comparison, Trees
from lamina.cli.explorer.lines import fit, harmless
from lamina.cli.explorer.outline import Branch, Order, Outline
from lamina.cli.explorer.questions import waste_by_path
from lamina.cli.explorer.stack import Stack
from lamina.cli.explorer.tree_lines import branch_line, tree_title
from lamina.cli.units import human_size
from lamina.errors import LaminaError
from lamina.layer.view import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.explorer.lines import Line, Signs
    from lamina.cli.explorer.pages import Page
    from lamina.engine.partial_study import PartialStudy
    from lamina.engine.study import Study
    from lamina.layer.node import Node
    from lamina.study.waste import Waste

__all__ = ["TABS", "Session", "tree_at"]

TABS = ("Files", "Waste", "Packages", "Secrets", "Found")
"""The parts of the explorer, by the numbers that lead there."""

_ORDERS = tuple(Order)
_SIZES_KEPT = 4
_ATTRIBUTES = 96
"""Columns of a tree's pane from which modes and owners are shown unasked."""


class Session:
    """The state of one exploration. Valid as long as the study; one thread at a time."""

    def __init__(self, opened: PartialStudy, signs: Signs) -> None:
        self.study = opened.study
        self.lost = opened.lost
        self.signs = signs
        study = self.study
        sizes = [layer.content_size for layer in study.layers]
        self.total = sum(sizes)
        self.stack = Stack(
            study.made, sizes, {number: damage.word for number, damage in opened.lost.items()}
        )
        self._trees = Trees(study.layers, lambda height: tree_at(study, height))
        self._numbers = {layer.path: number for number, layer in enumerate(study.layers, 1)}
        count = len(study.layers)
        self._sizes: dict[tuple[int, int], Mapping[bytes, int]] = {}
        self.outline = Outline(Comparison(self._trees, since=max(count, 1), height=count))
        self.waste: Waste | None = None
        self.pages: dict[str, Page] = {}
        self.attributes: bool | None = None
        self.from_first = False

    @property
    def height(self) -> int:
        """The layer that is looked at; 0 where the image has none."""
        return self.outline.comparison.height

    def look(self, number: int, *, since: int = 0) -> None:
        """Look at what layer `number` did, or at what all from `since` on did together."""
        if not since:
            since = min(2, number) if self.from_first else number
        self.stack.since, self.stack.height = since, number
        since = min(since, number)
        self.outline.sizes = self._sizes.get((since, number), {})
        self.outline.compare(Comparison(self._trees, since=since, height=number))

    def widen(self) -> None:
        """Look at all layers above the first together, or at the one alone again."""
        self.from_first = not self.from_first
        self.look(self.height)

    def show(self, path: bytes, number: int) -> int:
        """Look at layer `number` with everything above `path` open; give the line to go to.

        Where that layer shows nothing of it, at what all layers below did. Raises: Corrupt.
        """
        if number != self.height or self.stack.since != number:
            self.look(number, since=number)
        self.outline.reveal(path)
        return self.outline.index(path)

    def origin(self, node: Node) -> int:
        """Give the number of the layer that a file of the tree comes from."""
        return self._numbers.get(node.layer.path, self.height)

    def next_order(self) -> None:
        """Sort by the next thing that there is to sort by."""
        self.outline.order = _ORDERS[(_ORDERS.index(self.outline.order) + 1) % len(_ORDERS)]
        self.outline.rebuild()

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last of the layers that are looked at together."""
        return self.outline.comparison.since, self.outline.comparison.height

    def has_sizes(self) -> bool:
        """Tell whether the directories' sizes are known."""
        return self.span in self._sizes

    def learn_sizes(self, span: tuple[int, int], sizes: Mapping[bytes, int]) -> None:
        """Take the directories' sizes as of a span of layers."""
        if len(self._sizes) >= _SIZES_KEPT:
            del self._sizes[next(iter(self._sizes))]
        self._sizes[span] = sizes
        if span == self.span:
            self.outline.sizes = sizes
            if self.outline.order is Order.SIZE:
                self.outline.rebuild()

    def learn_waste(self, waste: Waste) -> None:
        """Take what is wasted."""
        self.waste = waste
        self.outline.waste = waste_by_path(waste.files)
        if self.outline.order is Order.WASTE:
            self.outline.rebuild()

    def tree_line(self, at: int, columns: int) -> Line:
        """Draw a line of the tree."""
        attributes = columns >= _ATTRIBUTES if self.attributes is None else self.attributes
        branch, outline = self.outline.branches[at], self.outline
        try:
            return branch_line(outline, branch, columns, self.signs, attributes=attributes)
        except LaminaError as error:  # the name can be read, what it means cannot
            broken = Branch(None, branch.depth, error=error.message)
            return branch_line(outline, broken, columns, self.signs, attributes=attributes)

    def tree_title(self, at: int, columns: int) -> Line:
        """Draw what stands above the tree, the cursor being on line `at`."""
        count = len(self.outline.branches)
        position = f"{at + 1}/{count}" if count else "nothing to show"
        return tree_title(self.outline, position, columns, self.signs)

    def head(self, columns: int, tab: str) -> tuple[Line, list[tuple[int, str]]]:
        """Draw the first line, and give where each tab ends, with its action."""
        line: Line = []
        ends: list[tuple[int, str]] = []
        at = 0
        for number, name in enumerate(TABS, 1):
            if name == "Found" and tab != name and name not in self.pages:
                continue  # room for the image's name
            text = f" {number} {name} "
            line.append((text, "reverse bold" if name == tab else ""))
            at += len(text)
            ends.append((at, f"tab('{name}')"))
        facts = [self.study.name, human_size(self.total, precision=3)]
        if self.waste is not None:
            facts.append(f"efficiency {self.waste.efficiency:.3f}")
        if self.lost:
            facts.insert(1, f"{len(self.lost)} DAMAGED")
        room = columns - at - 1
        while len(facts) > 1 and sum(map(len, facts)) + 2 * (len(facts) - 1) > room:
            facts.pop()
        text = harmless("  ".join(facts), unicode=self.signs.unicode)
        text = fit(text, min(len(text), room), ellipsis=self.signs.ellipsis) if room > 0 else ""
        line.append((text.rjust(max(room, 0)), "bold"))
        return line, ends


def tree_at(study: Study, height: int) -> Tree:
    """Lay the lowest layers of a study over each other; all of them as the study itself does."""
    return study.tree if height == len(study.layers) else Tree.of(study.layers[:height])
