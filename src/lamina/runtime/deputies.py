"""The forks of a shim that each serve one exec or make one health check.

One that is killed leaves the process that it had started, or the runtime that is about to: nobody would
read what that writes or note its end, so it is ended, too. It becomes the shim's child, and nobody
else's. Where containers share a PID namespace so do others, and the IDs count that the deputy, the
runtime and whoever enters the container for it wrote into the deputy's folder.
"""

import os
import signal
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress

__all__ = ["CHECK", "GO_BETWEEN", "KILLED", "Deputies", "note_process"]

CHECK = "health-"
"""How the folders of checks begin; others are execs', called by their ID."""

KILLED = 128 + signal.SIGKILL

GO_BETWEEN = "between.pid"
"""The file in a deputy's folder that has the ID of what is inside already to start the process there."""

_FILES = ("process", "exec.pid")  # the deputy's own, and the runtime's

_GRACE_S = 2.0


def note_process(folder: str, pid: int) -> None:
    """Say in a deputy's folder which process it has started."""
    with open(f"{folder}/{_FILES[0]}", "w", encoding="utf-8") as file:
        file.write(str(pid))


class Deputies:
    """Those of one shim, each with its folder. An attendant of the shim's loop.

    `strays` lists what killed ones have left; `lost` is told the folder of each that was killed, once
    nothing is left of it. Without `kills` what they have left is a runtime that will write down which
    process it started, and is waited for.
    """

    def __init__(
        self,
        strays: Callable[[], Iterable[int]] = tuple,
        lost: Callable[[str], None] = lambda _: None,
        *,
        kills: bool = True,
    ) -> None:
        self._strays = strays
        self._kills = kills
        self._lost = lost
        self._folders: dict[int, str] = {}
        self._heirs: set[int] = set()  # strays, with the folders of the deputies that left them
        self._ends: dict[int, int] = {}  # pid: pidfd

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._folders)

    def __contains__(self, pid: int) -> bool:
        """Tell whether a process is one of them, or what one has left."""
        return pid in self._folders

    def add(self, pid: int, folder: str) -> None:
        """Look after a child that has just been made."""
        self._ends[pid] = os.pidfd_open(pid)
        self._folders[pid] = folder

    @property
    def fds(self) -> tuple[int, ...]:
        """What becomes readable at their ends."""
        return tuple(self._ends.values())

    def wait_s(self) -> float | None:
        """Wait for nothing else."""
        return None

    def turn(self, ready: Container[int]) -> None:
        """Reap those that have ended."""
        for pid, fd in list(self._ends.items()):
            if fd in ready:
                with suppress(ChildProcessError):
                    self.ended(*os.waitpid(pid, os.WNOHANG))

    def ended(self, pid: int, status: int) -> None:
        """Note that a child was reaped, which may be another; end what a killed one leaves."""
        if pid not in self._folders:
            return
        folder = self._folders.pop(pid)
        os.close(self._ends.pop(pid))
        if not status and pid not in self._heirs:
            return
        self._heirs.discard(pid)
        # In this order: it says who it is before it goes inside, where nobody takes it for a stray.
        left = [*self._strays(), *_noted(folder, GO_BETWEEN)]
        for noted in _noted(folder, *_FILES):
            self._take_over(noted, folder, kills=True)
        for heir in left:
            self._take_over(heir, folder, kills=self._kills)
        if folder not in self._folders.values():
            self._lost(folder)

    def _take_over(self, heir: int, folder: str, *, kills: bool) -> None:
        """Look after what a killed deputy left, until it has ended, too: what that leaves is next."""
        if heir in self._folders:
            return
        with suppress(ProcessLookupError):
            self.add(heir, folder)
            self._heirs.add(heir)
            if kills:
                os.kill(heir, signal.SIGKILL)

    def wait(self) -> None:
        """Let them tell their own ends, for a moment: they die with this namespace."""
        deadline = time.monotonic() + _GRACE_S
        while self._folders and time.monotonic() < deadline:
            for pid in list(self._folders):
                try:
                    done, status = os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    done, status = pid, 0
                if done:
                    self.ended(pid, status)
            if self._folders:
                time.sleep(0.005)

    def release(self) -> None:
        """Close what a fork of the shim must not hold."""
        for fd in self._ends.values():
            os.close(fd)
        self._folders, self._ends = {}, {}


def _noted(folder: str, *names: str) -> Iterator[int]:
    """Give the processes whose IDs are in files of `folder`, if they are there: now they are our children."""
    for name in names:
        with suppress(OSError, ValueError):
            with open(f"{folder}/{name}", encoding="utf-8") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if parent == os.getpid():  # else the number is another's by now
                yield pid
