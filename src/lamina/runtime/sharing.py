"""Namespaces that a container does not have to itself: the machine's, or another container's.

A PID namespace that is shared lies above or beside the one that a shim otherwise makes for itself, and
only a process outside of both may enter it. So the shim makes none then, and two things that the kernel
did are done here: a guard above the shim ends what a killed shim leaves, `end_rest` what the first
process does.
"""

import os
import signal
from contextlib import suppress

from lamina.errors import LaminaError
from lamina.runtime import cgroups, frames, syscalls, userns
from lamina.runtime.process import StartFailed
from lamina.runtime.split import retitle
from lamina.runtime.strays import below, contained
from lamina.spec.bundle import Bundle
from lamina.spec.wire import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.shim import Shim

__all__ = [
    "borrow",
    "end_rest",
    "give_back",
    "go_on",
    "lend",
    "processes",
    "remember_mounts",
    "return_to",
    "unshare",
]

_MANY = 1 << 20
_NAMESPACE, _MEMORY = "ns-", "shm"  # what a run folder has of others' and for others
_SHM = "/dev/shm"  # noqa: S108 - a container's


def unshare(request: Document) -> None:
    """Leave the machine's mounts, and its processes where the container has some of its own.

    Raises: StartFailed (root in a container that may not).
    """
    own_pids = 0 if request["bundle"]["pid"] else syscalls.CLONE_NEWPID
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS | own_pids)
        _take_root()
    except PermissionError as error:
        raise StartFailed(
            "this process may not make namespaces, as is usual in a container",
            hint=f"start that container with `--privileged`; {userns.WITHOUT} without",
        ) from error


def _take_root() -> None:
    """Make this process's root that of its mounts, where it is another: in a chroot.

    Whoever enters them later is at theirs, as an exec is; there that was this machine, not the container.
    """
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(own, syscalls.CLONE_NEWNS)
        if os.path.samestat(os.fstat(root), os.stat("/")):
            return
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
        os.fchdir(root)
        place = os.getcwd()
        syscalls.mount(place, place, "", syscalls.MS_BIND | syscalls.MS_REC)
        os.chdir(place)
        syscalls.pivot_root(".", ".")
        syscalls.umount(".", syscalls.MNT_DETACH)
        os.chdir("/")
    finally:
        os.close(own)
        os.close(root)


def remember_mounts() -> tuple[int, int]:
    """Open the mounts that this process is about to leave, and its root in them."""
    mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    return mounts, os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def return_to(mounts: tuple[int, int]) -> None:
    """Go back to what `remember_mounts` gave. Raises: OSError."""
    syscalls.setns(mounts[0], syscalls.CLONE_NEWNS)
    os.fchdir(mounts[1])
    os.chroot(".")


def go_on(request: Document) -> None:
    """Go on in the background, in the namespaces that `unshare` made; returns in the shim alone.

    Where those of processes are shared, a process stays above the shim that ends what is left when
    it was killed. That one lets go of all files: locks among them only the shim may hold.
    """
    if os.fork():
        os._exit(0)
    if request["bundle"]["pid"]:
        _guard(request)


def _guard(request: Document) -> None:
    syscalls.become_subreaper()
    child = os.fork()
    if not child:
        syscalls.become_subreaper()
        return
    try:
        retitle("lamina-guard", request["id"][:12])
        os.closerange(3, min(os.sysconf("SC_OPEN_MAX"), _MANY))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            cgroups.discard(request["id"], request["run_folder"])
            while pids := tuple(below(os.getpid())):
                cgroups.signal_all(pids, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(-1, 0)
    finally:
        os._exit(0)


def lend(shim: "Shim", kind: str) -> tuple[Document, tuple[int, ...]]:
    """Give descriptors of a container's `pid` or `ipc` namespace; with the latter its /dev/shm."""
    opened = [os.open(f"/proc/{shim.pid()}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)]
    if kind == "ipc":
        opened.append(syscalls.open_tree(f"{shim.run_folder}/{_MEMORY}"))
    return {}, tuple(opened)


def borrow(bundle: Bundle, sockets: Document, run_folder: str) -> Bundle:
    """Ask other shims for what their containers share; give the bundle with places to find it at.

    `sockets` maps `pid` and `ipc` to the other's socket. Also mounts the /proc of a PID namespace of
    one's own, and makes the /dev/shm that may be lent.
    Raises: StartFailed.
    """
    if not bundle.pid:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("proc", "/proc", "proc", flags)
    if bundle.ipc == "shareable":
        _make_shm(run_folder, bundle.shm_size)
        bundle = bundle._replace(ipc="", binds=(*bundle.binds, _shm_bind(run_folder)))
    for kind, socket_path in sockets.items():
        try:
            with frames.connect(socket_path) as sock:
                answer, fds = frames.request(sock, {"op": "lend", "kind": kind})
        except (OSError, LaminaError) as error:
            raise StartFailed(f"cannot join {kind.upper()} of a non running container") from error
        if not fds:
            raise StartFailed(f"cannot join that container's {kind.upper()}: {answer['error']}")
        place = f"{run_folder}/{_NAMESPACE}{kind}"
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        syscalls.mount(f"/proc/self/fd/{fds[0]}", place, "", syscalls.MS_BIND)
        if kind == "ipc":
            os.makedirs(f"{run_folder}/{_MEMORY}", exist_ok=True)
            syscalls.move_mount(fds[1], f"{run_folder}/{_MEMORY}")
            bundle = bundle._replace(ipc=place, binds=(*bundle.binds, _shm_bind(run_folder)))
        else:
            bundle = bundle._replace(pid=place)
        for fd in fds:
            os.close(fd)
    return bundle


def give_back(run_folder: str) -> None:
    """Take away what `borrow` mounted in a container's folder, which cannot be removed before."""
    for name in os.listdir(run_folder):
        if name == _MEMORY or name.startswith(_NAMESPACE):
            with suppress(OSError):
                syscalls.umount(f"{run_folder}/{name}", syscalls.MNT_DETACH)


def _make_shm(run_folder: str, size: int) -> None:
    os.makedirs(f"{run_folder}/{_MEMORY}", exist_ok=True)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("shm", f"{run_folder}/{_MEMORY}", "tmpfs", flags, f"mode=1777,size={size}")


def _shm_bind(run_folder: str) -> Document:
    options = ["bind", "rprivate", "nosuid", "noexec", "nodev"]
    return {
        "destination": _SHM,
        "type": "bind",
        "source": f"{run_folder}/{_MEMORY}",
        "options": options,
    }


def processes(shim: "Shim") -> list[int]:
    """List the processes of a container whose PID namespace is shared: its group's, else those below us."""
    if pids := shim.group.pids():
        return list(pids)
    first = shim.pid()
    return list(dict.fromkeys([first, *below(first), *contained(shim)]))


def end_rest(shim: "Shim") -> None:
    """Kill what the first process of a container with a shared PID namespace left behind."""
    shim.group.kill()
    if not shim.group.folders:
        cgroups.signal_all(tuple(contained(shim)), signal.SIGKILL)
