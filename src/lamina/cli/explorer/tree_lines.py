"""One line of the tree: its marks, sizes, who may do what, and the name at its depth."""

from __future__ import annotations

import stat

from lamina.cli.explorer.comparison import Mark
from lamina.cli.explorer.lines import fit, harmless
from lamina.cli.explorer.outline import KINDS, Order
from lamina.cli.file_names import quoted
from lamina.cli.file_rows import FileRow, mode_text
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.explorer.lines import Line, Signs
    from lamina.cli.explorer.outline import Branch, Outline

__all__ = ["MARKS", "branch_line", "tree_title"]

MARKS = {
    Mark.ADDED: ("A", "green"),
    Mark.CHANGED: ("C", "yellow"),
    Mark.REMOVED: ("R", "red"),
    Mark.REPEATED: ("=", "yellow"),
    Mark.UNCHANGED: (" ", ""),
}
"""The letter and the style of each mark; H beside it is for what a later layer hides."""

_STEP = 2
_DEEPEST = 16
"""Levels that are indented: deeper names would leave a narrow pane."""


def tree_title(outline: Outline, position: str, columns: int, signs: Signs) -> Line:
    """Say what the tree shows: which layers' doing, which kinds of it, sorted by what."""
    comparison = outline.comparison
    since, height = comparison.since, comparison.height
    layers = f"Layer {height}" if since == height else f"Layers {since}-{height}"
    if not height:
        layers = "No layers"
    kinds = "".join(
        letter if kind in outline.shown else "-" for kind, letter in zip(KINDS, "ACRU", strict=True)
    )
    if outline.only_hidden:
        kinds = "hidden only"
    parts = [layers, kinds, f"by {outline.order}", position]
    return [(fit(f" {signs.dot} ".join(parts), columns, ellipsis=signs.ellipsis), "bold")]


def branch_line(
    outline: Outline, branch: Branch, columns: int, signs: Signs, *, attributes: bool
) -> Line:
    """Draw one line; names are quoted so that none can move the cursor."""
    indent = " " * (_STEP * min(branch.depth, _DEEPEST))
    item = branch.item
    if item is None:
        text = harmless(f"{indent}cannot be read: {branch.error}", unicode=signs.unicode)
        return [(fit(f"  ! {text}", columns, ellipsis=signs.ellipsis), "red")]
    letter, style = MARKS[item.mark]
    if item.is_directory and item.touched and item.mark is Mark.UNCHANGED:
        letter = signs.below  # something below it
    if outline.order is Order.WASTE:
        waste = outline.waste.get(item.path, 0)
        size = human_size(waste, precision=3) if waste else ""
    else:
        count = outline.size(item)
        size = "" if count is None else human_size(count, precision=3)
    node = item.node
    middle = ""
    if attributes:
        middle = f"{mode_text(FileRow(item.name, node)):<11}{f'{node.uid}:{node.gid}':<12}"
    sign = (signs.opened if branch.is_open else signs.closed) if item.is_directory else " "
    name = quoted(item.name, unicode=signs.unicode)
    if item.is_directory:
        name += "/"
    elif node.kind == "symlink":
        name += f" {signs.arrow} {quoted(node.target, unicode=signs.unicode)}"
    elif node.kind != "file":
        name += f" ({node.kind})"
    elif node.mode & stat.S_IXUSR:
        name += "*"
    pieces: Line = [
        (f" {letter}", style),
        ("H " if item.hidden else "  ", "magenta"),
        (f"{size:>7} {middle}", ""),
    ]
    used = sum(len(text) for text, _ in pieces)
    name_style = f"{style} bold".strip() if item.is_directory else style
    text = fit(f"{indent}{sign} {name}", columns - used, ellipsis=signs.ellipsis)
    return [*pieces, (text, name_style)]
