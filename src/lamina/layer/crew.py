"""Work shared out to processes of its own, where the interpreter lock would keep threads waiting."""

import os
import signal
import warnings
from collections.abc import Callable, Sequence

from lamina import errors

__all__ = ["WorkerLost", "hands", "share_out"]

_MOST = 4

# Python 3.12 and later warn of a fork beside threads, because a lock that one of them held would stay
# locked in the child. Ours takes none: it makes system calls and ends without the interpreter's farewell.
warnings.filterwarnings(
    "ignore", "This process .* is multi-threaded", DeprecationWarning, r"lamina\.layer\.crew"
)


class WorkerLost(errors.Unavailable):
    """A process that helped was killed."""


def hands() -> int:
    """Tell how many processes are worth having: one per core, few on large machines."""
    return min(len(os.sched_getaffinity(0)), _MOST)


def share_out(tasks: "Sequence[Callable[[], None]]") -> None:
    """Run every task in a forked process; return when all have ended.

    May be called from any thread: the children only make system calls. Whatever locks we hold, they
    hold too until they end, so nobody takes what they write for abandoned even if we are killed.
    Raises: what the first failed task raised, as OSError or as one of the nine kinds.
    """
    running: list[tuple[int, int]] = []
    failed: list[bytes] = []
    try:
        for task in tasks:
            running.append(_start(task))  # noqa: PERF401 - one by one: those that run are ended if one fails
        while running:
            pid, pipe = running[0]
            said = _read(pipe)
            _, status = os.waitpid(pid, 0)
            os.close(pipe)
            del running[0]
            if status:
                failed.append(said)
    finally:
        for pid, pipe in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(pipe)
    if failed:
        raise _told(failed[0])


def _start(task: Callable[[], None]) -> tuple[int, int]:
    receive, send = os.pipe()
    pid = os.fork()
    if pid:
        os.close(send)
        return pid, receive
    code = 1
    try:
        os.close(receive)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        task()
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the one who waits
        os.write(send, _tell(error))
    finally:
        os._exit(code)


def _tell(error: BaseException) -> bytes:
    kind, text, more = "Unavailable", f"{type(error).__name__}: {error}", ""
    if isinstance(error, errors.LaminaError):
        kinds = (cls for cls in type(error).__mro__ if cls.__module__ == errors.__name__)
        kind, text, more = next(kinds).__name__, str(error), error.hint
    elif isinstance(error, OSError) and error.errno:
        kind, text, more = str(error.errno), error.strerror or "", str(error.filename or "")
    return f"{kind}\0{text}\0{more}".encode(errors="surrogateescape")


def _told(said: bytes) -> Exception:
    if not said:
        return WorkerLost("a process that was unpacking files was killed")
    what, text, more = said.decode(errors="surrogateescape").split("\0")
    if what.isdigit():
        return OSError(int(what), text, more) if more else OSError(int(what), text)
    kind: type[errors.LaminaError] = getattr(errors, what)
    return kind(text, hint=more)


def _read(pipe: int) -> bytes:
    said = b""
    while data := os.read(pipe, 65536):
        said += data
    return said
