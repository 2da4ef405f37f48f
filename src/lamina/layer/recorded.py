"""Owners and devices that this user namespace cannot give a file, written beside it instead.

A plain user without subordinate IDs has one user and one group: every file on disk is theirs, and
they cannot make devices. What the layer says is kept in an extended attribute of the file, which
overlayfs copies up with it; so a changed /etc/shadow is still of the group `shadow` in the layer
that a commit writes. Symlinks and fifos take no such attributes: they fall to root.
"""

from lamina.layer.entry import Kind
from lamina.values import NamedTuple

__all__ = ["RECORD", "Record"]

RECORD = "user.lamina.owner"
_LETTERS = {Kind.CHARACTER: "c", Kind.BLOCK: "b"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_PLAIN, _DEVICE = 2, 5  # fields


class Record(NamedTuple):
    """What a file really is: its owner, and the device where it only stands for one."""

    uid: int
    gid: int
    kind: Kind = Kind.FILE
    device: tuple[int, int] = (0, 0)

    @classmethod
    def parse(cls, value: bytes) -> "Record | None":
        """Read the attribute's value; None for what we did not write."""
        fields = value.split(b":")
        numbers = [field for at, field in enumerate(fields) if at != _PLAIN]
        if not all(field.isdigit() and len(field) <= 10 for field in numbers):  # noqa: PLR2004
            return None
        if len(fields) == _PLAIN:
            return cls(int(fields[0]), int(fields[1]))
        kind = _KINDS.get(fields[2].decode("latin-1")) if len(fields) == _DEVICE else None
        if kind is None:
            return None
        return cls(int(fields[0]), int(fields[1]), kind, (int(fields[3]), int(fields[4])))

    def __bytes__(self) -> bytes:
        text = f"{self.uid}:{self.gid}"
        if self.kind in _LETTERS:
            text += f":{_LETTERS[self.kind]}:{self.device[0]}:{self.device[1]}"
        return text.encode()
