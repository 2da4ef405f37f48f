"""Ending containers: by asking the first process, by killing it, or by killing a shim that is stuck."""

import os
import signal
import time
from contextlib import suppress

from lamina.engine.execution import ContainerNotRunning, freeze, send, settled, wait
from lamina.engine.names import ContainerUnknown
from lamina.engine.requests import signal_number
from lamina.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["end", "stop"]

_STOP_S = 10
_KILL_S = 10.0
_STUCK_S = 3.0


def stop(
    engine: "Engine", record: "ContainerRecord", timeout_s: int | None = None, word: str = ""
) -> bool:
    """Ask the first process to end, and kill it when it has not after `timeout_s` (-1: never).

    `word` is the signal to ask with, else the container's own. Tell whether it ran.
    """
    if not engine.containers.state(record.id).is_running:
        return False
    chosen = word or record.config.get("StopSignal") or "TERM"
    patience = record.config.get("StopTimeout", _STOP_S) if timeout_s is None else timeout_s
    with suppress(ContainerNotRunning, ContainerUnknown):
        if engine.containers.state(record.id).status == "paused":
            freeze(engine, record, frozen=False)
        send(engine, record, "signal", number=signal_number(chosen), final=True)
        if wait(engine, record, None if patience < 0 else float(patience)) is None:
            end(engine, record)
    return True


def end(engine: "Engine", record: "ContainerRecord") -> None:
    """Kill the container for certain: its first process, or its shim when that does not answer.

    Also one that is just being started, or cleaned up after: when that does not get on for a few
    seconds, its shim is stuck.
    """
    files = engine.containers.files
    deadline = time.monotonic() + _STUCK_S
    while not engine.containers.state(record.id).is_running:
        if not files.is_held(record.id):
            return
        if time.monotonic() >= deadline:
            _kill_shim(engine, record)
            return
        time.sleep(0.02)
    with suppress(ContainerNotRunning, ContainerUnknown, Unavailable):
        send(engine, record, "signal", number=int(signal.SIGKILL), final=True)
        if wait(engine, record, _KILL_S) is not None:
            return
    if engine.containers.is_running(record.id):
        _kill_shim(engine, record)
    with suppress(ContainerUnknown):
        settled(engine, record)


def _kill_shim(engine: "Engine", record: "ContainerRecord") -> None:
    """Kill the shim that holds the container's lock, if it said which process it is."""
    shim = engine.containers.state(record.id).shim
    if not shim:
        return
    with suppress(OSError):
        handle = os.pidfd_open(shim)
        try:
            # The number may be another's by now, if the holder has not said its own yet.
            if _watches(shim, record.id) and engine.containers.files.is_held(record.id):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _watches(process: int, container: str) -> bool:
    """Tell by its words whether a process is the container's shim. Raises: OSError (it has ended)."""
    with open(f"/proc/{process}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    return container[:12].encode() in words
