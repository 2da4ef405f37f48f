"""One path's record in a changeset. Spec: image-spec layer.md, "Change Types"."""

import stat

from lamina.errors import Corrupt
from lamina.values import NamedTuple, StrEnum

__all__ = ["NAME_MAX", "PATH_MAX", "TYPE_BITS", "Entry", "EntryInvalid", "Kind", "normal_path"]

NAME_MAX = 255
"""Bytes in one component of a path: what Linux and EROFS take."""
PATH_MAX = 16 * 1024
"""Bytes in a whole path: four times what Linux takes at once. A tree may be deeper than one call
reaches, but each step of a path costs memory, so a header of 32 MiB may not be one path."""


class EntryInvalid(Corrupt):
    """An entry that no file system can hold, or whose path leaves the root."""


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character"
    BLOCK = "block"
    FIFO = "fifo"


TYPE_BITS = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.CHARACTER: stat.S_IFCHR,
    Kind.BLOCK: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
}
"""What stat(2) says of each kind in a mode; a hard link has that of its target."""


class Entry(NamedTuple):
    """One path's record; a tuple, because a layer has as many as it has files.

    `path` is relative and normal (`usr/bin/env`; the root is empty). `mode` holds the 07777 bits
    only. `link` is a symlink's target as written, or a hard link's normal path. `xattrs` are
    sorted. `offset` says where the body starts in the tar stream. `segments`, of a sparse file,
    are (logical offset, tar offset, length) in order; what lies between them is zero.
    """

    path: bytes
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    offset: int = 0
    segments: tuple[tuple[int, int, int], ...] = ()


def normal_path(raw: bytes) -> bytes:
    """Make `raw` relative and free of `.`, `..` and doubled slashes, by its letters alone.

    A leading slash means the root, as every engine takes it.
    Raises: EntryInvalid (`..` leaves the root, NUL, a component over 255 bytes, 16 KiB in all).
    """
    if len(raw) > PATH_MAX:
        raise EntryInvalid(f"a path of {len(raw)} bytes is too long: {_shown(raw)}")
    if b"\0" in raw:
        raise EntryInvalid(f"path {_shown(raw)} has a NUL byte")
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not parts:
                raise EntryInvalid(
                    f"path {_shown(raw)} leaves the root",
                    hint="the layer is broken or hostile; do not use it",
                )
            parts.pop()
        elif len(part) > NAME_MAX:
            raise EntryInvalid(f"a name of {len(part)} bytes is too long: {_shown(part)}")
        else:
            parts.append(part)
    return b"/".join(parts)


def _shown(raw: bytes) -> str:
    text = repr(raw[:200])[1:]
    return text + "…" if len(raw) > 200 else text  # noqa: PLR2004 - enough to recognise a path
