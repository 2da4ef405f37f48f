"""An image taken apart as a picture: which digest names what, and what is computed from what."""

from __future__ import annotations

from lamina.study.drawing.markup import Markup, size_text, tag
from lamina.study.drawing.paint import FONT, colour, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.cli.explaining.anatomy import Anatomy, Link

__all__ = ["picture"]

_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_WIDTH = 1120
_ROW, _TOP, _PAD = 56.0, 96.0, 12.0
_MANIFEST, _BLOB, _CONFIG, _CHAIN = (1.0, 226.0), (292.0, 180.0), (538.0, 226.0), (834.0, 285.0)
_LEAST = 150.0
_ARROW = 6.0
_STYLE = "svg{color:#1b1f27;background:#fff}@media(prefers-color-scheme:dark){svg{color:#e7eaf0;background:#12151b}}"


def picture(anatomy: Anatomy) -> str:
    """Draw an image as SVG that stands by itself: its layers lowest at the bottom, as they lie.

    From left to right: the manifest, the blobs that it names, the config with the diff IDs of what is in
    them, and the chain ID that each makes with the one below.
    """
    links = anatomy.links[::-1]
    pen = _Pen(anatomy, links)
    height = pen.bottom + 46
    body = [
        tag("style", Markup(_STYLE)),
        tag("title", f"How {anatomy.name} hangs together"),
        *pen.headings(),
        pen.document(_MANIFEST, "manifest", str(anatomy.image.manifest.digest), pen.bottom),
        pen.document(_CONFIG, "config = image ID", str(anatomy.image.id), pen.bottom),
        *pen.config_row(),
    ]
    for index, link in enumerate(links):
        body += pen.layer(link, index)
    return tag(
        "svg",
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height:.0f}",
        width=_WIDTH,
        height=f"{height:.0f}",
        role="img",
        aria_label=f"How {anatomy.name} hangs together: {len(links)} layers",
        font_family=FONT,
    )


class _Pen:
    def __init__(self, anatomy: Anatomy, links: Sequence[Link]) -> None:
        self._anatomy = anatomy
        self._links = links
        self._rows_end = _TOP + 44 + _ROW * len(links)
        self.bottom = max(self._rows_end + _ROW + 8, _TOP + _LEAST)

    def headings(self) -> list[Markup]:
        """Write the name, and over each column what it is."""
        rows = [
            _text(cut(self._anatomy.name, _WIDTH - 20, 20), 1, 24, 20, weight="600"),
            _text("lists by digest", _MANIFEST[0], _TOP - 20, 12, opacity="0.7"),
            _text("blobs: what is sent and stored", _BLOB[0], _TOP - 20, 12, opacity="0.7"),
            _text("says what is in them", _CONFIG[0], _TOP - 20, 12, opacity="0.7"),
        ]
        if self._links:
            rows.append(_text("names the pile up to here", _CHAIN[0], _TOP - 20, 12, opacity="0.7"))
        return rows

    def document(
        self, column: tuple[float, float], what: str, digest: str, bottom: float
    ) -> Markup:
        """Draw a document as a sheet that the digests in it stand on."""
        left, width = column
        return tag(
            "g",
            tag("title", f"{what} {digest}"),
            _box(left, _TOP, width, bottom - _TOP, fill="none", stroke="currentColor"),
            _text(what, left + _PAD, _TOP + 19, 13, weight="600"),
            _text(_short(digest), left + _PAD, _TOP + 36, 12, family=_MONO),
        )

    def config_row(self) -> list[Markup]:
        """Draw the manifest's row for the config, and the way there."""
        config = self._anatomy.image.manifest.config
        middle = self._rows_end + _ROW / 2
        left, width = _MANIFEST
        end = left + width - _PAD
        return [
            _box(left + _PAD, middle - 17, width - 2 * _PAD, 34, fill="#8b8f98"),
            _text("config", left + 2 * _PAD, middle - 3, 11, fill="#fff"),
            _text(
                _short(str(config.digest)),
                left + 2 * _PAD,
                middle + 11,
                12,
                fill="#fff",
                family=_MONO,
            ),
            _arrow(end, middle, _CONFIG[0], middle),
            _text(size_text(config.size), _BLOB[0] + 4, middle - 6, 12, opacity="0.7"),
        ]

    def layer(self, link: Link, index: int) -> list[Markup]:
        """Draw one layer across all columns."""
        middle = _TOP + 44 + _ROW * (index + 0.5)
        paint = colour(link.number)
        digest, size = str(link.layer.digest), size_text(link.layer.size)
        parts: list[Markup] = []
        left, width = _MANIFEST
        parts.append(self._row(_MANIFEST, middle, paint, f"layers[{link.number - 1}]", digest))
        parts.append(_arrow(left + width - _PAD, middle, _BLOB[0], middle))
        left, width = _BLOB
        packing = link.layer.media_type.rpartition(".")[2].removeprefix("tar+")
        unpacked = f" → {size_text(link.tar_size)}" if link.tar_size >= 0 else ""
        parts += [
            tag(
                "g",
                tag("title", f"Layer {link.number}: {link.step or 'made without an instruction'}"),
                _box(left, middle - 21, width, 42, fill="none", stroke=paint),
                _text(
                    cut(link.step or f"layer {link.number}", width - 20, 12.5),
                    left + 10,
                    middle - 4,
                    12.5,
                ),
                _text(
                    cut(f"{size} {packing}{unpacked}", width - 14, 11),
                    left + 10,
                    middle + 12,
                    11,
                    opacity="0.7",
                ),
            ),
            _arrow(left + width, middle, _CONFIG[0] + _PAD, middle),
        ]
        left, width = _CONFIG
        diff_id = str(link.diff_id)
        parts.append(self._row(_CONFIG, middle, paint, f"diff_ids[{link.number - 1}]", diff_id))
        parts.append(_arrow(left + width - _PAD, middle, _CHAIN[0], middle))
        parts += self._chain(link, middle)
        return parts

    def _row(
        self, column: tuple[float, float], middle: float, paint: str, what: str, digest: str
    ) -> Markup:
        left, width = column
        return tag(
            "g",
            tag("title", digest),
            _box(left + _PAD, middle - 19, width - 2 * _PAD, 38, fill=paint),
            _text(what, left + 2 * _PAD, middle - 4, 11, fill="#fff"),
            _text(_short(digest), left + 2 * _PAD, middle + 12, 12, fill="#fff", family=_MONO),
        )

    def _chain(self, link: Link, middle: float) -> list[Markup]:
        left, width = _CHAIN
        said = f'sha256("{link.below} {link.diff_id}")' if link.below else "the diff ID itself"
        how = "sha256(chain below, blank, diff ID)" if link.below else "= the diff ID"
        parts = [
            tag(
                "g",
                tag("title", f"{link.chain} = {said}"),
                _box(left, middle - 21, width, 42, fill="none", stroke="currentColor"),
                _text(f"chain ID {link.number}", left + 10, middle - 4, 12.5, weight="600"),
                _text(_short(str(link.chain)), left + 92, middle - 4, 12, family=_MONO),
                _text(how, left + 10, middle + 12, 11, opacity="0.7"),
            )
        ]
        if link.below:
            at = left + width - 30
            parts.append(_arrow(at, middle + _ROW - 21, at, middle + 21))
        return parts


def _short(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:12]}…"


def _box(
    x: float, y: float, width: float, height: float, *, fill: str, stroke: str | None = None
) -> Markup:
    return tag("rect", x=x, y=y, width=width, height=height, rx=5, fill=fill, stroke=stroke)


def _text(
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    weight: str | None = None,
    opacity: str | None = None,
    fill: str = "currentColor",
    family: str | None = None,
) -> Markup:
    return tag(
        "text", text, x=x, y=y, font_size=size, font_weight=weight, opacity=opacity, fill=fill,
        font_family=family,
    )  # fmt: skip


def _arrow(from_x: float, from_y: float, to_x: float, to_y: float) -> Markup:
    """Draw a straight arrow, to the right or upwards."""
    step = _ARROW
    if from_y == to_y:
        head = f"M{to_x - step:.0f} {to_y - step / 1.5:.1f}L{to_x:.0f} {to_y:.1f}L{to_x - step:.0f} {to_y + step / 1.5:.1f}"
    else:
        head = f"M{to_x - step / 1.5:.1f} {to_y + step:.1f}L{to_x:.0f} {to_y:.1f}L{to_x + step / 1.5:.1f} {to_y + step:.1f}"
    return tag(
        "path",
        d=f"M{from_x:.0f} {from_y:.1f}L{to_x:.0f} {to_y:.1f}{head}",
        fill="none",
        stroke="currentColor",
        stroke_opacity="0.7",
        stroke_width="1.2",
    )
