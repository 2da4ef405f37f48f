"""Images by shared layers as an SVG: a row for each image, a column for each part that some share."""

from __future__ import annotations

from html import escape

from lamina.cli.sharing_columns import columns, image_name, summary
from lamina.cli.table import flat
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.sharing_columns import Column
    from lamina.engine.sharing import SharedImage, Sharing, Standing

__all__ = ["STYLE", "svg"]

_WIDTH, _MARGIN = 1000, 16
_NAMES, _OWN = 250, 230
"""Columns of the names, and of what each image has alone."""
_NAME_LETTERS, _LETTER = 31, 6.6
_ROW, _SMALL_ROW, _MANY = 22, 15, 60
_THIN, _WIDE, _MOST = 3.0, 72.0, 170
_TINTS = 6
_LABEL, _SIZE_LABEL = 9.0, 40.0
"""What a column must be wide to have its letter, and its size, above it."""

STYLE = """\
.lamina-sharing{--ink:#17211f;--dim:#5c6b68;--paper:#fff;--line:#e3e9e7;--own:#9db3ae;
--t0:#0f8a7c;--t1:#b3661b;--t2:#7a4fa3;--t3:#3f7d2c;--t4:#2868b0;--t5:#b0324f;
background:var(--paper);font:13px system-ui,sans-serif}
.lamina-sharing text{fill:var(--ink)}
.lamina-sharing .dim{fill:var(--dim);font-size:11px}
.lamina-sharing .none{fill:var(--dim);font-style:italic}
.lamina-sharing .paper{fill:var(--paper)}
.lamina-sharing .line{fill:var(--line)}
.lamina-sharing .own{fill:var(--own)}
.lamina-sharing .held{opacity:.45}
.lamina-sharing .box{fill:none;stroke:var(--dim);stroke-dasharray:4 3}
.lamina-sharing .t0{fill:var(--t0)}.lamina-sharing .t1{fill:var(--t1)}
.lamina-sharing .t2{fill:var(--t2)}.lamina-sharing .t3{fill:var(--t3)}
.lamina-sharing .t4{fill:var(--t4)}.lamina-sharing .t5{fill:var(--t5)}
@media (prefers-color-scheme:dark){.lamina-sharing{--ink:#e6edeb;--dim:#93a5a1;--paper:#121817;
--line:#26312f;--own:#556964;--t0:#3bc4b2;--t1:#e79a4e;--t2:#b58be0;--t3:#7fc067;--t4:#6fa8ec;
--t5:#ee7c96}}
"""
"""The picture's colours, on light and on dark."""


def svg(sharing: Sharing) -> str:
    """Draw `sharing`; the picture stands alone, without scripts, and names its parts on hovering."""
    return _Pen(sharing).draw()


class _Pen:
    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        self.columns = columns(sharing, most=_MOST)
        self.row = _ROW if len(sharing.images) <= _MANY else _SMALL_ROW
        self.widths = _widths(self.columns, _WIDTH - 2 * _MARGIN - _NAMES - _OWN)
        self.out: list[str] = []

    def draw(self) -> str:
        images, containers = self.sharing.images, self.sharing.containers
        lines = summary(self.sharing)
        top = _MARGIN + 18 * len(lines) + 44
        bottom = top + len(images) * self.row
        height = bottom + _MARGIN + (38 + len(containers) * 26 if containers else 0)
        for number, line in enumerate(lines):
            self._text(_MARGIN, _MARGIN + 14 + 18 * number, line)
        self._heads(top)
        largest = max((image.frees for image in images), default=0) or 1
        for place, image in enumerate(images):
            self._image(place, image, top + place * self.row, largest)
        if containers:
            self._text(_MARGIN, bottom + 30, "Containers: what each has written on top", "dim")
            most = max(one.size for one in containers) or 1
            for number, one in enumerate(containers):
                self._container(one, bottom + 42 + number * 26, most)
        body = "\n".join(self.out)
        title = f"{len(images)} images and what they share"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="lamina-sharing" role="img" '
            f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
            f'aria-label="{title}">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
            f'<rect class="paper" width="{_WIDTH}" height="{height}"/>\n{body}\n</svg>\n'
        )

    def _heads(self, top: int) -> None:
        own = _WIDTH - _MARGIN - _OWN
        self._text(_MARGIN, top - 8, "image", "dim")
        self._text(own + 12, top - 8, "only here: freed by removing it", "dim")
        for (left, width), column in zip(self._places(), self.columns, strict=True):
            middle = left + width / 2
            if width >= _SIZE_LABEL:
                self._text(middle, top - 8, _size(column.size), "dim", anchor="middle")
                self._text(middle, top - 22, column.label, anchor="middle")
            elif width >= _LABEL:
                self._text(middle, top - 8, column.label, "dim", anchor="middle")

    def _places(self) -> list[tuple[float, float]]:
        left = float(_MARGIN + _NAMES)
        places = []
        for width in self.widths:
            places.append((left, width))
            left += width
        return places

    def _image(self, place: int, image: SharedImage, top: int, largest: int) -> None:
        name = image_name(image)
        base = top + self.row * 0.7
        shown = name if len(name) <= _NAME_LETTERS else f"{name[:15]}…{name[-15:]}"
        words = f"{', '.join(image.names) or name}: {_size(image.size)} in {image.layers} layers"
        self._text(_MARGIN, base, shown, "" if image.names else "none", title=words)
        self.out.append(
            f'<rect class="line" x="{_MARGIN}" y="{top + self.row - 1}" '
            f'width="{_WIDTH - 2 * _MARGIN}" height="1"/>'
        )
        for number, ((left, width), column) in enumerate(
            zip(self._places(), self.columns, strict=True)
        ):
            if place in column.images:
                tint = f"t{number % _TINTS}" + (" held" if column.stays else "")
                gap = 1.5 if width > _LABEL else 0.5
                self._bar(tint, (left, width - gap), (top + 2, self.row - 5), _words(column))
        own = _WIDTH - _MARGIN - _OWN + 12
        width = max((_OWN - 120) * image.frees / largest, 1.0) if image.frees else 0.0
        self._bar("own", (own, width), (top + 2, self.row - 5), f"{_size(image.frees)} only here")
        used = f" · {image.containers} on it" if image.containers else ""
        self._text(own + width + 6, base, f"{_size(image.frees)}{used}", "dim")

    def _container(self, one: Standing, top: int, largest: int) -> None:
        bases = {image.id: image_name(image) for image in self.sharing.images}
        base = bases.get(one.image, "an image that was removed")
        state = "running" if one.running else "stopped"
        words = f"{one.name} on {base}: {_size(one.size)} written, {state}"
        room = _WIDTH - 2 * _MARGIN
        self.out.append(
            f'<rect class="box" x="{_MARGIN}" y="{top}" width="{room}" height="22" rx="3"/>'
        )
        most = int((room - _OWN - 24) / _LETTER)
        text = f"{one.name} on {base}, {state}"
        self._text(_MARGIN + 8, top + 15, text if len(text) <= most else text[: most - 1] + "…")
        left = _WIDTH - _MARGIN - _OWN + 12
        width = max((_OWN - 120) * one.size / largest, 1.0) if one.size else 0.0
        self._bar("own", (left, width), (top + 4, 14), words)
        self._text(left + width + 6, top + 15, _size(one.size), "dim")

    def _bar(
        self, kind: str, across: tuple[float, float], down: tuple[float, float], words: str
    ) -> None:
        """Draw a rectangle; `across` and `down` are where it begins and how much of it there is."""
        (left, width), (top, height) = across, down
        if width > 0:
            self.out.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}"><title>{_safe(words)}</title></rect>'
            )

    def _text(
        self,
        left: float,
        base: float,
        words: str,
        kind: str = "",
        *,
        anchor: str = "",
        title: str = "",
    ) -> None:
        more = f' class="{kind}"' if kind else ""
        more += f' text-anchor="{anchor}"' if anchor else ""
        told = f"<title>{_safe(title)}</title>" if title else ""
        self.out.append(f'<text x="{left:.1f}" y="{base:.1f}"{more}>{told}{_safe(words)}</text>')


def _widths(found: list[Column], room: float) -> list[float]:
    """Share out `room` by the roots of the sizes: the small ones are to be seen, too."""
    roots = [max(column.size, 1) ** 0.5 for column in found]
    whole = sum(roots) or 1.0
    spare = max(room - _THIN * len(found), 0.0)
    return [min(_THIN + spare * root / whole, _WIDE) for root in roots]


def _words(column: Column) -> str:
    part = f"{column.parts} parts" if column.parts > 1 else f"part {column.label}"
    stays = "; needed elsewhere, too" if column.stays else ""
    return (
        f"{part}: {column.layers} layers, {_size(column.size)}, once for {len(column.images)} images"
        f"; removing all of these frees {_size(column.together)}{stays}"
    )


def _size(size: int) -> str:
    return human_size(size, precision=3)


def _safe(text: str) -> str:
    """Write text for XML, which has no place for control characters and lone surrogates."""
    return escape(flat(text))
