"""A stack of layers as SVG: how large each is beside the others, what made it, what of it is wasted."""

from itertools import pairwise

from lamina.study.drawing.markup import Markup, share_text, size_text, tag
from lamina.study.drawing.paint import FONT, WASTE, colour, cut, hatch
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Floor", "stack"]

_NARROW = 560
_MANY = 24
_HIGHEST = 240.0
_THINNEST = 3.0
_DIGITS = 9.0
_BOLD = 1.1
_THREE_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Floor:
    """One layer of the picture: `size` bytes of which `wasted` are for nothing. `link` may be empty."""

    number: int
    title: str
    size: int
    wasted: int = 0
    link: str = ""


def stack(floors: "Sequence[Floor]", *, width: int = 920) -> Markup:
    """Draw layers, lowest first; the topmost is drawn on top. Letters are for `width` pixels.

    The bar on the left has each layer's height by its size, the lines beside it all the same height.
    """
    pen = _Pen(floors, width)
    heights = pen.heights()
    edges = [0.0]
    for height in heights:
        edges.append(edges[-1] + height)
    rows = [
        pen.floor(floor, index, top, bottom)
        for index, (floor, (top, bottom)) in enumerate(
            zip(reversed(floors), pairwise(edges), strict=True)
        )
    ]
    total = sum(floor.size for floor in floors)
    wasted = sum(floor.wasted for floor in floors)
    said = f"{len(floors)} layers with {size_text(total)}"
    if wasted:
        said += f", {size_text(wasted)} of it wasted"
    return tag(
        "svg",
        *rows,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {pen.height + 2:.0f}",
        width=width,
        height=f"{pen.height + 2:.0f}",
        role="img",
        aria_label=said,
        font_family=FONT,
        class_="stack",
    )


class _Pen:
    def __init__(self, floors: "Sequence[Floor]", width: int) -> None:
        self.floors = floors
        self.width = width
        self.total = sum(floor.size for floor in floors)
        self.is_narrow = width < _NARROW
        self.has_details = len(floors) <= _MANY
        self.row = 46.0 if self.has_details else 26.0
        self.bar = 44.0 if self.is_narrow else 120.0
        self.gap = 22.0 if self.is_narrow else 56.0
        self.letters = 13.0 if self.is_narrow else 14.0
        self.height = max(self.row * len(floors), _HIGHEST) if floors else 0.0

    def heights(self) -> list[float]:
        """Share the bar among the layers, topmost first; each is seen, however small."""
        free = self.height - _THINNEST * len(self.floors)
        return [
            _THINNEST + (free * floor.size / self.total if self.total else free / len(self.floors))
            for floor in reversed(self.floors)
        ]

    def floor(self, floor: Floor, index: int, top: float, bottom: float) -> Markup:
        start = (self.height - self.row * len(self.floors)) / 2
        middle = start + self.row * (index + 0.5) + 1
        paint = colour(floor.number)
        parts = [
            tag("title", self._said(floor)),
            *self._segment(floor, top + 1, bottom + 1, paint),
            self._leader((top + bottom) / 2 + 1, middle, paint),
            *self._words(floor, middle, paint),
        ]
        if floor.link:  # all of the line leads there, not its letters alone
            reach = {"x": self.bar + self.gap - 4, "y": middle - self.row / 2}
            room = {"width": self.width - reach["x"], "height": self.row}
            parts.append(
                tag("rect", **reach, **room, fill="none", pointer_events="all", class_="reach")
            )
        group = tag("g", *parts)
        return tag("a", group, href=floor.link) if floor.link else group

    def _said(self, floor: Floor) -> str:
        said = f"Layer {floor.number}: {floor.title or 'made without an instruction'}, {size_text(floor.size)}"
        return said + (f", {size_text(floor.wasted)} of it wasted" if floor.wasted else "")

    def _segment(self, floor: Floor, top: float, bottom: float, paint: str) -> list[str]:
        height = bottom - top
        drawn = max(height - 1, 1)
        parts: list[str] = [
            tag(
                "rect", x=1, y=top, width=self.bar, height=drawn, rx=min(3.0, drawn / 2), fill=paint
            )
        ]
        if floor.wasted and floor.size:
            wide = self.bar * min(1.0, floor.wasted / floor.size)
            parts.append(hatch(1 + self.bar - wide, top, wide, drawn))
        return parts

    def _leader(self, from_y: float, to_y: float, paint: str) -> Markup:
        left, right = self.bar + 3, self.bar + self.gap - 4
        bend = (left + right) / 2
        curve = f"M{left:.0f} {from_y:.1f}C{bend:.0f} {from_y:.1f} {bend:.0f} {to_y:.1f} {right:.0f} {to_y:.1f}"
        return tag(
            "path", d=curve, fill="none", stroke=paint, stroke_opacity="0.6", stroke_width="1.2"
        )

    def _words(self, floor: Floor, middle: float, paint: str) -> list[str]:
        left = self.bar + self.gap + _DIGITS
        disc = tag("circle", cx=left, cy=middle, r=_DIGITS + 1, fill=paint)
        number = tag(
            "text",
            str(floor.number),
            x=left,
            y=middle + 4,
            fill="#fff",
            font_size=11.0 if floor.number < _THREE_DIGITS else 8.5,
            font_weight="600",
            text_anchor="middle",
        )
        size = size_text(floor.size)
        text_at = left + 2 * _DIGITS
        room = self.width - text_at - 10 - len(size) * self.letters * 0.62
        title = cut(floor.title or "(made without an instruction)", room, self.letters * _BOLD)
        first = middle - 3 if self.has_details else middle + 5
        parts: list[str] = [
            disc,
            number,
            _text(title, text_at, first, self.letters, weight="600"),
            _text(size, self.width - 2.0, first, self.letters, anchor="end"),
        ]
        if self.has_details:
            share = f"{share_text(floor.size, self.total)} of the image"
            parts.append(_text(share, text_at, middle + 14, 12.0, opacity="0.7"))
            if floor.wasted:
                waste = f"{size_text(floor.wasted)} wasted"
                parts.append(
                    _text(waste, self.width - 2.0, middle + 14, 12.0, anchor="end", fill=WASTE)
                )
        return parts


def _text(
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    anchor: str | None = None,
    weight: str | None = None,
    opacity: str | None = None,
    fill: str = "currentColor",
) -> Markup:
    return tag(
        "text",
        text,
        x=x,
        y=y,
        font_size=size,
        font_weight=weight,
        text_anchor=anchor,
        opacity=opacity,
        fill=fill,
        class_="alarm" if fill == WASTE else None,
    )
