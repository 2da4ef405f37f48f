"""The layers of an image drawn as plates seen from above, as SVG has them. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Plate", "plates"]

_THINNEST, _THICKEST = 4, 34
_WIDTH, _DEPTH, _LEAN, _GAP = 260, 28, 54, 17
_HIGHEST = 560  # so that the drawing stays in sight beside a long list
_LEGIBLE = 14


@dataclass(frozen=True, slots=True)
class Plate:
    """One layer: the points of its three faces. Number 0 is what a container adds on top.

    `label` is empty where the plate is too thin for one.
    """

    number: int
    top: str
    front: str
    side: str
    label: str
    label_y: float


def plates(
    sizes: Sequence[int], *, topmost: int, has_writable: bool
) -> tuple[tuple[Plate, ...], int]:
    """Draw layers of these sizes, TOPMOST FIRST, numbered down from `topmost`; and give the height.

    The plates come LOWEST FIRST: upper ones cover lower ones.

    By the square root: a layer a hundred times larger is ten times thicker. Many layers are drawn
    thinner, so that the whole stays about as high as a window.
    """
    largest = max(sizes, default=0)
    thick = [_thickness(size, largest) for size in sizes]
    natural = sum(thick) + _GAP * len(thick)
    scale = min(1.0, _HIGHEST / natural) if natural else 1.0
    y = 1.0
    drawn: list[Plate] = []
    if has_writable:
        drawn.append(_plate(0, y, _THINNEST, is_legible=True))
        y += _GAP * 2
    for number, thickness in zip(range(topmost, 0, -1), thick, strict=False):
        pitch = (thickness + _GAP) * scale
        drawn.append(_plate(number, y, thickness * scale, is_legible=pitch >= _LEGIBLE))
        y += pitch
    return tuple(reversed(drawn)), math.ceil(y) + _DEPTH


def _thickness(size: int, largest: int) -> int:
    if largest <= 0:
        return _THINNEST
    return _THINNEST + round((_THICKEST - _THINNEST) * math.sqrt(size / largest))


def _plate(number: int, y: float, thickness: float, *, is_legible: bool) -> Plate:
    left, right = 1, _WIDTH - 1
    near_right, far_left = right - _LEAN, left + _LEAN
    high, low = _n(y), _n(y + _DEPTH)
    low_end, high_end = _n(y + _DEPTH + thickness), _n(y + thickness)
    return Plate(
        number=number,
        top=f"{far_left},{high} {right},{high} {near_right},{low} {left},{low}",
        front=f"{left},{low} {near_right},{low} {near_right},{low_end} {left},{low_end}",
        side=f"{near_right},{low} {right},{high} {right},{high_end} {near_right},{low_end}",
        label=str(number) if is_legible else "",
        label_y=round(y + _DEPTH - 5, 1),
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
