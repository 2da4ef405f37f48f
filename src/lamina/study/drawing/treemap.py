"""Where the bytes of a layer are, as a treemap in SVG: squares as square as they can be.

The layout is that of Bruls, Huizing and van Wijk, "Squarified treemaps" (2000).
"""

from heapq import heappop, heappush

from lamina.study.drawing.markup import Markup, count_text, path_text, size_text, tag
from lamina.study.drawing.paint import FONT, REST, colour, cut, hatch
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.study.parts import Part

__all__ = ["Box", "squarified", "treemap"]

_HEAD = 17.0
_LETTERS = 11.0
_SMALLEST = 4.0
_OPENED = 26.0
_NEEDLE = 1e-9
_MOST_OF_IT = 0.45
_LEAF, _DIRECTORY = "0.5", "0.16"


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Its area."""
        return self.width * self.height


def squarified(sizes: "Sequence[int]", box: Box) -> list[Box]:
    """Share `box` among `sizes`, largest first and none zero; the rectangles are in their order."""
    total = sum(sizes)
    found: list[Box] = []
    areas = [size * box.area / total for size in sizes] if total else []
    at = 0
    while at < len(areas):
        side = max(min(box.width, box.height), _NEEDLE)
        end, row = at + 1, areas[at]
        while end < len(areas) and _worst(areas[at], areas[end], row + areas[end], side) <= _worst(
            areas[at], areas[end - 1], row, side
        ):
            row += areas[end]
            end += 1
        box = _laid(areas[at:end], row / side, box, found)
        at = end
    return found


def _worst(largest: float, smallest: float, row: float, side: float) -> float:
    """Tell how far from a square the worst of a row is that takes `row` of a side's length."""
    depth = max(row / side, _NEEDLE) ** 2
    return max(largest / depth, depth / max(smallest, _NEEDLE))


def _laid(areas: "Sequence[float]", depth: float, box: Box, found: list[Box]) -> Box:
    """Lay a row along the shorter side; give what is left of the box."""
    deep = max(depth, _NEEDLE)
    x, y, width, height = box
    for area in areas:
        length = area / deep
        if width >= height:
            found.append(Box(x, y, deep, length))
            y += length
        else:
            found.append(Box(x, y, length, deep))
            x += length
    if width >= height:
        return Box(box.x + deep, box.y, max(width - deep, 0.0), height)
    return Box(box.x, box.y + deep, width, max(height - deep, 0.0))


def treemap(root: "Part", *, width: int = 920, height: int = 380, most: int = 250) -> Markup:
    """Draw where the bytes of `root` are, in about `most` rectangles: the largest are opened first.

    What is wasted is shaded. Small files of a directory are one rectangle together.
    """
    painting = _Painting(root.size, most)
    painting.open(root, _Place(b"", Box(0.5, 0.5, width - 1.0, height - 1.0), 0))
    painting.all()
    said = f"{size_text(root.size)} in {count_text(root.count, 'file')}"
    return tag(
        "svg",
        *painting.shapes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=f"Where the bytes of the layer are: {said}",
        font_family=FONT,
        font_size=_LETTERS,
        class_="treemap",
    )


class _Place(NamedTuple):
    """Where something is drawn: `path` is that of the directory it is in, `paint` its colour's number."""

    path: bytes
    box: Box
    paint: int


class _Painting:
    """Rectangles that are drawn, and directories that may still be opened, the largest first."""

    def __init__(self, total: int, most: int) -> None:
        self._total = total
        self.shapes: list[Markup] = []
        self._most = most
        self._count = 0
        self._waiting: list[tuple[float, int, Part, _Place]] = []

    def all(self) -> None:
        """Open directories while there is room on the picture and for the eye."""
        while self._waiting and self._count < self._most:
            _, _, part, place = heappop(self._waiting)
            self.open(part, place)

    def open(self, part: "Part", place: _Place) -> None:
        """Draw what is in a directory."""
        sizes = [one.size for one in part.parts]
        rest = part.size - sum(sizes)
        rows: list[Part | None] = [*part.parts]
        if rest > 0:
            at = sum(size >= rest for size in sizes)
            sizes.insert(at, rest)
            rows.insert(at, None)
        boxes = squarified(sizes, place.box)
        for number, (row, box) in enumerate(zip(rows, boxes, strict=True), 1):
            if min(box.width, box.height) >= 1:
                self._count += 1
                inner = Box(box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1)
                here = _Place(place.path, inner, place.paint or number)
                if row is None:
                    self._rest(part, here)
                else:
                    self._part(row, here)

    def _rest(self, above: "Part", place: _Place) -> None:
        count = above.count - sum(one.count for one in above.parts)
        size = size_text(above.size - sum(one.size for one in above.parts))
        said = f"{count_text(count, 'small file')} in /{path_text(place.path)}, {size}"
        self._rectangle(place, REST, said, is_leaf=True)
        self._label(place.box, f"{count:,} small", size)

    def _part(self, part: "Part", place: _Place) -> None:
        start = place.path + b"/" if place.path else b""
        full = start + part.name
        while (
            len(part.parts) == 1 and part.parts[0].is_directory and part.parts[0].size == part.size
        ):
            part = part.parts[0]
            full += b"/" + part.name
        box = place.box
        self._rectangle(
            place, colour(place.paint), _said(part, full), is_leaf=not part.is_directory
        )
        is_opened = min(box.width, box.height) >= _OPENED and bool(part.parts)
        if part.wasted and (part.wasted == part.size or not is_opened):
            wide = box.width * part.wasted / part.size
            self.shapes.append(hatch(box.x + box.width - wide, box.y, wide, box.height))
        name = path_text(full[len(start) :])
        self._label(box, f"{name}/" if part.is_directory else name, size_text(part.size))
        room = Box(box.x + 2, box.y + _HEAD, box.width - 4, box.height - _HEAD - 2)
        if is_opened and min(room.width, room.height) >= _SMALLEST:
            # Of a directory that is nearly everything, those in it are told apart by colours.
            paint = 0 if part.size > _MOST_OF_IT * self._total else place.paint
            inside = _Place(full, room, paint)
            heappush(self._waiting, (-room.area, len(self.shapes), part, inside))

    def _rectangle(self, place: _Place, fill: str, said: str, *, is_leaf: bool) -> None:
        box = place.box
        self.shapes.append(
            tag(
                "rect",
                tag("title", said),
                x=box.x,
                y=box.y,
                width=max(box.width, 0.5),
                height=max(box.height, 0.5),
                rx="2",
                fill=fill,
                fill_opacity=_LEAF if is_leaf else _DIRECTORY,
                stroke=None if is_leaf else fill,
                stroke_opacity=None if is_leaf else "0.8",
            )
        )

    def _label(self, box: Box, name: str, size: str) -> None:
        if box.height < _LETTERS + 4:
            return
        both, room = f"{name}  {size}", box.width - 8
        text = both if cut(both, room, _LETTERS) == both else cut(name, room, _LETTERS)
        if text:
            self.shapes.append(
                tag("text", text, x=box.x + 4, y=box.y + _LETTERS + 2, fill="currentColor")
            )


def _said(part: "Part", path: bytes) -> str:
    said = f"/{path_text(path)}, {size_text(part.size)}"
    if part.is_directory:
        said += f" in {count_text(part.count, 'file')}"
    if part.wasted:
        said += f", {size_text(part.wasted)} hidden by later layers"
    return said
