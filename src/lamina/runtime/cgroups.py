"""Control groups by file writes, in the unified, the legacy and the hybrid layout.

The groups are made here rather than by the OCI runtime, so that each runtime gives the same: crun
is told to leave them alone (it refuses the hybrid layout otherwise), bubblewrap has none. Without
root, or where nothing can be written, a container has no group: then pausing stops its processes
by signal and limits cannot be given.
"""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from lamina.values import NamedTuple

__all__ = ["Cgroup", "create", "discard", "layout", "signal_all"]

_ROOT = "/sys/fs/cgroup"
_FOLDER = "lamina"
# What Docker lets a container's devices be: null, zero, full, random, urandom, tty, console, ptmx,
# pts, and making (not opening) any node.
_DEVICES = (
    "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
    "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm",
)  # fmt: skip


def layout() -> str:
    """Tell how control groups are mounted: `unified`, `hybrid`, `legacy` or `none`."""
    if os.path.exists(f"{_ROOT}/cgroup.controllers"):
        return "unified"
    if os.path.exists(f"{_ROOT}/unified/cgroup.controllers"):
        return "hybrid"
    return "legacy" if os.path.isdir(f"{_ROOT}/devices") else "none"


class Cgroup(NamedTuple):
    """One container's folders in the hierarchies; `freezer` is where it can be paused, or empty.

    `confined` tells that the group keeps device files from working; without it CAP_MKNOD would
    open the host's disks.
    """

    folders: tuple[str, ...] = ()
    freezer: str = ""
    confined: bool = False

    def enter(self) -> None:
        """Move this process into the group."""
        for folder in self.folders:
            _write(f"{folder}/cgroup.procs", "0")

    def freeze(self, *, frozen: bool) -> bool:
        """Stop or go on with everything inside; False where the group cannot."""
        if not self.freezer:
            return False
        if os.path.exists(f"{self.freezer}/cgroup.freeze"):
            _write(f"{self.freezer}/cgroup.freeze", "1" if frozen else "0")
            wanted = f"frozen {int(frozen)}"
            path = f"{self.freezer}/cgroup.events"
        else:
            wanted = "FROZEN" if frozen else "THAWED"
            path = f"{self.freezer}/freezer.state"
            _write(path, wanted)
        for _ in range(200):
            with open(path, encoding="ascii") as file:
                if wanted in file.read():
                    return True
            time.sleep(0.005)
        return False

    def remove(self) -> None:
        """Remove the folders; processes that are still ending get a moment."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def _folders(container: str) -> list[str]:
    """List the folders of a container's group: where it is paused first, then its devices."""
    roots = {
        "unified": [_ROOT],
        "hybrid": [f"{_ROOT}/unified", f"{_ROOT}/devices"],
        "legacy": [f"{_ROOT}/freezer", f"{_ROOT}/devices"],
    }.get(layout(), [])
    return [f"{root}/{_FOLDER}/{container}" for root in roots]


def discard(container: str) -> None:
    """Remove what a shim that was killed left of its container's group."""
    Cgroup(tuple(folder for folder in _folders(container) if os.path.isdir(folder))).remove()


def create(container: str, *, privileged: bool) -> Cgroup:
    """Make the group of `container`; an empty one where this process may not."""
    folders = _folders(container)
    if len(folders) < 2:  # noqa: PLR2004 - the unified layout confines devices by programs only
        return _make(folders, confined=False)
    group = _make(folders, confined=True)
    devices = folders[1]
    if group.confined and not privileged:
        with suppress(OSError):
            _write(f"{devices}/devices.deny", "a")
            for rule in _DEVICES:
                _write(f"{devices}/devices.allow", rule)
            return group
        return Cgroup(group.folders, group.freezer, confined=False)
    return group


def _make(folders: Sequence[str], *, confined: bool) -> Cgroup:
    try:
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
            if not os.access(f"{folder}/cgroup.procs", os.W_OK):
                return Cgroup()
    except OSError:
        return Cgroup()
    return Cgroup(tuple(folders), folders[0], confined) if folders else Cgroup()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
