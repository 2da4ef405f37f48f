"""Images by shared layers as one page: the picture and its numbers, without scripts."""

from __future__ import annotations

from html import escape

from lamina.cli.sharing_columns import columns, image_name
from lamina.cli.sharing_svg import svg
from lamina.cli.table import flat
from lamina.cli.units import human_size, short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.engine.sharing import Sharing

__all__ = ["page"]

_STYLE = """\
:root{color-scheme:light dark;--ink:#17211f;--dim:#5c6b68;--paper:#fff;--line:#e3e9e7}
@media (prefers-color-scheme:dark){:root{--ink:#e6edeb;--dim:#93a5a1;--paper:#121817;--line:#26312f}}
body{margin:2rem auto;max-width:1000px;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;
color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font-size:12px;overflow-wrap:anywhere}
p{color:var(--dim)}
"""
_NOTE = (
    "<p>Freed by removing: what nothing else needs, with <code>rmi --now</code> and once its "
    "containers are gone.</p>"
)
_ALL = 1_000_000


def page(sharing: Sharing) -> str:
    """Write the page; it loads nothing."""
    images = [
        [_many(image.names) or image_name(image), f"`{short_id(image.id)}", image.layers,
         _size(image.size), _size(image.frees), image.containers]
        for image in sharing.images
    ]  # fmt: skip
    names = [image_name(image) for image in sharing.images]
    parts = [
        [column.label, column.layers, _size(column.size), _size(column.together),
         _many(names[place] for place in sorted(column.images)) + (
             " — and what is not shown here" if column.stays else "")]
        for column in columns(sharing, most=_ALL)
    ]  # fmt: skip
    bases = {image.id: image_name(image) for image in sharing.images}
    containers = [
        [one.name, bases.get(one.image, "an image that was removed"),
         "running" if one.running else "stopped", _size(one.size)]
        for one in sharing.containers
    ]  # fmt: skip
    body = [
        "<h1>What images share</h1>",
        f'<div class="wide">{svg(sharing)}</div>',
        "<h2>Images</h2>",
        _NOTE,
        _table(["Image", "ID", "#Layers", "#Size", "#Freed by removing", "#Containers"], images),
    ]
    if parts:
        body.append("<h2>What is there once for several</h2>")
        body.append(_table(["Part", "#Layers", "#Size", "#Freed by removing all", "Images"], parts))
    if containers:
        body.append("<h2>Containers</h2>")
        body.append(_table(["Container", "Stands on", "State", "#Written"], containers))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>What images share</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table; heads that begin with # are of numbers, cells with a backquote are code."""
    numbers = [head.startswith("#") for head in heads]
    kinds = [' class="n"' if number else "" for number in numbers]
    lines = [
        "".join(
            f"<th{kind}>{head.lstrip('#')}</th>" for kind, head in zip(kinds, heads, strict=True)
        )
    ]
    lines += [
        "".join(f"<td{kind}>{_cell(str(cell))}</td>" for kind, cell in zip(kinds, row, strict=True))
        for row in rows
    ]
    text = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table>\n{text}</table></div>'


def _cell(text: str) -> str:
    safe = escape(flat(text))
    return f"<code>{safe[1:]}</code>" if safe.startswith("`") else safe


def _many(names: Iterable[str]) -> str:
    return ", ".join(names)


def _size(size: int) -> str:
    return human_size(size, precision=3)
