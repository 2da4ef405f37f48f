"""Lists of the explorer beside its tree: waste, packages, secrets, what a search found; and texts."""

from __future__ import annotations

from lamina.cli.explorer.lines import fit, harmless
from lamina.cli.explorer.story import made_by
from lamina.cli.file_names import quoted, width
from lamina.cli.units import human_size
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.cli.explorer.lines import Line, Signs
    from lamina.cli.explorer.questions import Found
    from lamina.engine.study import Made
    from lamina.study.causes import Wasted
    from lamina.study.packages import Package
    from lamina.study.secrets import Secret
    from lamina.study.waste import Waste

__all__ = [
    "Page",
    "Row",
    "Target",
    "found_page",
    "packages_page",
    "secrets_page",
    "text_page",
    "waste_page",
]

_WIDEST = 26
_GAP = 2
_FILES = 1000
"""Files of one group of waste that have a row of their own."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a row leads: a path, in the tree as of layer `number`."""

    path: bytes
    number: int


class Row:
    """One row: its cells, where it leads, what there is to say of it, and rows that open below it."""

    __slots__ = ("cells", "is_open", "more", "note", "style", "target")

    def __init__(
        self,
        cells: Sequence[str],
        target: Target | None = None,
        *,
        note: Sequence[str] = (),
        more: Sequence[Row] = (),
        style: str = "",
    ) -> None:
        self.cells = tuple(cells)
        self.target = target
        self.note = tuple(note)
        self.more = tuple(more)
        self.style = style
        self.is_open = False


class Page:
    """A list with headings, that can be narrowed to the rows that have a text.

    Columns named in `right` are aligned to it; the last takes the room that is left. Lines of a
    page of text are `Line`s instead, and without headings.
    """

    def __init__(
        self,
        title: str,
        headings: Sequence[str] = (),
        rows: Sequence[Row] = (),
        *,
        right: Iterable[str] = (),
        lines: Sequence[tuple[Line, Target | None]] = (),
    ) -> None:
        self.title = title
        self.wanted = ""
        self._headings = tuple(headings)
        self._all = tuple(rows)
        self._right = frozenset(right)
        self._lines = tuple(lines)
        self._shown: list[Row] = []
        self._widths = [
            max([width(name), *(width(row.cells[at]) for row in rows)])
            for at, name in enumerate(headings)
        ]
        self._show()

    def __len__(self) -> int:
        return len(self._shown) or len(self._lines)

    def narrow(self, wanted: str) -> None:
        """Show only the rows that have `wanted` in a cell, in large or small letters."""
        self.wanted = wanted
        self._show()

    def heading(self, columns: int, signs: Signs) -> Line:
        """Draw the headings; of a text, its title."""
        if not self._headings:
            return [(fit(self.title, columns, ellipsis=signs.ellipsis), "bold")]
        return [(self._laid(self._headings, columns, signs), "dim")]

    def line(self, at: int, columns: int, signs: Signs) -> Line:
        """Draw a row."""
        if self._lines:
            return self._lines[at][0]
        row = self._shown[at]
        return [(self._laid(row.cells, columns, signs), row.style)]

    def row(self, at: int) -> Row | None:
        """Give a row; None where there is none, or a line of text."""
        return self._shown[at] if 0 <= at < len(self._shown) else None

    def target(self, at: int) -> Target | None:
        """Give where a row or line leads."""
        if self._lines:
            return self._lines[at][1] if 0 <= at < len(self._lines) else None
        row = self.row(at)
        return row.target if row else None

    def turn(self, at: int) -> bool:
        """Open or close a row that has more below it; tell whether it has."""
        row = self.row(at)
        if row is None or not row.more:
            return False
        row.is_open = not row.is_open
        self._show()
        return True

    def _show(self) -> None:
        wanted = self.wanted.lower()
        self._shown = []
        for row in self._all:
            below = [one for one in row.more if wanted in " ".join(one.cells).lower()]
            if wanted in " ".join(row.cells).lower() or (wanted and below):
                self._shown.append(row)
                if row.is_open:
                    self._shown += below

    def _laid(self, cells: Sequence[str], columns: int, signs: Signs) -> str:
        parts: list[str] = []
        for name, cell, wide in zip(self._headings[:-1], cells, self._widths, strict=False):
            room = min(wide, _WIDEST, max(columns // 3, 6))
            text = fit(cell, room, ellipsis=signs.ellipsis)
            parts.append(text.rstrip().rjust(room) if name in self._right else text)
        head = "".join(part + " " * _GAP for part in parts)
        return fit(head + cells[-1], columns, ellipsis=signs.ellipsis)


def waste_page(made: Sequence[Made], found: Waste, signs: Signs) -> Page:
    """List what is wasted by cause and place, the most first; a group opens into its files."""
    from lamina.cli.waste_words import advice, grouped

    rows = []
    for group in grouped(found.files, whole=False):
        one = group.first
        many = group.count > 1
        more = _wasted_rows(group.files, signs) if many else []
        cells = [
            signs.closed if many else " ",
            human_size(group.size, precision=3),
            str(group.count),
            str(one.cause),
            str(one.number),
            str(one.hidden_by or ""),
            _path(group.place, signs),
        ]
        note = [harmless(line.strip(), unicode=signs.unicode) for line in advice(made, [group])]
        rows.append(
            Row(
                cells,
                Target(one.path if not many else group.place, one.number),
                note=note,
                more=more,
            )
        )
    hidden = found.total - found.visible
    title = (
        f"{human_size(found.size, precision=3)} to gain; {human_size(hidden, precision=3)} of "
        f"{human_size(found.total, precision=3)} never seen; efficiency {found.efficiency:.3f}"
    )
    headings = (" ", "BYTES", "FILES", "CAUSE", "LAYER", "HIDDEN BY", "WHERE")
    return Page(title, headings, rows, right=("BYTES", "FILES", "LAYER", "HIDDEN BY"))


def _wasted_rows(files: Sequence[Wasted], signs: Signs) -> list[Row]:
    """Give a row for each of the largest files of a group, and one for the rest."""
    ordered = sorted(files, key=lambda one: (-one.size, one.path))
    rows = [
        Row(
            ["", human_size(one.size, precision=3), "", "", "", "", "  " + _path(one.path, signs)],
            Target(one.path, one.number),
        )
        for one in ordered[:_FILES]
    ]
    rest = ordered[_FILES:]
    if rest:
        size = human_size(sum(one.size for one in rest), precision=3)
        rows.append(Row(["", size, str(len(rest)), "", "", "", "  (more; lamina waste --files)"]))
    return rows


def packages_page(made: Sequence[Made], found: Sequence[Package], signs: Signs) -> Page:
    """List packages with the layer that brought each."""
    rows = []
    for one in found:
        by = made_by(made[one.number - 1], signs) if one.number else ""
        cells = [one.name, one.version, one.kind, str(one.number), by]
        note = [
            " ".join(
                part for part in (one.name, one.version, one.architecture, one.licence) if part
            )
        ]
        rows.append(
            Row(
                [harmless(cell, unicode=signs.unicode) for cell in cells],
                Target(one.record, one.number) if one.record else None,
                note=[harmless(line, unicode=signs.unicode) for line in note],
            )
        )
    count = f"{len(rows)} package{'' if len(rows) == 1 else 's'}"
    return Page(count, ("NAME", "VERSION", "TYPE", "LAYER", "CREATED BY"), rows, right=("LAYER",))


def secrets_page(found: Sequence[Secret], signs: Signs) -> Page:
    """List what gives access to something. The keys themselves are never shown."""
    rows = []
    for one in found:
        in_layer = one.number > 0
        where = _path(one.path, signs) if in_layer else one.path.decode("utf-8", "replace")
        cells = [
            harmless(one.what, unicode=signs.unicode),
            str(one.number) if in_layer else "config",
            str(one.hidden_by or ""),
            harmless(where, unicode=signs.unicode),
        ]
        note = "Take it out of use, and build the image again: whoever has the image has it."
        target = Target(one.path, one.number) if in_layer else None
        rows.append(Row(cells, target, note=[note], style="red"))
    title = f"{len(rows)} found" if rows else "Nothing that looks like a key, password or token"
    return Page(title, ("WHAT", "LAYER", "HIDDEN BY", "WHERE"), rows, right=("LAYER", "HIDDEN BY"))


def found_page(wanted: str, found: Sequence[Found], limit: int, signs: Signs) -> Page:
    """List the paths that a search found, with the layers that have something there."""
    rows = [
        Row(
            [", ".join(map(str, one.numbers[-4:])), _path(one.path, signs)],
            Target(one.path, one.numbers[-1]),
        )
        for one in found
    ]
    least = "the first " if len(rows) == limit else ""
    title = f"{least}{len(rows)} with {wanted!r} in the name, in any layer"
    return Page(harmless(title, unicode=signs.unicode), ("LAYERS", "PATH"), rows)


def text_page(title: str, lines: Iterable[tuple[Line, Target | None]]) -> Page:
    """Make a page of a text."""
    return Page(title, lines=tuple(lines))


def _path(path: bytes, signs: Signs) -> str:
    return quoted(b"/" + path, unicode=signs.unicode)
