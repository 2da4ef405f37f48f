"""A container's state file, which its shim can write even on a disk without a free byte.

It is replaced whole, by a new file. Where the disk has no room for one, a spare that was made at the start
is written in place and changes places with it: an exit code is not lost for want of a block.
"""

import os
import time
from contextlib import suppress

from lamina.errors import LaminaError
from lamina.runtime import syscalls
from lamina.runtime.log import timestamp
from lamina.runtime.process import OURS
from lamina.spec.wire import Document, decode, encode

__all__ = ["STATE", "StateFile", "not_started", "starting"]

STATE = "state.json"
_LASTING = ("status", "started", "finished", "exit_code", "oom_killed", "restarts")
_BLOCK = 4096


class StateFile:
    """The state file in one container's folder. Only the holder of the container's lock writes it."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{STATE}"
        self._spare = f"{folder}/state.spare"

    def read(self) -> Document:
        """Give what was written last, by this shim or the one before; empty where nothing was."""
        try:
            with open(self._path, "rb") as file:
                return decode(file.read(), what=STATE)
        except (FileNotFoundError, LaminaError):
            return {}

    def reserve(self) -> None:
        """Make the spare. Raises: OSError (no room, and nothing was begun yet)."""
        with open(self._spare, "wb") as file:
            file.write(b" " * _BLOCK)

    def give_back(self) -> None:
        """Remove the spare: from now on nothing is written."""
        with suppress(OSError):
            os.unlink(self._spare)

    def write(self, document: Document) -> None:
        """Write the state, whole or not at all; nothing happens when the folder is gone.

        On a full disk what the checks of health said is left out where it does not fit.
        Raises: OSError (the disk is broken, or full and the spare is too small).
        """
        fresh = f"{self._path}.new"
        try:
            with open(fresh, "wb") as file:
                file.write(encode(document))
            os.replace(fresh, self._path)
        except FileNotFoundError:
            return
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            self._write_spare(encode(_short(document)))

    def _write_spare(self, data: bytes) -> None:
        """Write in place. What is longer than the last state ends in blanks, which JSON allows."""
        file = os.open(self._spare, os.O_RDWR | os.O_CLOEXEC)
        try:
            room = max(_BLOCK, os.fstat(file).st_size)
            os.pwrite(file, data.ljust(room), 0)
        finally:
            os.close(file)
        try:
            syscalls.exchange(self._spare, self._path)
        except OSError:  # no state yet, or a file system that cannot
            os.replace(self._spare, self._path)


def _short(document: Document) -> Document:
    health = document.get("health")
    if not health or len(encode(document)) <= _BLOCK:
        return document
    return {**document, "health": {**health, "Log": []}}


def starting(before: Document, shim: int) -> Document:
    """Give the state of a container that `shim` is about to start: as it was, and whom to blame."""
    known = {key: value for key, value in before.items() if key in _LASTING}
    return {"status": "created", **known, "shim": shim, "starting": True, "stopped": False}


def not_started(error: LaminaError) -> Document:
    """Give what is new in the state of a container that could not be started."""
    return {
        "exit_code": getattr(error, "exit_code", OURS),
        "error": error.message,
        "finished": timestamp(time.time_ns()),
        "pid": 0,
        "starting": False,
    }
