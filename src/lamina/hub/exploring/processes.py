"""Workers as processes: started without the hub's keys, fed, watched, and ended with whoever started them."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from lamina.errors import LaminaError, Unavailable
from lamina.hub.exploring.worker import ASKED, LACKS, TOLD
from lamina.spec.wire import Document

__all__ = ["Later", "Refused", "Shortage", "environment", "read_told", "shortage", "work"]

_LOGGER = logging.getLogger("lamina.hub")
_LOOK_EVERY_S = 1.0
_PIECE = 256 * 1024
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_KILLED = {
    signal.SIGXCPU: "it takes too long",
    signal.SIGXFSZ: "it takes too much of the disk",
    signal.SIGKILL: "it was killed: the machine may have had no memory left",
}
_SHORT = {
    100: "the hub's disk is full",
    101: "the hub's quota of its disk is used up",
    102: "the hub's machine has no memory left",
    103: "too many files are open on the hub's machine",
    104: "too much runs on the hub's machine",
}
"""By how a worker ends, what its machine lacks."""


class Refused(LaminaError):
    """The worker says that it cannot be done, and why; another try will not help."""


class Later(Unavailable):
    """It could not be done now. The words are for whoever may see the image: nothing of the hub's own is in them."""


class Shortage(Unavailable):
    """The machine lacks something for now, which is no fault of the image: no try is counted."""


def shortage(error: OSError) -> Shortage | None:
    """Give what the machine lacks; None where it is something else that went wrong."""
    code = LACKS.get(error.errno or 0)
    return None if code is None else Shortage(_SHORT[code])


def work(
    what: str,
    folder: str,
    asked: Document,
    source: BinaryIO | None,
    *,
    goes_on: Callable[[], None],
) -> Document:
    """Have a process do `what` in `folder`, with `source` (closed by the caller) on its stdin.

    `goes_on` is called about every second meanwhile; what it raises ends the process.
    Raises: Refused, Later (it died), Shortage, what `source` does, OSError.
    """
    with open(os.path.join(folder, ASKED), "w", encoding="utf-8") as file:
        json.dump({**asked, "hub": os.getpid()}, file)
    told = os.path.join(folder, TOLD)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(told)
    real = _fileno(source)
    with open(os.path.join(folder, "stderr"), "w+b") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lamina.hub.exploring.worker", what, folder],
            stdin=real if real is not None else subprocess.PIPE if source else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(),
        )
        try:
            feeder = None
            failures: list[LaminaError] = []
            if source is not None and real is None:
                arguments = (process, source, failures)
                feeder = threading.Thread(target=_feed, args=arguments, daemon=True)
                feeder.start()
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(_LOOK_EVERY_S)
                    break
                goes_on()
            if feeder is not None:
                feeder.join()
            if failures:  # the storage's, of which the worker saw an early end
                raise failures[0]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        return read_told(told, code, errors)


def environment() -> dict[str, str]:
    """Give what a worker gets of our environment: what Python needs, and no keys."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def read_told(path: str, code: int, errors: BinaryIO) -> Document:
    """Read what a worker left that ended with `code`. Raises: Refused, Later, Shortage."""
    if code in _SHORT:
        raise Shortage(_SHORT[code])
    try:
        with open(path, encoding="utf-8") as file:
            found: Document = json.load(file)
    except (FileNotFoundError, ValueError):
        if -code in _KILLED:
            words = _KILLED[signal.Signals(-code)]
            if -code == signal.SIGKILL:
                raise Shortage(words) from None
            raise Refused(words) from None
        errors.seek(0)
        lines = errors.read(64 * 1024).decode("utf-8", "replace").strip().splitlines()
        _LOGGER.warning("a worker ended with %d: %s", code, lines[-1][:500] if lines else "")
        raise Later(f"looking into it ended with {code}; the hub's log has more") from None
    if "trouble" in found:
        raise Refused(str(found["trouble"]))
    return found


def _fileno(source: BinaryIO | None) -> int | None:
    """Give the descriptor of a real file, at its beginning."""
    if source is None:
        return None
    try:
        return source.fileno()
    except (OSError, AttributeError):
        return None


def _feed(
    process: "subprocess.Popen[bytes]", source: BinaryIO, failures: list[LaminaError]
) -> None:
    """Send what cannot be handed over as a file; keep what the storage says went wrong."""
    assert process.stdin is not None  # noqa: S101 - asked for by the caller
    try:
        with contextlib.suppress(OSError, ValueError):  # it ended, and says why
            while piece := source.read(_PIECE):
                process.stdin.write(piece)
    except LaminaError as error:
        failures.append(error)
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()
