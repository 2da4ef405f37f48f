"""Control groups by file writes, in the unified, the legacy and the hybrid layout.

The groups are made here rather than by the OCI runtime, so that each runtime gives the same: crun
is told to leave them alone (it refuses the hybrid layout otherwise), bubblewrap has none. A plain
user's groups are made below the one that was handed to them (systemd's `Delegate=`), or that systemd
hands over when a limit is asked for (`scope`). Where nothing can be written a container has no group:
then pausing stops its processes by signal, limits cannot be given, and `limitable` says so beforehand.
A process enters only the hierarchies that are needed: in the legacy ones each move costs milliseconds.
"""

import errno
import os
import signal
import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from lamina.errors import Unavailable
from lamina.runtime import hierarchies, scope, userns
from lamina.runtime.hierarchies import FOLDER, SCOPED, SCOPES, words
from lamina.spec.limits import Limits, legacy_files, unified_files
from lamina.values import NamedTuple

__all__ = [
    "DEVICES",
    "Cgroup",
    "LimitRefused",
    "create",
    "discard",
    "limitable",
    "signal_all",
    "take_scope",
]

_PARENT = f"/{FOLDER}"
_GROUPS = "groups"
_MEMORY = "memory.limit_in_bytes"
_PATIENCE_S = 10.0
_TRIES = 50
DEVICES = (
    "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
    "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
)  # fmt: skip
"""What a container may do with devices: null, zero, full, random, urandom, tty, console, ptmx and pts
as Docker's, and make (not open) any node."""


class LimitRefused(Unavailable):
    """The kernel does not take a limit."""


class Cgroup(NamedTuple):
    """One container's folders in the hierarchies; `freezer` is where it can be paused, or empty.

    `confined` tells that the group keeps device files from working; without it CAP_MKNOD would
    open the host's disks. `places` maps a controller to its folder, for those that are in use.
    """

    folders: tuple[str, ...] = ()
    freezer: str = ""
    confined: bool = False
    places: tuple[tuple[str, str], ...] = ()

    def shown(self) -> tuple[tuple[str, str], ...]:
        """Give (folder here, where the container sees it) of each: /sys/fs/cgroup, or below that."""
        if hierarchies.layout() == "unified":
            return tuple((folder, hierarchies.ROOT) for folder in self.folders[:1])
        # The unified hierarchy of the hybrid layout only freezes, and crun must not see it.
        rows = [
            (folder, folder.split("/")[hierarchies.ROOT.count("/") + 1]) for folder in self.folders
        ]
        return tuple(
            (folder, f"{hierarchies.ROOT}/{name}") for folder, name in rows if name != "unified"
        )

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
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            with open(path, encoding="utf-8") as file:
                if wanted in file.read():
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)

    def pids(self) -> tuple[int, ...]:
        """List the processes inside, in this process's numbers; those it cannot see are left out."""
        found: list[int] = []
        for folder in self.folders[:1]:
            with suppress(OSError), open(f"{folder}/cgroup.procs", encoding="utf-8") as file:
                found = [pid for line in file if (pid := int(line))]
        return tuple(found)

    def kill(self) -> None:
        """Kill every process inside, also those that it starts meanwhile."""
        for _ in range(100):
            pids = self.pids()
            if not pids:
                return
            signal_all(pids, signal.SIGKILL)
            time.sleep(0.005)

    def remove(self) -> None:
        """Remove the folders; processes that are still ending get a moment, as long as the machine is busy."""
        deadline = time.monotonic() + _PATIENCE_S
        for folder in self.folders:
            tries = _TRIES
            while tries and not _is_removed(folder):
                time.sleep(0.01)
                # One that is empty and stays has groups of the container's own in it.
                if time.monotonic() > deadline or not words(f"{folder}/cgroup.procs"):
                    tries -= 1

    def limit(self, limits: Limits) -> None:
        """Write `limits`; what they do not name stays. Raises: LimitRefused.

        Only controllers that the group was made with can be limited.
        """
        places = dict(self.places)
        rows = (unified_files if hierarchies.layout() == "unified" else legacy_files)(limits)
        for controller, name, text in rows:
            folder = places.get(controller, "")
            if not folder:
                continue
            try:
                _write(f"{folder}/{name}", text)
            except FileNotFoundError:  # no accounting of swap: memory is limited without it
                continue
            except OSError as error:
                if name == _MEMORY and _raised(folder, text, str(limits.swap_and_memory)):
                    continue
                raise LimitRefused(
                    f"failed to write {text!r} to {name}: {error.strerror}",
                    hint="the container may use more than that already, or the machine has less",
                ) from error

    def extended(
        self, container: str, limits: Limits, pids: Sequence[int], parent: str = ""
    ) -> "Cgroup":
        """Give the group with the controllers that `limits` need; `pids` are moved into those."""
        wanted = [name for name in limits.controllers if name not in dict(self.places)]
        if not wanted:
            return self
        new = _more(container, wanted, parent)
        for folder in dict.fromkeys(folder for _, folder in new):
            if folder not in self.folders:
                for pid in pids:
                    with suppress(ProcessLookupError):
                        _write(f"{folder}/cgroup.procs", str(pid))
        folders = tuple(dict.fromkeys((*self.folders, *(folder for _, folder in new))))
        return Cgroup(folders, self.freezer, self.confined, (*self.places, *new))

    def out_of_memory(self) -> bool:
        """Tell whether the kernel killed something inside for its memory."""
        folder = dict(self.places).get("memory", "")
        for name in ("memory.events", "memory.oom_control") if folder else ():
            with suppress(OSError), open(f"{folder}/{name}", encoding="utf-8") as file:
                for line in file:
                    key, _, count = line.partition(" ")
                    if key == "oom_kill":
                        return int(count) > 0
        return False


def _raised(folder: str, memory: str, both: str) -> bool:
    """Raise a limit beyond the one on memory and swap, which has to grow first then."""
    try:
        _write(f"{folder}/memory.memsw.limit_in_bytes", both)
        _write(f"{folder}/{_MEMORY}", memory)
    except OSError:
        return False
    return True


def limitable(controllers: Collection[str], uid: int | None = None) -> frozenset[str]:
    """Tell which of `controllers` can limit a container that this process starts.

    `uid` is the plain user's, whose systemd may hand over a group.
    """
    if bases := hierarchies.bases():
        return frozenset(
            name for name in controllers if name in bases and _enabled(bases[name], name)
        )
    above = scope.manager(uid) if uid is not None and hierarchies.layout() == "unified" else ""
    there = words(f"{above}/cgroup.controllers") if above else []
    return frozenset(controllers).intersection(there)


def take_scope(container: str, limits: Limits, pids: Sequence[int]) -> bool:
    """Have a plain user's systemd hand over a group where one is needed; tell whether it did.

    `pids`, this process's first, are moved into it; children that are made later are in it too.
    Raises: ScopeRefused.
    """
    uid = userns.rootless_uid()
    if uid is None or not limits.controllers or hierarchies.layout() != "unified":
        return False
    if hierarchies.bases() or not scope.manager(uid):
        return False
    scope.enter(f"{SCOPES}{container}.scope", uid, pids)
    return True


def _enabled(base: str, controller: str, parent: str = "") -> bool:
    """Have the groups of containers get `controller`; False where that cannot be."""
    if hierarchies.layout() != "unified":
        return os.path.isdir(base)
    try:
        parts = _parent(parent).strip("/").split("/")
        os.makedirs(base + _parent(parent), exist_ok=True)
        for folder in (base, *("/".join((base, *parts[:n])) for n in range(1, len(parts) + 1))):
            with open(f"{folder}/cgroup.subtree_control", encoding="utf-8") as file:
                if controller in file.read().split():
                    continue
            try:
                _write(f"{folder}/cgroup.subtree_control", f"+{controller}")
            except OSError as error:
                if error.errno != errno.EBUSY or not _vacate(folder):
                    return False
                _write(f"{folder}/cgroup.subtree_control", f"+{controller}")
    except OSError:
        return False
    return True


def _vacate(folder: str) -> bool:
    """Move the processes of a group that is ours alone into one below it, so that it can give limits.

    That is what systemd made for a container, and what a container that we run in sees as the root.
    """
    name = os.path.basename(folder)
    if folder != hierarchies.ROOT and not (
        name.startswith(SCOPES) and f"{name}/shim".endswith(SCOPED)
    ):
        return False
    leaf = f"{folder}/{'init' if folder == hierarchies.ROOT else 'shim'}"
    os.makedirs(leaf, exist_ok=True)
    for pid in words(f"{folder}/cgroup.procs"):
        with suppress(OSError):  # it ended, or is of another PID namespace
            _write(f"{leaf}/cgroup.procs", pid)
    return True


def _parent(parent: str) -> str:
    """Give the group that holds those of containers, below where groups may be made: `/lamina`."""
    return f"/{parent.strip('/')}" if parent.strip("/") else _PARENT


def _more(container: str, controllers: Sequence[str], parent: str) -> tuple[tuple[str, str], ...]:
    """Make the folders of a container's group for `controllers`. Raises: LimitRefused."""
    bases = hierarchies.bases()
    made = []
    for name in controllers:
        if name not in bases or not _enabled(bases[name], name, parent):
            continue  # `limitable` told of it before
        folder = f"{bases[name]}{_parent(parent)}/{container}"
        try:
            os.makedirs(folder, exist_ok=True)
            if name == "cpuset" and hierarchies.layout() != "unified":
                _inherit_sets(folder, bases[name])
        except OSError as error:
            raise LimitRefused(f"cannot make a group for {name}: {error.strerror}") from error
        made.append((name, folder))
    return tuple(made)


def _inherit_sets(folder: str, base: str) -> None:
    """Fill a new group's processors and memory nodes from above: empty ones take no process."""
    parts = folder.removeprefix(f"{base}/").split("/")
    for path in ("/".join((base, *parts[:n])) for n in range(1, len(parts) + 1)):
        for name in ("cpuset.cpus", "cpuset.mems"):
            with open(f"{path}/{name}", encoding="utf-8") as file:
                if file.read().strip():
                    continue
            with open(f"{os.path.dirname(path)}/{name}", encoding="utf-8") as file:
                text = file.read().strip()
            _write(f"{path}/{name}", text)


def discard(container: str, run_folder: str = "") -> None:
    """Remove what a shim that was killed left of its container's group, processes and all."""
    folders = [f"{base}{_PARENT}/{container}" for base in hierarchies.bases().values()]
    with suppress(OSError):  # runc makes one in each hierarchy
        folders += [
            f"{hierarchies.ROOT}/{name}{_PARENT}/{container}"
            for name in os.listdir(hierarchies.ROOT)
        ]
    with suppress(OSError), open(f"{run_folder}/{_GROUPS}", encoding="utf-8") as file:
        folders += [line.rstrip("\n") for line in file]
    group = Cgroup(tuple(folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)))
    group.kill()
    group.remove()


def _is_removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def create(
    container: str,
    *,
    privileged: bool,
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    devices: Sequence[str] = (),
    in_force: bool = True,
    parent: str = "",
    run_folder: str = "",
) -> Cgroup:
    """Make the group of `container`, its limits in force; an empty one where this process may not.

    `devices` are further rules (`c 1:3 rwm`) of what may be opened. Without `in_force` a runtime
    writes the limits into the same group itself. A `parent` of its own (`/a/b`) is noted in
    `run_folder` for `discard`. Raises: LimitRefused.
    """
    bases = hierarchies.bases()
    places = {name: f"{base}{_parent(parent)}/{container}" for name, base in bases.items()}
    if parent:
        names = () if hierarchies.layout() == "unified" else os.listdir(hierarchies.ROOT)
        made = [f"{hierarchies.ROOT}/{name}{_parent(parent)}/{container}" for name in names]
        with open(f"{run_folder}/{_GROUPS}", "w", encoding="utf-8") as file:
            file.writelines(f"{folder}\n" for folder in dict.fromkeys((*places.values(), *made)))
    folders = [places[name] for name in ("freezer", "devices") if name in bases]
    if "devices" not in bases:  # the unified layout confines devices by programs only
        group = _programmed(_make(folders, confined=False), devices, privileged=privileged)
    else:
        group = _confined(_make(folders, confined=True), folders, devices, privileged=privileged)
    if limits.controllers:
        group = group.extended(container, limits, (), parent)
        try:
            if in_force:
                group.limit(limits)
        except LimitRefused:
            group.remove()
            raise
    return group


def _confined(
    group: Cgroup, folders: Sequence[str], devices: Sequence[str], *, privileged: bool
) -> Cgroup:
    if not group.confined or privileged:
        return group
    with suppress(OSError):
        _write(f"{folders[-1]}/devices.deny", "a")
        for rule in (*DEVICES, *devices):
            _write(f"{folders[-1]}/devices.allow", rule)
        return group
    return group._replace(confined=False)


def _programmed(group: Cgroup, devices: Sequence[str], *, privileged: bool) -> Cgroup:
    if not group.folders or privileged or hierarchies.layout() != "unified":
        return group
    from lamina.runtime.device_program import attach

    with suppress(
        OSError, KeyError
    ):  # not root of the machine: its devices are out of reach anyway
        attach(group.folders[0], (*DEVICES, *devices))
        return group._replace(confined=True)
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


def signal_all(pids: Sequence[int], number: "signal.Signals") -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
