"""The roster: what listings show of every container, kept in one file beside the records.

`containers/roster` is to container.json what git's index is to a working tree: a memory, never a
source. Each row carries the time, size and inode of the file it was read from; where the file has others
now, the row is not believed and the file is read. Who makes, renames or removes a container knows nothing
of the roster: only listings write it, when much of it was of no use. What runs is not in it at all:
locks tell that. Decision 15.
"""

import os
import time
from contextlib import suppress

from lamina.engine.outline import Outline
from lamina.engine.records import RECORD, ContainerState
from lamina.errors import LaminaError
from lamina.spec.wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from lamina.engine.records import Records

    Row = list[Any]
    """Mark of the record, fields of its outline, mark of the state file, fields of the state."""

__all__ = ["ROSTER", "Roster"]

ROSTER = "roster"
"""The file's name in the folder of containers."""

_MANY = 64  # looks; below, reading the records is as quick
_WASTE = 8  # the roster is written anew when one row in so many was of no use
_YOUNG_NS = 1_000_000_000
_FORM = "lamina roster 2"
_SUM = 8
_OUTLINE, _OUTLINE_MARK, _STATE, _STATE_MARK = 1, 0, 3, 2


class Roster:
    """Outlines and states of containers, from the roster where it is right. One listing's.

    `ids` are all containers there are; the roster is left alone where only a few are `wanted`. Costs
    a look (`stat`) at two files for each container that is asked for, and their reading where the
    roster does not know them.
    """

    def __init__(self, records: "Records", ids: "Collection[str]", *, wanted: int) -> None:
        self._records = records
        self._ids = ids
        self._path = f"{records.folder}/{ROSTER}"
        self._used = wanted >= _MANY
        self._rows: dict[str, Row] = _read(self._path) if self._used else {}
        self._learned: dict[str, Row] = {}
        # A file may change twice within a tick of the clock and keep its marks, so what is young now
        # is not kept: whatever is written from here on is younger.
        self._youngest = time.time_ns() - _YOUNG_NS

    def outline(self, container: str) -> Outline | None:
        """Give the outline of one container; None when it is gone or was never finished."""
        path = f"{self._records.folder}/{container}/{RECORD}"
        row = self._rows.get(container)
        if row is not None and row[_OUTLINE_MARK] == _mark(path):
            return Outline.from_row(row[_OUTLINE])
        # Records are replaced whole: what is there before and after the reading was read.
        before = _mark(path)
        record = self._records.load(container)
        if record is None:
            return None
        outline = Outline.of(record)
        if self._used and before == _mark(path):
            self._learned[container] = [before, outline.to_row(), None, None]
        return outline

    def state(self, container: str) -> ContainerState:
        """Tell how the container is. One that runs, or is said to, is asked each time."""
        path = f"{self._records.folder}/{container}/state.json"
        before = _mark(path)
        if before is None:
            return ContainerState("created")
        row = self._rows.get(container)
        if row is not None and row[_STATE_MARK] == before:
            return ContainerState(**row[_STATE])
        state = self._records.state(container)
        if self._used and not state.is_running and before == _mark(path):
            known = self._learned.get(container) or row
            if known is not None:
                self._learned[container] = [*known[:_STATE_MARK], before, state.to_json()]
        return state

    def close(self) -> None:
        """Write the roster anew where that spares the next listing much; no failure is told."""
        if not self._used:
            return
        learned = {
            name: row
            for name, row in self._learned.items()
            if _is_older(row[_OUTLINE_MARK], self._youngest)
            and _is_older(row[_STATE_MARK], self._youngest)
        }
        there = set(self._ids)
        gone = self._rows.keys() - there
        if _WASTE * (len(learned) + len(gone)) > len(there):
            rows = {name: row for name, row in self._rows.items() if name not in gone}
            with suppress(OSError, LaminaError):  # a full disk, somebody else's root
                _write(self._path, rows | learned)


def _mark(path: str) -> "list[int] | None":
    """Give what tells a file from the next one of its name; None where there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def _is_older(mark: "list[int] | None", moment: int) -> bool:
    return mark is None or mark[0] < moment


def _read(path: str) -> "dict[str, Row]":
    """Read the roster; nothing where there is none, or not a whole one."""
    from binascii import crc32

    try:
        with open(path, "rb") as file:
            data = file.read()
        if data[:_SUM] != b"%08x" % crc32(memoryview(data)[_SUM:]):
            return {}
        document = decode(data[_SUM:], what=ROSTER)
    except (OSError, LaminaError):
        return {}
    rows: dict[str, Row] = document["rows"] if document.get("form") == _FORM else {}
    return rows


def _write(path: str, rows: "dict[str, Row]") -> None:
    """Replace the roster, unless another listing is about to. A power cut may lose it.

    The new file is locked while it is written, so that the one a killed listing left is taken up.
    """
    from binascii import crc32

    from lamina.stream.files import acquire, write_all

    try:
        fd = acquire(f"{path}.new", wait=False)
    except BlockingIOError:
        return
    try:
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
        body = encode({"form": _FORM, "rows": rows})
        write_all(fd, b"%08x" % crc32(body) + body)
        os.rename(f"{path}.new", path)
    finally:
        os.close(fd)
