"""Everything about an image as JSON, the files of each layer too, written as it is found.

The form is docs/explore.schema.json; `SCHEMA` counts up when a program that reads it would have to change.
"""

from base64 import b64encode
from tempfile import SpooledTemporaryFile

from lamina.layer.entry import Kind
from lamina.layer.listing import FORMS
from lamina.spec.wire import Document, encode, escaped
from lamina.study.gains import gains, grouped
from lamina.study.lives import Change, Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from lamina.layer.node import Node
    from lamina.study.exploration import Exploration, ExploredLayer, Tally
    from lamina.study.runs import Run

__all__ = ["SCHEMA", "FileRows", "written"]

SCHEMA = 1
_BLOCK = 16 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_REGULAR, _DIRECTORY = FORMS[Kind.FILE], FORMS[Kind.DIRECTORY]
_LEAD = len('{"path":"/')
_HEADS = 4096
_NANO = 10**9


def written(found: "Exploration", files: "FileRows") -> "Iterator[str]":
    """Give the document in pieces, a line for each row. `files` heard of the paths of that exploration.

    A path is text, with U+FFFD for what is no UTF-8, and then also whole, in base64.
    Raises: OSError (no room for the rows' file).
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
        yield '"files":['
        yield from files.of(layer.number)
        yield "]}" + (",\n" if layer.number < len(found.layers) else "\n")
    yield "]\n}\n"


class FileRows:
    """The rows of each layer's files, which wait until it is their layer's turn; a context manager.

    For `study.exploration.explore`, whose walk they come from. Most wait in a temporary file: memory
    does not grow with the number of files. Methods raise OSError (no room for that file).
    """

    def __init__(self, count: int) -> None:
        self._rows: list[list[str]] = [[] for _ in range(count)]
        self._sizes = [0] * count
        self._kept: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - `__exit__` closes it
        self._end = 0
        self._heads: dict[tuple[int, int, int, int], str] = {}

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def path(self, path: bytes, events: "Sequence[Event]") -> None:
        """Take a row for each event of a path."""
        if path:  # the root is no layer's deed
            for at, event in enumerate(events):
                self._add(event.number, _text(_file(path, event, _hidden_by(events, at))))

    def run(self, run: "Run") -> None:
        """Take a row for each path of a run: of most nothing is to be looked up or escaped."""
        listed = run.listed
        start = run.prefix + b"/".join(listed.names)
        try:
            text = start.decode()
        except UnicodeDecodeError:
            text = '"'
        if '"' in text or "\\" in text or not text.isprintable():
            self._slowly(run)
            return
        prefix = f'{{"path":"/{run.prefix.decode()}'
        names = text[len(prefix) - _LEAD :].split("/")
        heads = self._heads
        rows = []
        for at, form in enumerate(listed.forms):
            fields = listed.fields[at]
            if form > _DIRECTORY or fields[1] or (form == _REGULAR and fields[11] > 1):
                rows.append(_text(_file(*_added(run, at), 0)))
                continue
            key = form, fields[2], fields[7], fields[8]
            head = heads.get(key) or self._head(key)
            size = fields[4] if form == _REGULAR else 0
            time = fields[9] * _NANO + fields[10]
            rows.append(f'{prefix}{names[at]}{head}{size},"mtime_ns":{time}}}')
        self._add(run.number, ",\n".join(rows))

    def _slowly(self, run: "Run") -> None:
        for at in range(len(run.listed.names)):
            self._add(run.number, _text(_file(*_added(run, at), 0)))

    def _head(self, key: tuple[int, int, int, int]) -> str:
        """Write what stands between a path and a size."""
        form, mode, uid, gid = key
        kind = "file" if form == _REGULAR else "directory"
        head = (
            f'","change":"added","kind":"{kind}","mode":"{mode & 0o7777:04o}","uid":{uid},'
            f'"gid":{gid},"size":'
        )
        if len(self._heads) < _HEADS:
            self._heads[key] = head
        return head

    def _add(self, number: int, row: str) -> None:
        """Take a row of layer `number`, or several."""
        self._rows[number - 1].append(row)
        self._sizes[number - 1] += len(row)
        if self._sizes[number - 1] > _BLOCK:
            self._keep(number - 1)

    def of(self, number: int) -> "Iterator[str]":
        """Give the rows of a layer, in pieces, with commas between them."""
        self._keep(number - 1)
        gap = "\n"
        for start, size in self._kept[number - 1]:
            self._file.seek(start)
            yield gap + self._file.read(size).decode()
            gap = ",\n"

    def _keep(self, at: int) -> None:
        if self._rows[at]:
            data = ",\n".join(self._rows[at]).encode()
            self._file.seek(self._end)
            self._file.write(data)
            self._kept[at].append((self._end, len(data)))
            self._end += len(data)
            self._rows[at] = []
            self._sizes[at] = 0


def _added(run: "Run", at: int) -> "tuple[bytes, Event]":
    return run.prefix + run.listed.names[at], Event(run.number, Change.ADDED, run.node(at), None)


def _hidden_by(events: "Sequence[Event]", at: int) -> int:
    """Give the layer that ends what an event made; 0 while it is there. A directory goes on in a directory."""
    node = events[at].node
    if node is None:
        return 0
    for later in events[at + 1 :]:
        after = later.node
        if after is None or not node.kind is after.kind is Kind.DIRECTORY:
            return later.number
    return 0


def _text(value: object) -> str:
    return escaped(encode(value).decode())


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


def _file(path: bytes, event: "Event", hidden_by: int) -> Document:
    node = event.node or event.before
    assert node is not None  # noqa: S101 - an event has one or the other
    row = {**_path(path), "change": str(event.change), **_node(node)}
    if event.aspects:
        row["aspects"] = [str(aspect) for aspect in event.aspects]
    if event.by:
        row |= _path(event.by, name="removed_by")
    if hidden_by:
        row["hidden_by"] = hidden_by
    return row


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
