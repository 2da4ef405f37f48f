"""A blob that is sent while it is made: its maker writes a file, its sender follows behind."""

from collections.abc import Callable
from threading import Condition

from lamina.spec.descriptor import Descriptor
from lamina.stream.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Growing"]


class Growing:
    """A file between one thread that writes and one that reads, whose end is not known yet.

    `fd` stays the caller's. What the maker fails with is raised where the sender waits.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = 0
        self._made: Descriptor | None = None
        self._failure: BaseException | None = None
        self._stopped = False
        self._news = Condition()

    def write(self, data: bytes) -> None:
        """Append. Raises: OSError (disk full)."""
        if self._stopped:
            raise BrokenPipeError("nobody sends this blob any more")
        write_all(self._fd, data)
        with self._news:
            self._size += len(data)
            self._news.notify_all()

    def fill(self, make: Callable[[], Descriptor]) -> None:
        """Run the maker: it writes everything, and gives what it was."""
        try:
            made = make()
        except BaseException as error:  # noqa: BLE001 - the sender raises it
            with self._news:
                self._failure = error
                self._news.notify_all()
            return
        with self._news:
            self._made = made
            self._news.notify_all()

    def stop(self) -> None:
        """Make the maker end at its next write, if it still writes: its bytes go nowhere."""
        self._stopped = True

    def wait(self, end: int) -> int:
        """Wait until there are `end` bytes or it is whole; give how many there are.

        Raises: what the maker failed with.
        """
        with self._news:
            self._news.wait_for(
                lambda: self._size >= end or self._made is not None or self._failure is not None
            )
            if self._failure is not None:
                raise self._failure
            return self._size

    def made(self) -> Descriptor:
        """Wait until it is whole; give what it is. Raises: what the maker failed with."""
        with self._news:
            self._news.wait_for(lambda: self._made is not None or self._failure is not None)
            if self._failure is not None:
                raise self._failure
            assert self._made is not None  # noqa: S101 - one of both is what was waited for
            return self._made

    def open(self) -> "BinaryIO":
        """Open the bytes from the first on, to be closed by whoever reads."""
        return open(f"/proc/self/fd/{self._fd}", "rb")
