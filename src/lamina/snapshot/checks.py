"""Which sealed files were found whole since this machine started, so that it is asked once.

The kernel trusts an index, so all of it is checked before a mount: 10 ms for 70,000 entries. What was
found is noted in the run folder, with what the file looks like to the file system: a write or another
file in its place changes that, and a restart of the machine makes every note void.
"""

import os
from contextlib import suppress

from lamina.stream.files import fresh_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["Checks"]

_BOOT_ID: "Final" = "/proc/sys/kernel/random/boot_id"
_MANY: "Final" = 4096
_FACTS: "Final" = 4
_OPAQUE, _PLAIN = b" opaque", b" plain"


class Checks:
    """The notes of one run folder. For one thread; many processes may have one each."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}
        self._boot = b""

    def check(self, path: str) -> None:
        """Check the whole index of a sealed file, unless that was done. Raises: Corrupt, OSError."""
        self.is_opaque(path)

    def is_opaque(self, path: str) -> bool:
        """Tell whether the layer hides all that lies below it, having checked it."""
        mark = self._mark(path)
        found = self._known.get(path) or self._noted(path)
        if found not in (mark + _OPAQUE, mark + _PLAIN):
            found = mark + _looked_at(path)
            self._note(path, found)
        self._known[path] = found
        return found.endswith(_OPAQUE)

    def root(self, name: str) -> tuple[int, int, int, int] | None:
        """Give mode, owner, group and time of the root directory of the pile `name`, where noted.

        What a pile has is told by its digests, so such a note stays true.
        """
        words = self._noted(name).split()
        if len(words) != _FACTS or not all(word.lstrip(b"-").isdigit() for word in words):
            return None
        mode, uid, gid, time_ns = map(int, words)
        return mode, uid, gid, time_ns

    def note_root(self, name: str, facts: tuple[int, int, int, int]) -> None:
        """Note what `root` gives: a root without extended attributes."""
        self._note(name, b"%d %d %d %d" % facts)

    def _mark(self, path: str) -> bytes:
        """Say what would be another if the file, or anything in it, were another."""
        if not self._boot:
            with suppress(OSError), open(_BOOT_ID, "rb") as file:
                self._boot = file.read(36)
        row = os.stat(path)
        return b"%b %d %d %d %d %d" % (
            self._boot, row.st_dev, row.st_ino, row.st_size, row.st_mtime_ns, row.st_ctime_ns,
        )  # fmt: skip

    def _noted(self, path: str) -> bytes:
        try:
            fd = os.open(f"{self._folder}/{os.path.basename(path)}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(fd, 256)
        finally:
            os.close(fd)

    def _note(self, path: str, found: bytes) -> None:
        """Keep what was found; where that cannot be, it is looked at again next time."""
        place = f"{self._folder}/{os.path.basename(path)}"
        beside = f"{self._folder}/{fresh_name()}"
        with suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            if len(os.listdir(self._folder)) >= _MANY:  # of layers long gone, mostly
                for name in os.listdir(self._folder):
                    os.unlink(f"{self._folder}/{name}")
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, found)
            finally:
                os.close(fd)
            os.rename(beside, place)


def _looked_at(path: str) -> bytes:
    from lamina.layer.sealed import SealedLayer

    with SealedLayer.open(path) as layer:
        layer.check()
        return _OPAQUE if layer.root.opaque else _PLAIN
