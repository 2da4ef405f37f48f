"""A file of an image as Python's own binary stream: seekable, buffered, and nothing is read before it is asked for."""

import io
import os
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.files.opened import OpenFiles
    from lamina.files.sources import ReadAt

__all__ = ["ImageFile"]

_BUFFER = 64 * 1024


class ImageFile(io.BufferedReader):
    """One file, open for reading. `size` is that of the whole; `path` is where it is in the image.

    Small reads and seeks are served from a buffer, large ones go to the layer as they are. Pickled,
    it is opened again where it is unpickled, at the same place.
    """

    def __init__(
        self,
        image: "OpenFiles",
        path: str,
        size: int,
        read_at: "ReadAt",
        release: Callable[[], None],
        *,
        buffer_size: int = 0,
    ) -> None:
        super().__init__(_Content(path, size, read_at, release), buffer_size or _BUFFER)
        self.image = image
        self.path = path
        self.size = size

    def __reduce_ex__(self, protocol: object) -> "tuple[object, ...]":
        return _again, (self.image, self.path, self.tell())

    def __reduce__(self) -> "tuple[object, ...]":
        return self.__reduce_ex__(2)


def _again(image: "OpenFiles", path: str, at: int) -> ImageFile:
    file = image.open(path)
    file.seek(at)
    return file


class _Content(io.RawIOBase):
    """The same without a buffer."""

    mode = "rb"

    def __init__(
        self, path: str, size: int, read_at: "ReadAt", release: Callable[[], None]
    ) -> None:
        self.name = path
        self._size = size
        self._read_at = read_at
        self._release = release
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}.get(whence)
        if start is None:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(max(self._size - self._at, 0))

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                self._release()

    def _read(self, size: int) -> bytes:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        data = self._read_at(self._at, size)
        self._at += len(data)
        return data
