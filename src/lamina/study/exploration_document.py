"""Everything about an image as JSON, the files of each layer too, written as it is found.

The form is docs/explore.schema.json; `SCHEMA` counts up when a program that reads it would have to change.
"""

from base64 import b64encode

from lamina.layer.entry import Kind
from lamina.spec.wire import Document, encode
from lamina.study.gains import gains, grouped
from lamina.study.lives import touches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lamina.layer.node import CountedLayer, Node
    from lamina.study.exploration import Exploration, ExploredLayer, Tally

__all__ = ["SCHEMA", "written"]

SCHEMA = 1


def written(found: "Exploration", layers: "Sequence[CountedLayer]") -> "Iterator[str]":
    """Give the document in pieces, a line for each row. `layers` are those that were explored.

    A path is text, with U+FFFD for what is no UTF-8, and then also whole, in base64. Memory does not
    grow with the number of files. Raises: Corrupt.
    """
    yield "{\n"
    for key, value in _facts(found).items():
        yield f"{_text(key)}:{_text(value)},\n"
    yield '"waste":{\n'
    for key, value in _waste(found).items():
        yield f"{_text(key)}:{_text(value)},\n"
    yield from _list("files", _wasted(found))
    yield "},\n"
    for name, rows in (
        ("history", _history(found)),
        ("packages", _packages(found)),
        ("secrets", _secrets(found)),
        ("largest", _largest(found)),
    ):
        yield from _list(name, rows)
        yield ",\n"
    yield '"layers":[\n'
    for layer in found.layers:
        yield "{\n"
        for key, value in _layer(layer).items():
            yield f"{_text(key)}:{_text(value)},\n"
        yield from _list("files", _files(layers, layer.number))
        yield "}" + (",\n" if layer.number < len(found.layers) else "\n")
    yield "]\n}\n"


def _text(value: object) -> str:
    return encode(value).decode()


def _list(name: str, rows: "Iterable[Document]") -> "Iterator[str]":
    yield f"{_text(name)}:["
    gap = "\n"
    for row in rows:
        yield gap + _text(row)
        gap = ",\n"
    yield "]"


def _path(path: bytes, *, name: str = "path", start: bytes = b"/") -> Document:
    """Give a path under `name`, and whole where text cannot say it."""
    full = start + path
    try:
        return {name: full.decode()}
    except UnicodeDecodeError:
        return {
            name: full.decode("utf-8", "replace"),
            f"{name}_base64": b64encode(full).decode(),
        }


def _facts(found: "Exploration") -> Document:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "id": str(found.config.digest),
        "digest": str(found.manifest.digest),
        "media_type": found.manifest.media_type,
        "platform": str(found.config.platform),
        "created": found.config.created or None,
        "author": str(found.config.document.get("author") or "") or None,
        "size": found.size,
        "compressed_size": found.compressed_size,
        "config": found.config.settings,
    }


def _waste(found: "Exploration") -> Document:
    causes: dict[str, list[int]] = {}
    for one in found.waste.files:
        sums = causes.setdefault(str(one.cause), [0, 0])
        sums[0] += 1
        sums[1] += one.size
    rows = sorted(causes.items(), key=lambda row: (-row[1][1], row[0]))
    return {
        "total": found.waste.total,
        "visible": found.waste.visible,
        "wasted": found.waste.size,
        "efficiency": found.waste.efficiency,
        "causes": [{"cause": cause, "count": count, "size": size} for cause, (count, size) in rows],
        "gains": [
            {"size": gain.size, "advice": gain.advice}
            for gain in gains(grouped(found.waste.files), found.made)
        ],
    }


def _wasted(found: "Exploration") -> "Iterator[Document]":
    for one in found.waste.files:
        yield {
            **_path(one.path),
            "size": one.size,
            "cause": str(one.cause),
            "layer": one.number,
            "hidden_by": one.hidden_by or None,
            **(_path(one.note, name="note", start=b"") if one.note else {"note": None}),
        }


def _history(found: "Exploration") -> "Iterator[Document]":
    for step in found.steps:
        yield {
            "number": step.number,
            "layer": step.layer or None,
            "created": step.created or None,
            "created_by": step.created_by,
            "instruction": step.instruction,
            "author": step.author,
            "comment": step.comment,
        }


def _packages(found: "Exploration") -> "Iterator[Document]":
    for one in found.packages:
        yield {
            "type": one.kind,
            "name": one.name,
            "version": one.version,
            "architecture": one.architecture or None,
            "licence": one.licence or None,
            "layer": one.number,
            **_path(one.record, name="record"),
        }


def _secrets(found: "Exploration") -> "Iterator[Document]":
    for one in found.secrets:
        yield {
            "what": one.what,
            **_path(one.path, start=b"/" if one.number else b""),
            "layer": one.number or None,
            "hidden_by": one.hidden_by or None,
        }


def _largest(found: "Exploration") -> "Iterator[Document]":
    for one in found.largest:
        yield {**_path(one.path), "size": one.size, "layer": one.number}


def _layer(layer: "ExploredLayer") -> Document:
    return {
        "number": layer.number,
        "digest": str(layer.digest),
        "diff_id": str(layer.diff_id),
        "chain_id": str(layer.chain_id),
        "media_type": layer.media_type,
        "compressed_size": layer.compressed_size,
        "tar_size": layer.tar_size,
        "size": layer.size,
        "step": layer.step.number,
        "instruction": layer.step.instruction,
        "added": _tally(layer.added),
        "changed": _tally(layer.changed),
        "repeated": _tally(layer.repeated),
        "removed": _tally(layer.removed),
        "wasted": layer.wasted,
        "hides": layer.hidden,
        "lost": layer.lost or None,
    }


def _tally(tally: "Tally") -> Document:
    return {"count": tally.count, "size": tally.size}


def _files(layers: "Sequence[CountedLayer]", number: int) -> "Iterator[Document]":
    for path, event, hidden_by in touches(layers, number):
        if not path:  # the root is no layer's deed
            continue
        node = event.node or event.before
        assert node is not None  # noqa: S101 - an event has one or the other
        row = {**_path(path), "change": str(event.change), **_node(node)}
        if event.aspects:
            row["aspects"] = [str(aspect) for aspect in event.aspects]
        if event.by:
            row |= _path(event.by, name="removed_by")
        if hidden_by:
            row["hidden_by"] = hidden_by
        yield row


def _node(node: "Node") -> Document:
    """Say what a path is; of one that is removed, what it was."""
    row: Document = {
        "kind": str(node.kind),
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "size": node.size if node.kind is Kind.FILE else 0,
        "mtime_ns": node.mtime_ns,
    }
    if node.kind is Kind.SYMLINK:
        row |= _path(node.target, name="target", start=b"")
    elif node.kind in (Kind.CHARACTER, Kind.BLOCK):
        row["device"] = list(node.device)
    elif node.kind is Kind.FILE and node.nlink > 1:
        row["inode"] = node.nid
    if node.has_xattrs and (found := node.xattrs):
        row["attributes"] = {name: b64encode(value).decode() for name, value in found}
    return row
