"""Hypothesis strategies: changesets as builders write them, and changes as containers make them."""

import os
import shutil
import struct
from pathlib import Path

from hypothesis import strategies as st

from lamina.layer.entry import Entry, Kind

__all__ = [
    "Change",
    "change_anything",
    "changesets",
    "container_changes",
    "container_links",
    "container_moves",
]

Piece = tuple[Entry, bytes]
Change = tuple[str, str, str, int]

_NAMES = ["a", "b", "c", "d", "é", "x" * 99, "y" * 200, "-", "#1"]
_MODES = [0o644, 0o755, 0o600, 0o4755, 0o2750, 0o1777, 0]
_TIMES = [0, 1, 1_700_000_000_000_000_000, 1_700_000_000_123_456_789, -5_500_000_000, 2**33 * 10**9]
_OWNERS = [0, 1, 1000, 65534, 2**21, 2**31]
_XATTRS: list[tuple[tuple[str, bytes], ...]] = [
    (),
    (),
    (("user.note", b"hello"),),
    (("trusted.t", b"\0\xff=\n"), ("user.a=b%", b"")),
    (("security.capability", bytes.fromhex("0100000200000000" + "00" * 12)),),
]


def _paths() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3).map("/".join)


@st.composite
def changesets(draw: st.DrawFn) -> list[Piece]:
    """Entries that any extractor takes: duplicates, replacements, directories after children.

    Every parent is listed, somewhere; nothing stands below what is no directory at that moment.
    """
    model: dict[str, Kind] = {}
    items: list[Piece] = []
    missing: list[str] = []
    for path in draw(st.lists(_paths(), min_size=1, max_size=14)):
        parents = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        if any(model.get(parent, Kind.DIRECTORY) is not Kind.DIRECTORY for parent in parents):
            continue
        kind = draw(st.sampled_from(list(Kind)))
        others = [name for name, what in model.items() if what is not Kind.DIRECTORY]
        others = [name for name in others if name != path and not name.startswith(path + "/")]
        if kind is Kind.HARDLINK and not others:
            kind = Kind.FILE
        if model.get(path) is Kind.DIRECTORY:
            if path not in missing:
                continue  # GNU tar mixes the attributes of both
            kind = Kind.DIRECTORY  # nor does it put a file where a full directory stands
        elif model.get(path) in (Kind.SYMLINK, Kind.HARDLINK):
            continue  # it makes some symlinks last of all
        for parent in parents:
            if parent not in model:
                model[parent] = Kind.DIRECTORY
                missing.append(parent)
        if path in missing and kind is Kind.DIRECTORY:
            missing.remove(path)
        model[path] = kind
        items.append(_entry(draw, path, kind, others))
    items += [_entry(draw, path, Kind.DIRECTORY, []) for path in missing]
    items.append(_entry(draw, "", Kind.DIRECTORY, []))
    return items


def _entry(draw: st.DrawFn, path: str, kind: Kind, others: list[str]) -> Piece:
    link = b""
    if kind is Kind.SYMLINK:
        link = draw(st.sampled_from([b"a", b"../b", b"/nowhere/at/all", b"t" * 101, b"u" * 700]))
    elif kind is Kind.HARDLINK:
        link = os.fsencode(draw(st.sampled_from(others)))
    body = b""
    if kind is Kind.FILE:
        size = draw(st.sampled_from([0, 1, 511, 512, 513, 5000]))
        body = bytes([draw(st.integers(0, 255))]) * size
    device = (0, 0)
    if kind in (Kind.CHARACTER, Kind.BLOCK):
        device = draw(st.sampled_from([(1, 3), (8, 17), (240, 300), (4095, 1048575)]))
    xattrs = draw(st.sampled_from(_XATTRS)) if kind in (Kind.FILE, Kind.DIRECTORY) else ()
    entry = Entry(
        path=os.fsencode(path),
        kind=kind,
        mode=0o777 if kind is Kind.SYMLINK else draw(st.sampled_from(_MODES)),
        uid=draw(st.sampled_from(_OWNERS)),
        gid=draw(st.sampled_from(_OWNERS)),
        size=len(body),
        mtime_ns=draw(st.sampled_from(_TIMES)),
        link=link,
        device=device,
        xattrs=xattrs,
    )
    return entry, body


# An access control list (version 2: a user of his own may read) for a file, one for a folder's children, and
# what lets a program bind a low port.
_ACL = struct.pack(
    "<I" + "HHI" * 5,
    *(2, 1, 6, 0xFFFFFFFF, 2, 4, 0, 4, 4, 0xFFFFFFFF, 16, 4, 0xFFFFFFFF, 32, 0, 0xFFFFFFFF),
)
_LABELS = [
    ("system.posix_acl_access", _ACL),
    ("system.posix_acl_default", _ACL),
    ("security.capability", bytes.fromhex("0100000200200000" + "00" * 12)),
]

_VERBS = ["write", "append", "chmod", "chown", "remove", "mkdir", "symlink", "link", "rename",
          "xattr", "touch", "fifo", "device", "remake", "sparse", "become", "bare", "label"]  # fmt: skip


_MOVES = ["rename", "rename", "rename", "rename", "chmod", "link", "remove", "mkdir", "write"]

_LINKS = ["link", "link", "link", "rename", "remove", "become", "write", "append", "chmod"]


def container_changes() -> st.SearchStrategy[list[Change]]:
    """Sequences of what programs do to a file system: verb, path, other path, number."""
    return _sequences(_VERBS, "abcd")


def container_moves() -> st.SearchStrategy[list[Change]]:
    """Sequences of moves above all, with new names to move to."""
    return _sequences(_MOVES, "abcdef")


def container_links() -> st.SearchStrategy[list[Change]]:
    """Sequences of what joins names to one file and parts them."""
    return _sequences(_LINKS, "abcd")


def _sequences(verbs: list[str], names: str) -> st.SearchStrategy[list[Change]]:
    path = st.lists(st.sampled_from(names), min_size=1, max_size=3).map("/".join)
    step = st.tuples(st.sampled_from(verbs), path, path, st.integers(0, 5))
    return st.lists(step, min_size=1, max_size=12)


def change_anything(root: Path, change: Change) -> None:
    """Make one change; what the kernel refuses (a parent that is no directory…) is no change."""
    verb, path, other, number = change
    inside = os.path.realpath(root)
    for place in (root / path, root / other):
        # A symlink may lead to this machine's own files, a device to its disks.
        if not f"{os.path.realpath(place.parent)}/".startswith(f"{inside}/"):
            return
        if (
            verb in ("write", "append", "sparse")
            and os.path.lexists(place)
            and not _is_plain(place)
        ):
            return
    try:
        _change(verb, root / path, root / other, number)
    except OSError:
        return


def _is_plain(path: Path) -> bool:
    return not path.is_symlink() and path.is_file()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _make(path: Path, other: Path, number: int) -> None:
    """Put something of another kind in the place of what was there."""
    if number < 2:
        path.write_bytes(b"new" * number)
    elif number == 2:
        path.symlink_to(other.name)
    elif number == 3:
        os.mkfifo(path)
    elif number == 4:
        os.link(other, path, follow_symlinks=False)
    else:
        path.mkdir()
        (path / "a").write_bytes(b"below")


def _change(verb: str, path: Path, other: Path, number: int) -> None:  # noqa: PLR0912 - a verb, a branch
    match verb:
        case "write":
            path.write_bytes(b"w" * number * 300)
        case "append":
            with path.open("ab") as file:
                file.write(b"more")
        case "chmod":
            if not path.is_symlink():
                path.chmod([0o644, 0o755, 0o4711, 0o600, 0o1777, 0o700][number])
        case "chown":
            os.lchown(path, number, number * 1000)
        case "remove" | "remake":
            _remove(path)
            if verb == "remake":
                path.mkdir()
        case "mkdir":
            path.mkdir()
        case "symlink":
            path.symlink_to(other.name)
        case "link":
            os.link(other, path, follow_symlinks=False)
        case "rename":
            path.rename(other)
        case "xattr":
            os.setxattr(path, f"user.n{number}", b"v" * number, follow_symlinks=False)
        case "touch":
            os.utime(path, ns=(number, number * 1_000_000_007), follow_symlinks=False)
        case "fifo":
            os.mkfifo(path)
        case "sparse":
            with path.open("r+b" if path.exists() else "wb") as file:
                file.truncate(number << 16)
                file.seek(number << 15)
                file.write(b"in a hole" * (number % 2))
        case "become":
            _remove(path)
            _make(path, other, number)
        case "bare":
            for name in os.listxattr(path, follow_symlinks=False):
                if name.startswith("user."):
                    os.removexattr(path, name, follow_symlinks=False)
        case "label":
            os.setxattr(path, *_LABELS[number % len(_LABELS)], follow_symlinks=False)
        case _:
            os.mknod(path, 0o020640, os.makedev(1, number + 1))
