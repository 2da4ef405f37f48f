"""Images by shared layers as a picture in a terminal, with what each removal frees."""

from __future__ import annotations

from lamina.cli.sharing_columns import columns, image_name, summary
from lamina.cli.stack_drawing import columns_of
from lamina.cli.table import flat, render
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.cli.sharing_columns import Column
    from lamina.engine.sharing import SharedImage, Sharing

__all__ = ["draw_sharing"]

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_COLOURS = tuple(f"\x1b[{code}m" for code in (36, 33, 35, 32, 34, 31))
_LEAST = 40
_NAMES = 40
_SCREEN = 20
"""With more images than this the columns' letters come below them, too."""
_HEIGHTS = "▁▂▃▄▅▆▇█"
_NUMBERS = 9
"""Columns of a size and the blanks before it."""


def draw_sharing(sharing: Sharing, *, width: int, unicode: bool, colour: bool) -> str:
    """Draw `sharing` in at most `width` columns (40 at the least)."""
    if not sharing.images:
        return "No images.\n"
    return _Pen(sharing, max(width, _LEAST), unicode=unicode, colour=colour).draw()


class _Pen:
    def __init__(self, sharing: Sharing, width: int, *, unicode: bool, colour: bool) -> None:
        self.sharing = sharing
        self.unicode = unicode
        self.colour = colour
        self.names = [self._plain(image_name(image)) for image in sharing.images]
        self.users = any(image.containers for image in sharing.images)
        rest = 2 * _NUMBERS + (4 if self.users else 0)
        longest = max(*(columns_of(name) for name in self.names), len("IMAGE"))
        shared = sum(1 for part in sharing.parts if len(part.images) > 1)
        room = width - rest - 2
        self.name_width = min(longest, _NAMES, max(room - shared, room // 2))
        room -= self.name_width
        self.columns = columns(sharing, most=max(room, 1))
        self.step = 2 if 2 * len(self.columns) <= room else 1

    def draw(self) -> str:
        lines = [*summary(self.sharing), ""]
        gap = " " * (self.name_width + 2)
        if self.columns:
            lines.append(gap + self._heights())
        letters = "".join(column.label.ljust(self.step)[: self.step] for column in self.columns)
        head = f"{'SIZE':>{_NUMBERS}}{'FREES':>{_NUMBERS}}" + ("  CT" if self.users else "")
        lines.append("IMAGE".ljust(self.name_width + 2) + letters + head)
        lines += [self._row(place, image) for place, image in enumerate(self.sharing.images)]
        if len(self.sharing.images) > _SCREEN and self.columns:
            lines.append(gap + letters)
        text = "".join(line.rstrip() + "\n" for line in lines)
        return text + self._legend() + self._containers()

    def _heights(self) -> str:
        """Draw above each column how large it is, the largest highest."""
        largest = max(column.size for column in self.columns) or 1
        if not self.unicode:
            return ""
        heights = (
            _HEIGHTS[min(column.size * len(_HEIGHTS) // largest, len(_HEIGHTS) - 1)]
            for column in self.columns
        )
        return "".join(
            self._painted(height.ljust(self.step), number) for number, height in enumerate(heights)
        )

    def _row(self, place: int, image: SharedImage) -> str:
        name = self._cut(self.names[place])
        pad = " " * (self.name_width - columns_of(name) + 2)
        cells = "".join(
            self._cell(column, number, has=place in column.images)
            for number, column in enumerate(self.columns)
        )
        numbers = "".join(
            f"{human_size(size, precision=3):>{_NUMBERS}}" for size in (image.size, image.frees)
        )
        users = f"{image.containers or '':>4}" if self.users else ""
        return name + pad + cells + numbers + users

    def _cell(self, column: Column, number: int, *, has: bool) -> str:
        if not has:
            sign = ("·" if self.unicode else ".").ljust(self.step)
            return f"{_DIM}{sign}{_PLAIN}" if self.colour else sign
        signs = ("▒", "█") if self.unicode else ("o", "#")
        return self._painted(signs[not column.stays].ljust(self.step), number)

    def _painted(self, text: str, number: int) -> str:
        return f"{_COLOURS[number % len(_COLOURS)]}{text}{_PLAIN}" if self.colour else text

    def _legend(self) -> str:
        if not self.columns:
            return "\nNo two of them share a layer.\n" if len(self.names) > 1 else ""
        rows = [["SHARED", "LAYERS", "ON DISK ONCE", "IMAGES", "REMOVING ALL OF THEM FREES"]]
        for column in self.columns:
            note = f"  ({column.parts} smaller parts)" if column.parts > 1 else ""
            rows.append(
                [
                    column.label,
                    str(column.layers),
                    human_size(column.size, precision=3),
                    str(len(column.images)),
                    human_size(column.together, precision=3) + note + _held(column),
                ]
            )
        return "\n" + render(rows, least=6, padding=2)

    def _containers(self) -> str:
        rows = [["CONTAINER", "STANDS ON", "WRITTEN", "STATE"]]
        bases = {
            image.id: name for image, name in zip(self.sharing.images, self.names, strict=True)
        }
        rows += [
            [
                self._cut(self._plain(one.name)),
                self._cut(bases.get(one.image, "an image that was removed")),
                human_size(one.size, precision=3),
                "running" if one.running else "stopped",
            ]
            for one in self.sharing.containers
        ]
        return "\n" + render(rows, least=6, padding=2) if len(rows) > 1 else ""

    def _plain(self, text: str) -> str:
        text = flat(text)
        return text if self.unicode else text.encode("ascii", "replace").decode()

    def _cut(self, text: str) -> str:
        if columns_of(text) <= self.name_width:
            return text
        mark = "…" if self.unicode else "~"
        return _from_both_ends(text, self.name_width - 1, mark)


def _held(column: Column) -> str:
    return "; this part stays" if column.stays else ""


def _from_both_ends(text: str, room: int, mark: str) -> str:
    """Leave the middle out: registry and tag tell more than what is between."""
    tail = _taken(reversed(text), (room + 1) // 2)[::-1]
    return _taken(text, room - columns_of(tail)) + mark + tail


def _taken(letters: Iterable[str], room: int) -> str:
    out = ""
    for letter in letters:
        if columns_of(out + letter) > room:
            break
        out += letter
    return out
