"""Whiteouts: entries that take away. Spec: image-spec layer.md, "Whiteouts"."""

from lamina.layer.entry import EntryInvalid
from lamina.values import StrEnum

__all__ = ["OPAQUE_NAME", "PREFIX", "Whiteout", "is_union_xattr", "parse_whiteout"]

PREFIX = b".wh."
OPAQUE_NAME = b".wh..wh..opq"

_META = b".wh..wh."
_UNION = ("trusted.overlay.", "user.overlay.", "user.lamina.")


class Whiteout(StrEnum):
    """What a whiteout takes away."""

    PATH = "path"
    OPAQUE = "opaque"
    NOTHING = "nothing"


def parse_whiteout(name: bytes) -> tuple[Whiteout, bytes]:
    """Read a name that starts with `.wh.`: what it means, and the name it takes away.

    `.wh..wh.X` other than the opaque marker is bookkeeping of the AUFS driver that Docker had
    once; it means nothing. Raises: EntryInvalid (nothing, `.` or `..` to take away).
    """
    if name == OPAQUE_NAME:
        return Whiteout.OPAQUE, b""
    if name.startswith(_META):
        return Whiteout.NOTHING, b""
    target = name[len(PREFIX) :]
    if target in (b"", b".", b".."):
        raise EntryInvalid(f"whiteout {name!r} names nothing that could be removed")
    return Whiteout.PATH, target


def is_union_xattr(name: str) -> bool:
    """Tell whether overlayfs, or we, would read `name` as an order.

    A layer may not carry such orders: `redirect` or `metacopy` from a tar could show a container
    files of another place, `user.lamina.owner` (lamina.layer.recorded) give a file another owner.
    """
    return name.startswith(_UNION)
