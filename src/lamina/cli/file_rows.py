"""What a listing says of one file: as `ls -l` lays it out, and as a JSON object."""

from __future__ import annotations

import stat
import time

from lamina.cli.file_names import quoted
from lamina.layer.entry import TYPE_BITS, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.layer.node import Node
    from lamina.layer.view import Tree

__all__ = ["FileRow", "LongForm", "Owners", "document", "human", "mode_text", "rfc3339"]

_ACL = "system.posix_acl_"
_HALF_A_YEAR_S = 31556952 // 2
_NANO = 10**9
_UNITS = "KMGTPE"
_STEP = 1024
_FEW = 10
_DATABASE_LIMIT = 4 << 20


class FileRow:
    """One file of a listing, under the `name` it is listed by.

    `whiteout` says that it takes a file of lower layers away, instead of being one.
    """

    __slots__ = ("name", "node", "whiteout")

    def __init__(self, name: bytes, node: Node, *, whiteout: bool = False) -> None:
        self.name = name
        self.node = node
        self.whiteout = whiteout


class Owners:
    """Names of users and groups, as the tree's own /etc/passwd and /etc/group have them."""

    def __init__(self, tree: Tree) -> None:
        self._users = _names(tree, b"etc/passwd")
        self._groups = _names(tree, b"etc/group")

    def user(self, uid: int) -> str:
        """Give a user's name, or the number."""
        return self._users.get(uid) or str(uid)

    def group(self, gid: int) -> str:
        """Give a group's name, or the number."""
        return self._groups.get(gid) or str(gid)


def _names(tree: Tree, path: bytes) -> dict[int, str]:
    from lamina.errors import LaminaError

    found: dict[int, str] = {}
    try:
        data = tree.read(path, 0, _DATABASE_LIMIT)
    except LaminaError:  # an image without users is as good as any
        return found
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 2 and fields[2].isdigit():  # noqa: PLR2004 - name:password:number
            found.setdefault(int(fields[2]), quoted(fields[0]))
    return found


def mode_text(row: FileRow) -> str:
    """Give `-rwxr-xr-x`, with a `+` where an access list says more; `w` begins a whiteout."""
    if row.whiteout:
        return "w---------"
    node = row.node
    text = stat.filemode(TYPE_BITS[node.kind] | node.mode)
    return text + "+" if any(name.startswith(_ACL) for name, _ in node.xattrs) else text


def human(size: int) -> str:
    """Give a size as `ls -h` does: 1.2K, 34M, rounded up."""
    if size < _STEP:
        return str(size)
    power = 0
    while size > (_STEP - 1) * _STEP**power and power < len(_UNITS):
        power += 1
    unit = _STEP**power
    tenths = -(-size * 10 // unit)
    if tenths < _FEW * 10:
        return f"{tenths // 10}.{tenths % 10}{_UNITS[power - 1]}"
    return f"{-(-size // unit)}{_UNITS[power - 1]}"


def rfc3339(mtime_ns: int) -> str:
    """Give a moment in UTC, nanoseconds and all."""
    seconds, nanoseconds = divmod(mtime_ns, _NANO)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"
    except (OverflowError, ValueError, OSError):  # a layer may hold any number
        return f"@{seconds}{fraction}"


def document(row: FileRow, path: bytes, owners: Owners) -> dict[str, object]:
    """Give all there is to say of a file. Names that are not UTF-8 come in hexadecimal as well."""
    node = row.node
    facts: dict[str, object] = {
        "name": path.rpartition(b"/")[2].decode("utf-8", "replace"),
        "path": path.decode("utf-8", "replace"),
        "kind": "whiteout" if row.whiteout else str(node.kind),
    }
    if path != path.decode("utf-8", "replace").encode():
        facts["path_hex"] = path.hex()
    if row.whiteout:
        return facts
    facts |= {
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "user": owners.user(node.uid),
        "group": owners.group(node.gid),
        "size": node.size,
        "links": node.nlink,
        "modified": rfc3339(node.mtime_ns),
    }
    if node.kind is Kind.SYMLINK:
        facts["target"] = node.target.decode("utf-8", "replace")
    if node.kind in (Kind.CHARACTER, Kind.BLOCK):
        facts["device"] = list(node.device)
    return facts


class LongForm:
    """How `ls -l` lays out files; the widths are those of one group of lines."""

    def __init__(
        self, owners: Owners, now: float, *, sizes_for_people: bool, numeric: bool, full_time: bool
    ) -> None:
        self._owners = owners
        self._now = now
        self._human = sizes_for_people
        self._numeric = numeric
        self._full_time = full_time

    def lines(self, rows: Sequence[FileRow]) -> Iterable[str]:
        """Give what stands before each file's name, a blank at its end."""
        cells = [self._cells(row) for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for mode, links, user, group, size, moment in cells:
            yield (
                f"{mode:<{widths[0]}} {links:>{widths[1]}} {user:<{widths[2]}} "
                f"{group:<{widths[3]}} {size:>{widths[4]}} {moment:>{widths[5]}} "
            )

    def total(self, rows: Iterable[FileRow]) -> str:
        """Give the line that begins a directory: what its files take, in units of 1 KiB."""
        size = sum(row.node.size + 511 & -512 for row in rows if row.node.kind is Kind.FILE)
        return f"total {human(size) if self._human else -(-size // _STEP)}"

    def _cells(self, row: FileRow) -> tuple[str, str, str, str, str, str]:
        node = row.node
        if row.whiteout:
            return mode_text(row), "-", "-", "-", "-", "-"
        if node.kind in (Kind.CHARACTER, Kind.BLOCK):
            size = "{}, {}".format(*node.device)
        else:
            size = human(node.size) if self._human else str(node.size)
        user = str(node.uid) if self._numeric else self._owners.user(node.uid)
        group = str(node.gid) if self._numeric else self._owners.group(node.gid)
        return mode_text(row), str(node.nlink), user, group, size, self._moment(node.mtime_ns)

    def _moment(self, mtime_ns: int) -> str:
        seconds, nanoseconds = divmod(mtime_ns, _NANO)
        try:
            local = time.localtime(seconds)
        except (OverflowError, ValueError, OSError):  # a layer may hold any number
            return f"@{seconds}"
        if self._full_time:
            clock = time.strftime("%Y-%m-%d %H:%M:%S", local)
            return f"{clock}.{nanoseconds:09d} {time.strftime('%z', local)}"
        is_recent = 0 <= self._now - seconds < _HALF_A_YEAR_S
        form = "%b %e %H:%M" if is_recent else "%b %e  %Y"
        return time.strftime(form, local)
