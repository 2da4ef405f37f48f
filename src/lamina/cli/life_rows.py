"""The lives of paths as JSON: rows of an array, of millions as quickly as may be."""

from __future__ import annotations

from lamina.cli.file_names import path_fields
from lamina.layer.entry import Kind
from lamina.layer.listing import FORMS
from lamina.spec.wire import encode_pretty
from lamina.study.lives import Change, Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.engine.study import Study
    from lamina.layer.node import Node
    from lamina.study.runs import Run

    _Key = tuple[int, int, int, int, int]

__all__ = ["LifeRows"]

_FILE, _DIRECTORY = FORMS[Kind.FILE], FORMS[Kind.DIRECTORY]
_PATH = "//path"  # no normal path has that
_TIME, _SIZE = 8_888_888_888_888_888_888, 7_777_777_777_777_777_777
_FORMS = 4096
_NANO = 10**9


class LifeRows:
    """Writes paths with their events; with `owned` the packages that brought them, too."""

    def __init__(self, study: Study, *, owned: bool) -> None:
        self._study = study
        self._owned = owned
        self._forms: dict[_Key, tuple[str, str, str, str]] = {}

    def texts(self, lives: Iterable[Run | tuple[bytes, tuple[Event, ...]]]) -> Iterator[str]:
        """Give the rows, one or several joined by commas, as `show_json` lays them out in an array."""
        for one in lives:
            if isinstance(one, tuple):
                yield self._text(*one)
            elif text := self._run(one):
                yield text

    def _text(self, path: bytes, events: tuple[Event, ...]) -> str:
        return _laid_out(
            {
                **path_fields(path),
                "present": events[-1].node is not None,
                "events": [self._event(path, event) for event in events],
            }
        )

    def _run(self, run: Run) -> str:
        """Write paths that one layer added: of most only the name, time and size are their own."""
        listed = run.listed
        try:
            text = (run.prefix + b"/".join(listed.names)).decode()
        except UnicodeDecodeError:
            text = '"'
        quick = not self._owned and '"' not in text and "\\" not in text and text.isprintable()
        prefix = "/" + run.prefix.decode() if quick else ""
        rows = []
        for at, (name, form, fields) in enumerate(
            zip(listed.names, listed.forms, listed.fields, strict=True)
        ):
            if not quick or form > _DIRECTORY:
                added = Event(run.number, Change.ADDED, run.node(at), None)
                rows.append(self._text(run.prefix + name, (added,)))
                continue
            key = run.number, form, fields[2] & 0o7777, fields[7], fields[8]
            start, middle, after, end = self._forms.get(key) or self._form(key, run.node(at))
            time = fields[9] * _NANO + fields[10]
            size = fields[4] if form == _FILE else ""
            rows.append(f"{start}{prefix}{name.decode()}{middle}{time}{after}{size}{end}")
        return ",\n".join(rows)

    def _form(self, key: _Key, node: Node) -> tuple[str, str, str, str]:
        """Give what stands before a path, before its time, before its size, and after it."""
        event = self._event(b"", Event(key[0], Change.ADDED, node, None)) | {"mtime_ns": _TIME}
        if key[1] == _FILE:
            event["size"] = _SIZE
        text = _laid_out({"path": _PATH, "present": True, "events": [event]})
        start, _, rest = text.partition(_PATH)
        middle, _, after = rest.rpartition(str(_TIME))
        end = ""
        if key[1] == _FILE:
            after, _, end = after.rpartition(str(_SIZE))
        if len(self._forms) < _FORMS:
            self._forms[key] = start, middle, after, end
        return start, middle, after, end

    def _event(self, path: bytes, event: Event) -> dict[str, object]:
        made = self._study.made[event.number - 1]
        document: dict[str, object] = {
            "layer": event.number,
            "diff_id": made.diff_id or None,
            "created": made.created,
            "created_by": made.created_by,
            "change": str(event.change),
            "aspects": [str(aspect) for aspect in event.aspects],
        }
        if event.node is None:
            document["removed_by"] = "/" + event.by.decode("utf-8", "replace")
            return document
        node = event.node
        document |= {
            "kind": str(node.kind),
            "mode": f"{node.mode:04o}",
            "uid": node.uid,
            "gid": node.gid,
            "mtime_ns": node.mtime_ns,
        }
        if self._owned:  # asking for each of thousands would take long
            document["packages"] = [
                {"type": one.kind, "name": one.name, "version": one.version}
                for one in self._study.owners(path, event.number)
            ]
        if node.kind == "file":
            document["size"] = node.size
        if node.kind == "symlink":
            document["target"] = node.target.decode("utf-8", "replace")
        return document


def _laid_out(row: dict[str, object]) -> str:
    return "  " + encode_pretty(row, indent=2).replace("\n", "\n  ")
