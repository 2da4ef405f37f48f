"""Measure commands: wall time, and CPU time and memory of everything they started.

CPU comes from a control group of its own where the kernel offers one (daemons and shims that outlive the
command count too), else from the kernel's account of the process and the children it waited for. Memory
is the most that all processes of the group had resident at once, looked at every 20 ms, and at least the
largest single process; files that are mapped count, pages that two processes share count twice.
"""

import os
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["Figure", "group", "join", "kill_all", "measure", "median", "members"]

_ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")
_KB = 1024
_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds of one run, or of the median of several; peak bytes resident, and without mapped files."""

    wall_s: float
    cpu_s: float
    resident: int = 0
    anonymous: int = 0


@contextmanager
def group(name: str = "") -> Iterator[Path | None]:
    """Make a control group that counts CPU time, while the context lasts; None where there is none.

    What is still running in it at the end is killed.
    """
    folder = _ACCOUNTS / f"lamina-bench-{os.getpid()}{name and '-'}{name}"
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        kill_all(folder)
        for _ in range(50):
            for inner in sorted(folder.glob("**/"), reverse=True):
                try:
                    inner.rmdir()
                except OSError:
                    time.sleep(0.1)
            if not folder.exists():
                break


def kill_all(folder: Path, patience_s: float = 10) -> None:
    """End every process of a group, politely first. Only what was started in it is there."""
    deadline = time.monotonic() + patience_s
    while pids := members(folder):
        late = time.monotonic() > deadline
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline + patience_s:
            return
        time.sleep(0.1)


def join(account: Path | None, argv: Sequence[str]) -> list[str]:
    """Give the command that enters the group and then becomes `argv`."""
    if account is None:
        return list(argv)
    return ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(account / "cgroup.procs"), *argv]


def measure(
    argv: Sequence[str],
    environ: Mapping[str, str],
    account: Path | None,
    *,
    stdin: str = os.devnull,
    timeout_s: float = 600,
    to_the_end: bool = False,
) -> Figure:
    """Run one command to its end. Raises: RuntimeError (it failed; its words are in the message).

    With `to_the_end` the CPU counts until all that it left in the group has ended, too.
    """
    before = _usage_s(account)
    known = set(members(account)) if account and to_the_end else set()
    with open(stdin, "rb") as source:
        started = time.perf_counter()
        process = subprocess.Popen(
            join(account, argv), env=dict(environ), stdin=source,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        with _Watch(account, process.pid) as watch, _limit(process.pid, timeout_s):
            try:
                assert process.stdout is not None
                said = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        wall_s = time.perf_counter() - started
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {said.decode(errors='replace')[-2000:]}")
    if account and to_the_end:
        _wait_for_rest(account, known)
    own_s = usage.ru_utime + usage.ru_stime
    return Figure(
        wall_s,
        own_s if account is None else _usage_s(account) - before,
        max(watch.resident, usage.ru_maxrss * 1024),
        watch.anonymous,
    )


def _wait_for_rest(account: Path, known: set[int], patience_s: float = 30) -> None:
    deadline = time.monotonic() + patience_s
    while set(members(account)) - known:
        if time.monotonic() > deadline:
            raise RuntimeError("what the command left behind does not end")
        time.sleep(_EVERY_S)


@contextmanager
def _limit(pid: int, timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, lambda: os.killpg(pid, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@dataclass(slots=True)
class _Watch:
    """Looks at the memory of a group's processes, or of one process, until left."""

    account: Path | None
    pid: int
    resident: int = 0
    anonymous: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            resident = anonymous = 0
            for pid in [self.pid] if self.account is None else members(self.account):
                try:
                    with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                        rows = dict(row.split(b":", 1) for row in file.read().splitlines()[1:])
                except (OSError, ValueError):  # it ended meanwhile
                    continue
                # Proportional: what a forked process shares with its parent is there once.
                resident += int(rows.get(b"Pss", b"0 kB").split()[0])
                anonymous += int(rows.get(b"Pss_Anon", b"0 kB").split()[0])
            self.resident = max(self.resident, resident * _KB)
            self.anonymous = max(self.anonymous, anonymous * _KB)


def members(folder: Path) -> list[int]:
    """Give the processes of a group and of the groups inside it."""
    found: list[int] = []
    for top, _, _ in os.walk(folder):
        try:
            with open(f"{top}/cgroup.procs", "rb") as file:
                found += map(int, file.read().split())
        except OSError:  # the group went meanwhile
            continue
    return found


def _usage_s(account: Path | None) -> float:
    return 0.0 if account is None else int((account / "cpuacct.usage").read_text()) / 1e9


def median(figures: Sequence[Figure]) -> Figure:
    """Give the median of each column; of memory, the most."""
    return Figure(
        statistics.median(one.wall_s for one in figures),
        statistics.median(one.cpu_s for one in figures),
        max(one.resident for one in figures),
        max(one.anonymous for one in figures),
    )
