"""Enter a running container by hand and start a process there: exec without an OCI runtime."""

import fcntl
import os
import termios
import warnings

from lamina.runtime import syscalls
from lamina.runtime.deputies import GO_BETWEEN
from lamina.runtime.executable import check
from lamina.runtime.process import (
    Launch,
    StartFailed,
    Stdio,
    become,
    confine,
    set_groups,
    take_terminal,
)
from lamina.spec.bundle import CAPABILITIES, DEFAULT_PATH
from lamina.spec.wire import Document

__all__ = ["FILTER", "join"]

FILTER = "seccomp.bpf"
"""The container's compiled system call filter, in its run folder; there is none if it has none."""

_DESCRIPTORS = 1 << 20
# Loaded before the namespaces change: afterwards this machine's files are out of reach.
_NEEDED = (fcntl, termios, warnings)  # the last by os.execvpe

_KINDS = (
    ("user", syscalls.CLONE_NEWUSER),
    ("ipc", syscalls.CLONE_NEWIPC),
    ("cgroup", syscalls.CLONE_NEWCGROUP),
    ("uts", syscalls.CLONE_NEWUTS),
    ("net", syscalls.CLONE_NEWNET),
    ("pid", syscalls.CLONE_NEWPID),
    ("mnt", syscalls.CLONE_NEWNS),
)


def join(init: int, launch: Launch, stdio: Stdio, terminal: int) -> int:
    """Start `launch.config` (a runtime-spec process) beside process `init`; give its pid.

    The caller must be a subreaper: the process becomes its child when the go-between ends.
    Raises: StartFailed.
    """
    process = launch.config
    check(f"/proc/{init}/root", process)
    code = _filter(launch.folder.partition("/exec/")[0])
    read, write = os.pipe()
    # Opened before the namespaces change; the deputy may be killed before it has read the number.
    own, noted = (
        os.open(f"{launch.folder}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        for name in (GO_BETWEEN, "exec.pid")
    )
    between = os.fork()
    if between:
        for fd in (write, own, noted):
            os.close(fd)
        os.waitpid(between, 0)
        with os.fdopen(read, "rb") as stream:
            message = stream.read().decode("utf-8", "replace")
        word, _, rest = message.partition("\n")
        if not word.isdigit() or rest:
            raise StartFailed.explain(rest or message, process["args"])
        return _child()
    try:
        os.write(own, str(os.getpid()).encode())
        launch.enter()
        confine(process)
        syscalls.forbid_dumps()  # processes inside must not look into it before it is one of theirs
        _enter(init)
        if pid := os.fork():
            os.write(noted, str(pid).encode())
            os.write(write, f"{pid}\n".encode())
            os._exit(0)
        _become_process(process, stdio, terminal, code, write)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        os.write(write, f"\n{error}".encode()[:4000])
    finally:
        os._exit(127)


def _filter(folder: str) -> bytes:
    try:
        with open(f"{folder}/{FILTER}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _child() -> int:
    """Find the process that was handed to this subreaper."""
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", encoding="ascii") as file:
        return max(int(word) for word in file.read().split())


def _enter(init: int) -> None:
    """Enter every namespace of `init` that is not ours already."""
    opened = []
    for name, flag in _KINDS:
        path = f"/proc/{init}/ns/{name}"
        if os.readlink(path) != os.readlink(f"/proc/self/ns/{name}"):
            opened.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), flag))
    for fd, flag in opened:
        syscalls.setns(fd, flag)


def _become_process(
    process: Document, stdio: Stdio, terminal: int, code: bytes, report: int
) -> None:
    if terminal >= 0:
        take_terminal(terminal)
    else:
        os.setsid()
    for target, fd in enumerate((stdio.stdin, stdio.stdout, stdio.stderr)):
        os.dup2(fd if fd >= 0 else os.open("/dev/null", os.O_RDWR), target)
    # All else first: WORKDIR may name a descriptor of ours, which leads outside (CVE-2024-21626).
    os.closerange(3, report)
    os.closerange(report + 1, _DESCRIPTORS)
    try:
        os.chdir(process["cwd"])
    except OSError as error:
        raise OSError(f"chdir to {process['cwd']}: {error.strerror}") from None
    held = {CAPABILITIES.index(name) for name in process["capabilities"]["bounding"]}
    for number in range(len(CAPABILITIES)):
        if number not in held:
            syscalls.drop_bounding(number)
    user = process["user"]
    if user["uid"] != os.geteuid() or user["gid"] != os.getegid():
        become(user["uid"], user["gid"], user["additionalGids"])
    else:
        set_groups(user["additionalGids"])
    mask = sum(1 << CAPABILITIES.index(name) for name in process["capabilities"]["effective"])
    syscalls.set_capabilities(mask, mask, 0)
    syscalls.forbid_new_privileges()
    if code:
        syscalls.install_filter(code)
    env = dict(row.split("=", 1) for row in process["env"])
    os.environ.clear()
    os.environ["PATH"] = env.get("PATH", DEFAULT_PATH)
    os.execvpe(process["args"][0], process["args"], env)  # noqa: S606 - no shell is the point
