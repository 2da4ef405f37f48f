"""A process that runs in a container, its output as it comes: for builds, agents and other long work."""

from contextlib import suppress

from lamina.runtime.frames import Stream
from lamina.spec.wire import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, Self

    from lamina.runtime.attach import Attachment

__all__ = ["RunningProcess"]

_PIECE = 1 << 15


class RunningProcess:
    """One process; iterating gives (`stdout` or `stderr`, bytes) as they come, until it ends.

    A context manager: leaving it hangs up, and does not end the process. Whoever writes much with
    `send` and reads too does one of them in another thread: both sides hold only so much.
    """

    def __init__(self, attachment: "Attachment") -> None:
        self._attachment = attachment
        self.exit_code: int | None = None
        """None until its end was read."""

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._attachment.close()

    def send(self, data: bytes) -> None:
        """Write to its standard input, if it was given one; what it no longer reads is lost."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for at in range(0, len(data), _PIECE):
                self._attachment.send(data[at : at + _PIECE])

    def end_input(self) -> None:
        """Close its standard input."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._attachment.send(b"")

    def __iter__(self) -> "Iterator[tuple[Literal['stdout', 'stderr'], bytes]]":
        while self.exit_code is None:
            stream, payload = self._attachment.receive()
            if stream is Stream.EXITED:
                self.exit_code = int(decode(payload)["exit_code"])
            elif stream is Stream.STDOUT:
                yield "stdout", payload
            elif stream is Stream.STDERR:
                yield "stderr", payload

    def wait(self) -> int:
        """Wait for its end; give the exit code. Output that was not read is dropped."""
        for _ in self:
            pass
        assert self.exit_code is not None  # noqa: S101 - the loop ends with it alone
        return self.exit_code
