"""Colours and shading that all pictures share: they can be read on light and on dark ground."""

from lamina.study.drawing.markup import joined, tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.study.drawing.markup import Markup

__all__ = ["COLOURS", "FONT", "REST", "WASTE", "colour", "cut", "hatch"]

COLOURS = (
    "#4c78a8", "#3f938c", "#8a6fb5", "#5b9447", "#b0623f", "#5f7f9f", "#a8588c", "#94842f",
)  # fmt: skip
"""Of layers and directories, one after the other."""
REST = "#8b8f98"
"""Of what is left: many small things."""
WASTE = "#d1495b"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_STEP = 7.0
_LEAST = 1.5
_LETTER = 0.56  # how wide a letter is on average, for its height
_WIDE = 1.75
_FEWEST = 2


def colour(number: int) -> str:
    """Give the colour of the thing with a number from 1."""
    return COLOURS[(number - 1) % len(COLOURS)]


def hatch(x: float, y: float, width: float, height: float) -> "Markup":
    """Shade a rectangle with strokes: what is in it is for nothing.

    Strokes and not a pattern: patterns need names of their own on each page.
    """
    if width < _LEAST or height < _LEAST:
        return joined(())
    strokes = []
    at = _STEP
    while at < width + height:
        left, right = max(0.0, at - height), min(width, at)
        strokes.append(
            f"M{_short(x + left)} {_short(y + at - left)}L{_short(x + right)} {_short(y + at - right)}"
        )
        at += _STEP
    ground = tag(
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        fill=WASTE,
        fill_opacity="0.55",
        class_="waste",
    )
    return ground + tag(
        "path", d="".join(strokes), stroke="#fff", stroke_opacity="0.75", stroke_width="1.4"
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def cut(text: str, room: float, size: float) -> str:
    """Cut a text to about `room` pixels, in letters of `size`; to nothing where nothing is told then."""
    left = room / (size * _LETTER)
    for at, letter in enumerate(text):
        left -= 1 if letter.isascii() else _WIDE
        if left < 0:
            return text[: at - 1].rstrip() + "…" if at > _FEWEST else ""
    return text
