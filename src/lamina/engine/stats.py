"""`stats`: what containers use of the machine, read from /proc and, where there is one, the group."""

import os
import time
from contextlib import suppress

from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["Sample", "sample", "share"]

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _THREADS = 11, 17  # fields of /proc/PID/stat behind the name


@dataclass(frozen=True, slots=True)
class Sample:
    """What one container has used until now. Sizes in bytes, `cpu_s` and `taken_s` in seconds.

    `threads` counts processes and their threads; `limit` is how much memory it may have.
    """

    threads: int = 0
    cpu_s: float = 0.0
    memory: int = 0
    limit: int = 0
    read: int = 0
    written: int = 0
    received: int = 0
    sent: int = 0
    taken_s: float = 0.0


def share(before: Sample, after: Sample) -> float:
    """Give the part of one processor that was used between two samples: 1.0 is a whole one."""
    span = after.taken_s - before.taken_s
    return max(0.0, after.cpu_s - before.cpu_s) / span if span > 0 else 0.0


def sample(engine: "Engine", record: "ContainerRecord") -> Sample:
    """Look at one container; all is zero of one that does not run.

    Without a group of its own (`runtime.cgroups`) what a process used that ended unnoticed by its parent
    inside is not counted. Input and output of other people's processes is not shown to a plain user.
    """
    from lamina.engine.execution import ContainerNotRunning
    from lamina.errors import Unavailable
    from lamina.runtime.group_usage import usage

    limit = int(record.host.get("Memory") or 0) or _total_memory()
    try:
        pids = engine.containers.processes(record.id)
    except (ContainerNotRunning, Unavailable):
        return Sample(limit=limit)
    threads, ticks, memory, read, written = 0, 0, 0, 0, 0
    for pid in pids:
        with suppress(OSError):
            fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
            threads += int(fields[_THREADS])
            ticks += sum(map(int, fields[_UTIME : _UTIME + 4]))  # with children waited for
            status = _table(f"/proc/{pid}/status")
            memory += (status.get("RssAnon", 0) + status.get("RssShmem", 0)) * 1024
        with suppress(OSError):
            table = _table(f"/proc/{pid}/io")
            read += table.get("read_bytes", 0)
            written += table.get("write_bytes", 0)
    received, sent = _network(pids[0]) if pids else (0, 0)
    counted = usage(record.id, pids[0] if pids else 0)
    return Sample(
        threads=threads,
        cpu_s=ticks / _TICKS if counted.cpu_s is None else counted.cpu_s,
        memory=memory if counted.memory is None else counted.memory,
        limit=limit,
        read=read,
        written=written,
        received=received,
        sent=sent,
        taken_s=time.monotonic(),
    )


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _table(path: str) -> dict[str, int]:
    """Read `Name: number …` lines."""
    found = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def _network(pid: int) -> tuple[int, int]:
    """Give bytes received and sent by all interfaces but loopback, as the process sees them."""
    received = sent = 0
    with suppress(OSError):
        for line in _text(f"/proc/{pid}/net/dev").splitlines()[2:]:
            name, _, rest = line.partition(":")
            words = rest.split()
            if name.strip() != "lo":
                received += int(words[0])
                sent += int(words[8])
    return received, sent


def _total_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
