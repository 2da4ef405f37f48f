"""bubblewrap behind the same `config.json`, for machines without crun and runc.

What differs from an OCI runtime: set-uid programs gain nothing (bubblewrap always sets
no-new-privileges); a process that is not root runs in a user namespace that knows its ID alone;
`tty` finds the terminal under /dev/console only. The first process is PID 1 all the same.
"""

import json
import os
import select
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lamina.runtime import syscalls
from lamina.runtime.executable import check
from lamina.runtime.join import FILTER, join
from lamina.runtime.process import (
    Launch,
    Started,
    StartFailed,
    Stdio,
    become,
    confine,
    set_groups,
    spawn,
    take_terminal,
)
from lamina.runtime.strays import children
from lamina.spec.bundle import KEEPING
from lamina.spec.filter_program import compile_filter
from lamina.spec.wire import Document
from lamina.stream.files import write_all

__all__ = ["Bubblewrap"]


_PLACE = "/tmp"  # noqa: S108 - covered in a mount namespace of its own
_KERNELS = ("/dev", "/proc", "/sys")  # what is mounted there is ours to choose
_FLAGS = {
    "nosuid": syscalls.MS_NOSUID,
    "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC,
}
_OWN = {
    "ipc": ("--unshare-ipc",),
    "pid": ("--unshare-pid", "--as-pid-1"),
    "uts": ("--unshare-uts",),
    "network": ("--unshare-net",),
    "cgroup": ("--unshare-cgroup",),
}
_JOINED = {
    "ipc": syscalls.CLONE_NEWIPC,
    "network": syscalls.CLONE_NEWNET,
}


class Bubblewrap:
    """The program `bwrap` at `path`."""

    name = "bwrap"

    def __init__(self, path: str) -> None:
        self.path = path

    def start(self, launch: Launch) -> Started:
        """Start the container's first process. Raises: StartFailed."""
        config = launch.config
        if "apparmorProfile" in config["process"]:
            raise StartFailed(
                "bubblewrap cannot give a container an AppArmor profile",
                hint="install crun or runc, or leave the profile out",
            )
        check(config["root"]["path"], config["process"], config["mounts"])
        root = os.open(config["root"]["path"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        status, status_write = os.pipe()
        keep = [status_write]
        console, slave, stdio = _console(launch)
        try:
            _make_points(root, config["mounts"], config["process"]["cwd"])
            words = ["--die-with-parent", "--clearenv", "--json-status-fd", str(status_write)]
            for row in config["linux"]["namespaces"]:
                words += () if "path" in row else _OWN.get(row["type"], ())
                if row["type"] == "pid" and "path" in row:  # it shows the machine's /proc otherwise
                    keep.append(os.open(row["path"], os.O_RDONLY | os.O_CLOEXEC))
                    words += ["--pidns", str(keep[-1])]
            if not launch.terminal:  # a terminal comes with a session; `kill 0` would end the shim
                words.append("--new-session")
            if "--unshare-uts" in words:
                words += ["--hostname", config.get("hostname") or "container"]
            near = _sources(config)
            memory = _memory(config["mounts"], _PLACE if near else launch.folder)
            words += _identity_words(config["process"]["user"])
            # Device files work only where a rule lets some be opened: else not even /dev/null's kin.
            bind = "--dev-bind" if _has_device_rules(config) else "--bind"
            words += [bind, near.get(config["root"]["path"], config["root"]["path"]), "/"]
            words += _mounts(config, near, memory)
            words += _identity(config["process"])
            filter_fd = _filter(config, launch.folder)
            if filter_fd >= 0:
                words += ["--seccomp", str(filter_fd)]
                keep.append(filter_fd)
            words_fd = _in_memory("bwrap", b"".join(os.fsencode(w) + b"\0" for w in words))
            keep.append(words_fd)
            line = [self.path, "--args", str(words_fd), "--", *config["process"]["args"]]
            nested = launch.terminal and "--as-pid-1" in words
            before = _before(launch, slave, near, memory, nested=nested)
            with _first_of_its_own(wanted=nested):
                child = spawn(line, stdio, keep=keep, before=before)
        finally:
            for fd in {*keep, root, slave} - {-1}:
                os.close(fd)
        try:
            pid = _wait_for_program(self.path, child, status, nested=nested)
        except StartFailed:
            if console >= 0:
                os.close(console)
            os.close(status)
            raise
        # `status` stays open: bubblewrap writes the exit code to it and would die of SIGPIPE.
        with open(f"{launch.folder}/init.pid", "w", encoding="utf-8") as file:
            file.write(str(pid))
        return Started(pid, child, console)

    def execute(self, launch: Launch) -> Started:
        """Start one more process in the container's namespaces. Raises: StartFailed."""
        console, slave, stdio = _console(launch)
        try:
            pid = join(
                int(_read(f"{launch.folder.partition('/exec/')[0]}/init.pid")), launch, stdio, slave
            )
        except BaseException:
            if console >= 0:
                os.close(console)
            raise
        finally:
            if slave >= 0:
                os.close(slave)
        return Started(pid, pid, console)

    def delete(self, container: str, folder: str) -> None:
        """Forget the container: nothing is left of it."""


@contextmanager
def _first_of_its_own(*, wanted: bool) -> Iterator[None]:
    """Make what is forked inside the first process of a PID namespace, if `wanted`.

    bubblewrap stays in the terminal's foreground beside the program. Ctrl-C is for the program, and
    the kernel spares a namespace's first process whatever that has not asked for.
    """
    if not wanted:
        yield
        return
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWPID)
        try:
            yield
        finally:
            syscalls.setns(own, syscalls.CLONE_NEWPID)
    finally:
        os.close(own)


def _see_own_processes() -> None:
    """Mount the /proc of this process's own PID namespace: bubblewrap looks its child up there."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    syscalls.mount("proc", "/proc", "proc", flags)


def _sources(config: Document) -> dict[str, str]:
    """Map what is bound from this machine to places that every user can walk to.

    bubblewrap runs as the container's user, who may not be let through to the container's folder.
    Empty for root, who can walk anywhere.
    """
    if config["process"]["user"]["uid"] == 0:
        return {}
    sources = [config["root"]["path"]]
    sources += [mount["source"] for mount in config["mounts"] if mount["type"] == "bind"]
    return {source: f"{_PLACE}/{number}" for number, source in enumerate(dict.fromkeys(sources))}


def _memory(mounts: list[Document], folder: str) -> dict[str, str]:
    """Map each tmpfs that was asked for to a place in `folder` where it will be.

    bubblewrap's own knows no option but size and mode: neither `nr_inodes` nor `noexec` would hold.
    """
    wanted = [
        mount["destination"]
        for mount in mounts
        if mount["type"] == "tmpfs" and not mount["destination"].startswith(_KERNELS)
    ]
    return {target: f"{folder}/memory-{number}" for number, target in enumerate(wanted)}


def _lay_out(sources: dict[str, str], memory: dict[str, str], mounts: list[Document]) -> None:
    """Bind `sources` and mount what `memory` has, in a mount namespace that only bubblewrap will see."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    if sources:
        _bring_near(sources)
    for mount in mounts:
        if place := memory.get(mount["destination"]):
            os.makedirs(place, exist_ok=True)
            words = [word for word in mount["options"] if "=" in word]
            flags = 0
            for word in mount["options"]:  # the last word holds
                flags = flags & ~_FLAGS.get(f"no{word}", 0) | _FLAGS.get(word, 0)
            syscalls.mount("tmpfs", place, "tmpfs", flags, ",".join(words))


def _bring_near(sources: dict[str, str]) -> None:
    opened = {target: os.open(path, os.O_PATH | os.O_CLOEXEC) for path, target in sources.items()}
    syscalls.mount("tmpfs", _PLACE, "tmpfs", 0, "mode=755")
    for target, fd in opened.items():
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        flags = syscalls.MS_BIND | syscalls.MS_REC
        syscalls.mount(f"/proc/self/fd/{fd}", target, "", flags)


def _identity_words(user: Document) -> list[str]:
    if user["uid"] == 0:
        return []
    return ["--unshare-user", "--uid", str(user["uid"]), "--gid", str(user["gid"])]


def _before(
    launch: Launch, slave: int, near: dict[str, str], memory: dict[str, str], *, nested: bool
) -> Callable[[], None]:
    """Give what the child does before it becomes bubblewrap."""
    user = launch.config["process"]["user"]
    joined = {
        _JOINED[row["type"]]: row["path"]
        for row in launch.config["linux"]["namespaces"]
        if "path" in row and row["type"] in _JOINED
    }

    def before() -> None:
        launch.enter()
        for flag, path in joined.items():
            with open(path, "rb") as file:
                syscalls.setns(file.fileno(), flag)
        if slave >= 0:
            take_terminal(slave)
        if nested:
            _see_own_processes()
        if near or memory:
            _lay_out(near, memory, launch.config["mounts"])
        confine(launch.config["process"])
        if user["uid"] != 0:
            become(user["uid"], user["gid"], user["additionalGids"])
        elif KEEPING not in launch.config.get(
            "annotations", {}
        ):  # else the starter's own groups are wanted
            set_groups(user["additionalGids"])

    return before


def _in_memory(name: str, data: bytes) -> int:
    fd = os.memfd_create(name)
    write_all(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _make_points(root: int, mounts: list[Document], cwd: str) -> None:
    """Make mount points in the rootfs, which a user who is not root could not, and the cwd."""
    with suppress(OSError):
        _make_point(root, cwd.strip("/"), is_file=False)
    for mount in mounts:
        target = mount["destination"].strip("/")
        if target.startswith("dev/"):  # /dev is a file system of its own by then
            continue
        is_file = mount["type"] == "bind" and not os.path.isdir(mount["source"])
        with suppress(OSError):  # what is really wrong bubblewrap will say
            _make_point(root, target, is_file=is_file)


def _make_point(root: int, target: str, *, is_file: bool) -> None:
    parts = [part for part in target.split("/") if part]
    folder = os.dup(root)
    for depth, name in enumerate(parts):
        last = depth == len(parts) - 1
        path = "/".join(parts[: depth + 1])
        try:
            below = syscalls.openat2(root, path, os.O_PATH)
        except FileNotFoundError:
            if last and is_file:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=folder))
            else:
                os.mkdir(name, 0o755, dir_fd=folder)
            below = syscalls.openat2(root, path, os.O_PATH)
        finally:
            os.close(folder)
        folder = below
    os.close(folder)


def _wait_for_program(bwrap: str, child: int, status: int, *, nested: bool) -> int:
    """Wait until bubblewrap has become the program; give that one's pid. Raises: StartFailed.

    What bubblewrap calls it is its number there, ours only where they share a PID namespace. Of one
    that has ended already bubblewrap's own is given, which nobody else can have before it is reaped.
    """
    ended = os.pidfd_open(child)
    poller = select.poll()
    poller.register(ended, select.POLLIN)
    said = b""
    try:
        os.set_blocking(status, False)
        pid = 0
        while True:
            gone = bool(poller.poll(1))
            with suppress(BlockingIOError):
                said += os.read(status, 4096)
            if not pid and b"\n" in said:  # it writes the line in pieces
                pid = int(json.loads(said.splitlines()[0])["child-pid"])
                pid = next(children(child), child) if nested else pid
            if gone:
                break
            if pid and _is_other(pid, bwrap):
                return pid
    finally:
        os.close(ended)
    if b"exit-code" in said:  # a quick program: it has ended already
        return pid
    _, code = os.waitpid(child, 0)
    raise StartFailed(
        f"bubblewrap could not set up the container (status {os.waitstatus_to_exitcode(code)})"
    )


def _is_other(pid: int, bwrap: str) -> bool:
    """Tell whether process `pid` runs something else than bubblewrap by now."""
    try:
        return os.readlink(f"/proc/{pid}/exe") != os.path.realpath(bwrap)
    except OSError:
        return False


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _console(launch: Launch) -> tuple[int, int, Stdio]:
    """Open a terminal where one is wanted: our side, the process's side, its descriptors."""
    if not launch.terminal:
        return -1, -1, launch.stdio
    ours, theirs = os.openpty()
    return ours, theirs, Stdio(theirs, theirs, theirs)


def _identity(process: Document) -> list[str]:
    words = []
    for row in process["env"]:
        name, _, value = row.partition("=")
        words += ["--setenv", name, value]
    words += ["--chdir", process["cwd"]]
    if process["user"]["uid"] == 0:
        words += ["--cap-drop", "ALL"]
        for name in process["capabilities"]["effective"]:
            words += ["--cap-add", name]
    return words


def _mounts(config: Document, near: dict[str, str], memory: dict[str, str]) -> list[str]:
    words: list[str] = []
    for mount in config["mounts"]:
        if place := memory.get(mount["destination"]):
            words += ["--dev-bind" if "dev" in mount["options"] else "--bind", place]
            words.append(mount["destination"])
            if "ro" in mount["options"]:
                words += ["--remount-ro", mount["destination"]]
            continue
        words += _mount({**mount, "source": near.get(mount["source"], mount["source"])})
    for path in config["linux"]["readonlyPaths"]:
        if os.path.exists(path):  # bubblewrap leaves /proc/sys writable to root: a way out
            words += ["--ro-bind", path, path]
    for path in config["linux"]["maskedPaths"]:
        if os.path.isdir(path):
            words += ["--tmpfs", path, "--remount-ro", path]
        elif os.path.exists(path):
            words += ["--ro-bind", "/dev/null", path]
    if config["root"]["readonly"]:
        words += ["--remount-ro", "/"]
    return words


def _mount(mount: Document) -> list[str]:
    kind, target, options = mount["type"], mount["destination"], mount["options"]
    if kind == "devpts":  # comes with --dev
        return []
    own = {"/proc": "--proc", "/dev": "--dev", "/dev/mqueue": "--mqueue"}
    if target in own and kind in ("proc", "tmpfs", "mqueue"):
        return [own[target], target]
    if kind == "sysfs":
        words = ["--ro-bind" if "ro" in options else "--bind", "/sys", target]
        return words if "rw" in options else [*words, *_covers(target)]
    if kind == "tmpfs":
        words = []
        values = dict(option.split("=", 1) for option in options if "=" in option)
        if "mode" in values:
            words += ["--perms", values["mode"].zfill(4)]
        if size := _bytes(values.get("size", "")):
            words += ["--size", str(size)]
        return [*words, "--tmpfs", target]
    if "dev" in options:
        return ["--dev-bind", mount["source"], target]
    return ["--ro-bind" if {"ro", "rro"} & set(options) else "--bind", mount["source"], target]


def _covers(target: str) -> list[str]:
    """Cover what this machine has mounted below /sys, which a new sysfs would not show.

    Control groups, debugfs, tracing, firmware variables: bound along, and root could read them.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = sorted({line.split(" ", 5)[4] for line in table})
    words: list[str] = []
    covered = "\0"
    for point in points:
        if point.startswith("/sys/") and not point.startswith(f"{covered}/"):
            covered = point
            place = f"{target}{point.removeprefix('/sys')}"
            words += ["--tmpfs", place, "--remount-ro", place]
    return words


def _has_device_rules(config: Document) -> bool:
    rules = config["linux"].get("resources", {}).get("devices", ())
    return any(rule["allow"] for rule in rules)


def _bytes(text: str) -> int:
    """Read a tmpfs size: bytes, or with k, m, g; 0 for what bubblewrap cannot say (percents)."""
    unit = {"k": 10, "m": 20, "g": 30}.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    return int(digits) << unit if digits.isdigit() else 0


def _filter(config: Document, folder: str) -> int:
    """Give a descriptor with the compiled system call filter, or -1 for none.

    It is kept in `folder` too: whoever executes something in the container later is held by it as well.
    """
    seccomp = config["linux"].get("seccomp")
    if seccomp is None:
        return -1
    code = compile_filter(seccomp, os.uname().machine)
    with open(f"{folder}/{FILTER}", "wb") as file:
        file.write(code)
    return _in_memory("seccomp", code)
