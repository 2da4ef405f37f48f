"""Health checks, run by the shim: one process inside the container after another.

Each check is a child of the shim that starts the process, waits for it no longer than it may take,
and writes what came of it into a pipe; the shim's loop reads that and never waits.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Container
from contextlib import suppress

from lamina.errors import LaminaError
from lamina.runtime import syscalls
from lamina.runtime.deputies import CHECK, note_process
from lamina.runtime.log import timestamp
from lamina.runtime.operations import collect
from lamina.runtime.process import Launch, reap
from lamina.runtime.relay import Pipes
from lamina.runtime.strays import end_children
from lamina.spec.bundle import ProcessSettings
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.shim import Shim

__all__ = ["Health", "check", "check_folder", "checks_of"]

_NS = 1_000_000_000
_DEFAULTS = {"Interval": 30 * _NS, "Timeout": 30 * _NS, "StartInterval": 5 * _NS}
_RETRIES = 3
_KEPT = 5
_OUTPUT = 4096


class Health:
    """How one container is. `start` begins a check and gives the descriptor of its result.

    `held` tells that nothing can be checked now (paused). `config` is Docker's Healthcheck, times in nanoseconds. `tell` gets the document whenever it
    changes, and whether the word for it changed.
    """

    def __init__(
        self,
        config: Document,
        start: Callable[[], int],
        tell: Callable[[Document, bool], None],
        held: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._tell = tell
        self._held = held
        self._clock = clock
        self._retries = int(config.get("Retries") or _RETRIES)
        spans = {key: int(config.get(key) or zero) / _NS for key, zero in _DEFAULTS.items()}
        self._interval_s, self._start_interval_s = spans["Interval"], spans["StartInterval"]
        self._start_period_s = int(config.get("StartPeriod") or 0) / _NS
        self._fd = -1
        self._said = b""
        self._began = ""
        self.document: Document = {"Status": "starting", "FailingStreak": 0, "Log": []}
        self._born = clock()
        self._due = self._born + self._pace()

    def _pace(self) -> float:
        return self._start_interval_s if self._is_young() else self._interval_s

    def _is_young(self) -> bool:
        """Whether failures are forgiven yet."""
        young = self._clock() - self._born < self._start_period_s
        return young and self.document["Status"] == "starting"

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptor to poll while a check is going on."""
        return (self._fd,) if self._fd >= 0 else ()

    def wait_s(self) -> float | None:
        """Give how long from now nothing has to be done; None while a check is going on."""
        return None if self._fd >= 0 else max(0.0, self._due - self._clock())

    def turn(self, ready: Container[int]) -> None:
        """Do what is due; `ready` holds the descriptors that can be read."""
        if self._fd >= 0:
            if self._fd in ready:
                self._read()
        elif self._clock() >= self._due and self._held():
            self._due = self._clock() + self._pace()
        elif self._clock() >= self._due:
            self._began = timestamp(time.time_ns())
            self._fd = self._start()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._fd, 1 << 16):
                self._said += piece
            os.close(self._fd)
            said, self._said, self._fd = self._said, b"", -1
            self._note(decode(said, what="health") if said else {"exit_code": -1, "output": ""})

    def _note(self, result: Document) -> None:
        code = int(result["exit_code"])
        entry = {
            "Start": self._began,
            "End": timestamp(time.time_ns()),
            "ExitCode": code,
            "Output": result["output"],
        }
        old = self.document
        streak, status = old["FailingStreak"], old["Status"]
        if code == 0:
            streak, status = 0, "healthy"
        elif not self._is_young():
            streak += 1
            status = "unhealthy" if streak >= self._retries else status
        self.document = {
            "Status": status,
            "FailingStreak": streak,
            "Log": [*old["Log"], entry][-_KEPT:],
        }
        self._due = self._clock() + self._pace()
        self._tell(self.document, status != old["Status"])

    def end(self) -> Document:
        """Stop checking; what does not run is not healthy."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self.document = {**self.document, "Status": "unhealthy"}
        return self.document


def checks_of(shim: "Shim", tell: Callable[[Document, bool], None]) -> Health:
    """Give the checks that a shim was told to make, each by a child of its; `tell` is `Health`'s."""
    order = shim.request["health"]
    settings = ProcessSettings.from_json(order["process"])

    def begin() -> int:
        collect(shim)  # the checks before this one
        read, write = os.pipe()
        if pid := os.fork():
            os.close(write)
            os.set_blocking(read, False)
            shim.deputies.add(pid, check_folder(shim, pid))
            return read
        try:
            syscalls.become_subreaper()
            shim.detach_relay()
            check(shim, settings, order["timeout_s"], write)
        finally:
            os._exit(0)

    return Health(order["config"], begin, tell, lambda: shim.paused)


def check_folder(shim: "Shim", pid: int) -> str:
    """Give where the child `pid` of the shim keeps what its check needs."""
    return f"{shim.run_folder}/exec/{CHECK}{pid}"


def check(shim: "Shim", settings: ProcessSettings, timeout_s: float, write: int) -> None:
    """Be the child that makes one check: write its result as JSON to `write`."""
    folder = check_folder(shim, os.getpid())
    try:
        code, output = _run(shim, settings, timeout_s, folder)
    except (LaminaError, OSError) as error:
        end_children()
        code, output = -1, str(getattr(error, "message", error))
    with suppress(OSError, LaminaError):
        remove_tree(folder)
    os.write(write, encode({"exit_code": code, "output": output}))


def _run(shim: "Shim", settings: ProcessSettings, timeout_s: float, folder: str) -> tuple[int, str]:
    os.makedirs(folder, mode=0o700)
    pipes = Pipes(terminal=False, stdin=False)
    process = shim.exec_process(settings)
    started = shim.runtime.execute(
        Launch(shim.id, folder, process, pipes.theirs, shim.enter, terminal=False)
    )
    note_process(folder, started.watched)
    pipes.started(started, stdin=False)
    deadline = time.monotonic() + timeout_s
    ended = os.pidfd_open(started.watched)
    output = bytearray()
    open_fds = set(pipes.outputs)
    for fd in open_fds:
        os.set_blocking(fd, False)
    while True:
        poller = select.poll()
        for fd in (ended, *open_fds):
            poller.register(fd, select.POLLIN)
        left = deadline - time.monotonic()
        ready = dict(poller.poll(max(0, int(left * 1000)))) if left > 0 else {}
        for fd in [fd for fd in open_fds if fd in ready]:
            if not _take(fd, output):
                open_fds.discard(fd)
        if ended in ready:
            for fd in open_fds:
                _take(fd, output)
            return reap(started.watched), _text(output)
        if left <= 0:
            _end(started.pid)
            reap(started.watched)
            return -1, f"Health check exceeded timeout ({timeout_s:g}s)"


def _end(pid: int) -> None:
    """Kill a check with what it started, or each late one would leave its program behind."""
    with suppress(ProcessLookupError):
        if (group := os.getpgid(pid)) != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)


def _take(fd: int, output: bytearray) -> bool:
    """Keep the beginning of what can be read; False at its end."""
    try:
        while piece := os.read(fd, 1 << 16):
            output += piece[: max(0, _OUTPUT - len(output))]
    except BlockingIOError:
        return True
    return False


def _text(output: bytearray) -> str:
    return bytes(output).decode("utf-8", "replace")
