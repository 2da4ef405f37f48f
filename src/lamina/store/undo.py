"""What names lost, noted so that it can be taken back: `undo.log` beside `index.json`.

A line is added and synced before the index is replaced, and says which file the index was then: a
line whose change never happened (its process was killed in between) is known by that, and ignored. So
log and index change as one, and a reader needs no lock. The log holds the last hundred changes.
"""

import os
from collections.abc import Callable, Iterable, Sequence

from lamina.errors import Invalid
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import DiskFull, disk_errors, sync_directory, write_all
from lamina.stream.files import replace as replace_file
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.store.disk import Disk

__all__ = ["NOTHING", "Change", "History", "Occasion", "UndoLog"]

MOST_CHANGES = 100
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why names change: the command as people type it, and when (epoch seconds).

    Changes with one `token` are one change to whoever takes it back. `undoes` is the number of the
    change that this one takes back, 0 for none.
    """

    command: str
    time_s: float
    token: str
    undoes: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One change that took something away: rows of the index that went, and that came for them.

    `forgotten` are the digests of targets that somebody wanted to be rid of since.
    """

    number: int
    command: str
    time_s: float
    token: str
    undoes: int
    gone: tuple[Document, ...]
    new: tuple[Document, ...]
    forgotten: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class History:
    """The changes that are known, oldest first. What those up to `floor` took away is not kept."""

    changes: tuple[Change, ...]
    floor: int


NOTHING = History((), 0)


class UndoLog:
    """The log of one store. Whoever adds holds the lock of the names."""

    def __init__(self, disk: "Disk") -> None:
        self._path = disk.undo
        self._index = disk.index

    def read(self) -> History:
        """Give the changes that led to the index as it is, those of one occasion as one."""
        try:
            with open(self._path, "rb") as file:
                lines = _parse(file.read())
        except FileNotFoundError:
            return NOTHING
        lines = _happened(lines, self._mark())
        floor = max((int(line["floor"]) for line in lines if "floor" in line), default=0)
        return History(_joined(_changes(lines)), floor)

    def add(self, occasion: Occasion, gone: Sequence[Document], new: Sequence[Document]) -> None:
        """Note, durably, a change of the index that comes next. A full disk is let pass."""

        def line(number: int) -> Document:
            return {
                "number": number,
                "time": occasion.time_s,
                "command": occasion.command,
                "token": occasion.token,
                "undoes": occasion.undoes,
                "from": self._mark(),
                "gone": list(gone),
                "new": list(new),
            }

        self._append(line)

    def settle(self) -> None:
        """Forget a change that never happened, before another makes it look as if it had."""
        try:
            with open(self._path, "rb+") as file:
                lines = file.read().split(b"\n")
                for number in range(len(lines) - 1, -1, -1):
                    if any("from" in line for line in _parse(lines[number])):
                        break
                else:
                    return
                if not _happened(_parse(lines[number]), self._mark()):
                    file.truncate(sum(len(line) + 1 for line in lines[:number]))
                    os.fsync(file.fileno())  # before the index, or a power cut could bring it back
        except FileNotFoundError:
            return

    def let_go(self, floor: int) -> None:
        """Note that nothing is kept any more of what the changes up to `floor` took away."""
        self._append(lambda _: {"floor": floor})

    def forget(self, digests: Iterable[str]) -> None:
        """Note that these targets are not to be kept because of any change so far."""
        self._append(lambda _: {"forget": list(digests)})

    def _mark(self) -> str:
        """Tell the index file that is there now from every one before and after it."""
        found = os.stat(self._index)
        return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"

    def _append(self, line: Callable[[int], Document]) -> None:
        try:
            with disk_errors("noting what could be undone"):
                fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    raw = os.pread(fd, os.fstat(fd).st_size, 0)
                    self._put(fd, raw, line)
                finally:
                    os.close(fd)
        except DiskFull:  # what is not noted is not kept either: that makes room
            return

    def _put(self, fd: int, raw: bytes, make: Callable[[int], Document]) -> None:
        known = _parse(raw)
        lines = _happened(known, self._mark())
        number = max((int(line["number"]) for line in lines if "number" in line), default=0)
        new = _line(make(number + 1))
        whole = len(lines) == len(known) and raw == b"".join(map(_line, known))
        if whole and len(lines) < MOST_CHANGES and len(raw) + len(new) <= MOST_BYTES:
            os.lseek(fd, 0, os.SEEK_END)
            write_all(fd, new)
            os.fsync(fd)
            if not raw:
                sync_directory(os.path.dirname(self._path))
            return
        kept = _newest(lines, MOST_BYTES - len(new))
        replace_file(self._path, b"".join([*map(_line, kept), new]), beside=f"{self._path}.new")


def _newest(lines: Sequence[Document], room: int) -> list[Document]:
    """Choose the newest lines that fit, half of the most at most: so that it is not done each time."""
    kept: list[Document] = []
    floors = [line for line in lines if "floor" in line][-1:]
    for line in [line for line in reversed(lines) if "floor" not in line][: MOST_CHANGES // 2]:
        room -= len(_line(line))
        if room < 0:
            break
        kept.insert(0, line)
    return [*floors, *kept]


def _line(document: Document) -> bytes:
    return encode(document) + b"\n"


def _parse(raw: bytes) -> list[Document]:
    """Read the lines; one that was torn by a power cut is left out."""
    found = []
    for text in raw.split(b"\n"):
        try:
            line = decode(text, what="undo.log")
        except Invalid:
            continue
        if line.keys() & {"floor", "forget"} or {"number", "from", "gone", "new"} <= line.keys():
            found.append(line)
    return found


def _happened(lines: list[Document], index_mark: str) -> list[Document]:
    """Leave out a last change that never reached the index: that is still as it was before."""
    last = next((i for i in range(len(lines) - 1, -1, -1) if "from" in lines[i]), None)
    if last is None or lines[last]["from"] != index_mark:
        return lines
    return [*lines[:last], *lines[last + 1 :]]


def _changes(lines: Sequence[Document]) -> list[Change]:
    found: list[Change] = []
    forgotten: frozenset[str] = frozenset()
    for line in reversed(lines):
        if "forget" in line:
            forgotten |= frozenset(map(str, line["forget"]))
        if "gone" not in line:
            continue
        change = Change(
            number=int(line["number"]),
            command=str(line.get("command", "")),
            time_s=float(line.get("time", 0)),
            token=str(line.get("token", "")),
            undoes=int(line.get("undoes", 0)),
            gone=tuple(line["gone"]),
            new=tuple(line["new"]),
            forgotten=forgotten,
        )
        found.insert(0, change)
    return found


def _joined(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Make one change of those of one occasion; it has the number of the last of them."""
    found: list[Change] = []
    for change in changes:
        if found and change.token and found[-1].token == change.token:
            earlier = found.pop()
            gone, new = (*earlier.gone, *change.gone), (*earlier.new, *change.new)
            change = replace(change, gone=gone, new=new)  # noqa: PLW2901 - the joined one
        found.append(change)
    return tuple(found)
