"""Where a layer's bytes are: its directories by size, small ones summed, in bounded memory."""

from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Part", "Parting"]

_FINEST = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A directory or a file with the bytes at and below it, `wasted` ones among them.

    `parts` are the larger ones of what is in it, the largest first; what `size` has beyond theirs is
    in small ones. `count` is the number of files.
    """

    name: bytes
    size: int
    wasted: int
    count: int
    is_directory: bool
    parts: "tuple[Part, ...]"


class _Open:
    """A directory of which not everything was told yet."""

    __slots__ = ("count", "name", "parts", "path", "size", "wasted")

    def __init__(self, path: bytes, name: bytes) -> None:
        self.path = path
        self.name = name
        self.size = 0
        self.wasted = 0
        self.count = 0
        self.parts: list[Part] = []


class Parting:
    """Adds up a layer's files as a walk gives them: what is below a directory follows on it.

    Of `total` bytes, no part with less than a thousandth is kept: a million files cost as much memory
    as a thousand.
    """

    def __init__(self, total: int) -> None:
        self._least = max(1, total // _FINEST)
        self._open = [_Open(b"", b"")]

    def file(self, path: bytes, size: int) -> None:
        """Take note of a file of `size` bytes."""
        folder, name = self._enter(path)
        folder.size += size
        folder.count += 1
        if size >= self._least:
            folder.parts.append(Part(name, size, 0, 1, is_directory=False, parts=()))

    def files(self, prefix: bytes, names: "Sequence[bytes]", sizes: "Sequence[int]") -> None:
        """Take note of files beside each other; `prefix` is their directory with its slash."""
        folder, _ = self._enter(prefix)
        folder.size += sum(sizes)
        folder.count += len(sizes)
        if max(sizes) >= self._least:
            folder.parts += [
                Part(name, size, 0, 1, is_directory=False, parts=())
                for name, size in zip(names, sizes, strict=True)
                if size >= self._least
            ]

    def wasted(self, path: bytes, size: int) -> None:
        """Say that `size` bytes of the file told last, or of one in its directory, are for nothing."""
        folder, name = self._enter(path)
        folder.wasted += size
        if folder.parts and folder.parts[-1].name == name:
            one = folder.parts[-1]
            folder.parts[-1] = Part(name, one.size, size, 1, is_directory=False, parts=())

    def whole(self) -> Part:
        """Give the root, after the last file."""
        while len(self._open) > 1:
            self._close()
        return _closed(self._open[0])

    def _enter(self, path: bytes) -> tuple[_Open, bytes]:
        """Open the directory that `path` is in, and close those that it is not in."""
        head, _, name = path.rpartition(b"/")
        if head == self._open[-1].path:  # as most are: files beside each other
            return self._open[-1], name
        while not _is_within(head, self._open[-1].path):
            self._close()
        here = self._open[-1].path
        for step in head[len(here) :].lstrip(b"/").split(b"/") if head != here else ():
            here = here + b"/" + step if here else step
            self._open.append(_Open(here, step))
        return self._open[-1], name

    def _close(self) -> None:
        folder = self._open.pop()
        above = self._open[-1]
        above.size += folder.size
        above.wasted += folder.wasted
        above.count += folder.count
        if folder.size >= self._least:
            above.parts.append(_closed(folder))


def _closed(folder: _Open) -> Part:
    parts = sorted(folder.parts, key=lambda part: (-part.size, part.name))
    return Part(
        folder.name,
        folder.size,
        min(folder.wasted, folder.size),
        folder.count,
        is_directory=True,
        parts=tuple(parts),
    )


def _is_within(path: bytes, folder: bytes) -> bool:
    return not folder or path == folder or path.startswith(folder + b"/")
