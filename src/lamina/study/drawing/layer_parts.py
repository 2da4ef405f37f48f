"""The layers of an image on its page: a table of all, and what is in each."""

from lamina.study.drawing.markup import Markup, count_text, joined, share_text, size_text, tag
from lamina.study.drawing.tables import Column, chips, facts, folded, shortened, table
from lamina.study.drawing.treemap import treemap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.study.exploration import Exploration, ExploredLayer, Tally

__all__ = ["layer_parts"]

_LAYERS = 500
_RECTANGLES = 4000
_OF_ONE = 300
_LEAST = 12
_LETTERS = 3000
_NAMELESS = "(made without an instruction)"
_FEW, _HIGH, _LOW = 8, 380, 150


def layer_parts(found: "Exploration") -> "Iterator[tuple[str, str, Markup]]":
    """Give the parts about layers, each with its name and title; none for an image without."""
    if found.layers:
        yield "layers", "Layers", _table(found)
        yield "contents", "What is in them", _contents(found)


def _table(found: "Exploration") -> Markup:
    columns = (
        Column("", "num"), Column("Instruction", "wide"), Column("Added", "num"),
        Column("Changed", "num"), Column("Removed", "num"), Column("Size", "num"),
        Column("Share", "num"), Column("Sent", "num"), Column("Wasted", "num"),
    )  # fmt: skip
    rows = [
        (
            str(layer.number),
            tag("a", _title(layer), href=f"#layer-{layer.number}"),
            _count(layer.added),
            _count(layer.changed),
            _count(layer.removed),
            size_text(layer.size),
            share_text(layer.size, found.size),
            size_text(layer.compressed_size),
            tag("span", size_text(layer.wasted), class_="bad") if layer.wasted else "",
        )
        for layer in reversed(found.layers[:_LAYERS])
    ]
    return table("Layers", columns, rows)


def _title(layer: "ExploredLayer") -> str:
    return shortened(layer.step.instruction, 160) or _NAMELESS


def _count(tally: "Tally") -> str:
    return f"{tally.count:,}" if tally.count else ""


def _contents(found: "Exploration") -> Markup:
    hint = "Rectangles are files and directories by size; what is shaded, a later layer hides."
    layers = found.layers[:_LAYERS]
    total = sum(layer.size for layer in layers) or 1
    largest = max(layers, key=lambda layer: layer.size).number
    rows = [tag("p", hint, class_="soft")]
    for layer in reversed(layers):
        most = min(_OF_ONE, max(_LEAST, _RECTANGLES * layer.size // total))
        note = size_text(layer.size)
        said = f"{layer.number}. {_title(layer)}"
        inside = _inside(layer, most)
        name = f"layer-{layer.number}"
        rows.append(folded(said, inside, name=name, note=note, is_open=layer.number == largest))
    return joined(rows)


def _inside(layer: "ExploredLayer", most: int) -> Markup:
    deeds = (
        ("added", layer.added), ("changed", layer.changed), ("just as it was", layer.repeated),
        ("removed", layer.removed),
    )  # fmt: skip
    parts: list[str] = [
        chips(
            f"{count_text(tally.count, 'path')} {word}"
            + (f", {size_text(tally.size)}" if tally.size else "")
            for word, tally in deeds
            if tally.count
        )
    ]
    if layer.lost:
        parts.append(tag("p", f"It {layer.lost}", class_="bad"))
    if layer.wasted or layer.hidden:
        said = [f"{size_text(layer.wasted)} of it wasted"] if layer.wasted else []
        said += [f"{size_text(layer.hidden)} of lower layers hidden"] if layer.hidden else []
        parts.append(tag("p", ", ".join(said), class_="bad"))
    if layer.size:
        height = _HIGH if layer.root.count > _FEW else _LOW
        drawn = treemap(layer.root, height=height, most=most)
        label = f"Treemap of layer {layer.number}"
        parts.append(
            tag("div", drawn, class_="scroll", role="region", aria_label=label, tabindex="0")
        )
    if layer.step.created_by:
        parts.append(tag("pre", shortened(layer.step.created_by, _LETTERS)))
    rows = [
        ("Digest", tag("code", str(layer.digest))),
        ("Diff ID", tag("code", str(layer.diff_id))),
        ("Chain ID", tag("code", str(layer.chain_id))),
        ("Media type", tag("code", shortened(layer.media_type, _LETTERS))),
        ("Sent", size_text(layer.compressed_size)),
        ("Tar", size_text(layer.tar_size) if layer.tar_size else ""),
        ("Created", layer.step.created),
        ("Author", shortened(layer.step.author, _LETTERS)),
        ("Comment", shortened(layer.step.comment, _LETTERS)),
    ]
    parts.append(facts((name, value) for name, value in rows if value))
    return joined(parts)
