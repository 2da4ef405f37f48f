"""Processes below a shim: which are the container's, which the shim's own, and which nobody looks after.

The namespaces tell them apart: what the shim forked goes on in its mounts, a container's processes have
their own. A process whose parent was killed becomes the shim's child.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.shim import Shim

__all__ = ["below", "children", "contained", "end_children", "strays"]

_KEEPER = "lamina-net"


def children(above: int) -> Iterator[int]:
    """Give the children of process `above`; none when it is gone."""
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{above}/task"):
            with open(f"/proc/{above}/task/{thread}/children", encoding="utf-8") as file:
                yield from [int(word) for word in file.read().split()]


def below(above: int) -> Iterator[int]:
    """Give the descendants of process `above` that are still there, parents before their children."""
    for pid in children(above):
        yield pid
        yield from below(pid)


def contained(shim: "Shim") -> Iterator[int]:
    """Give the container's processes among those below us: not our own, nor what carries packets.

    What a deputy started is the container's.
    """
    helpers = shim.wires.helpers if shim.wires else frozenset()
    own = _mounts_of(os.getpid())
    for child in children(os.getpid()):
        if child in shim.deputies:
            yield from (pid for pid in below(child) if _mounts_of(pid) != own)
        elif child not in helpers and _mounts_of(child) != own:
            yield from (child, *below(child))


def strays(shim: "Shim") -> list[int]:
    """List our children that a killed deputy left: what it had started, or the runtime that does so yet.

    In a PID namespace of the container's own nothing else is handed to us. Where that is shared, what
    an exec put into the background is, too; then only those are listed that are not inside.
    """
    known = set(shim.wires.helpers) if shim.wires else set()
    if shim.started is not None:
        known.add(shim.started.watched)
    found = [pid for pid in children(os.getpid()) if pid not in known and pid not in shim.deputies]
    found = [pid for pid in found if not _is_keeper(pid)]
    if shim.bundle.pid and shim.started is not None:
        inside = _mounts_of(shim.started.pid)
        return [pid for pid in found if _mounts_of(pid) != inside]
    return found


def end_children() -> None:
    """Kill and reap our children: what a runtime has left that was killed while it started a process."""
    while found := list(children(os.getpid())):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _mounts_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:  # it has just ended
        return ""


def _is_keeper(pid: int) -> bool:
    """Tell whether a child is a network's keeper, a fork of ours (`net.mending`)."""
    with suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        own = os.path.samefile(f"/proc/{pid}/exe", "/proc/self/exe")
        return own and file.read().strip() == _KEEPER
    return False
