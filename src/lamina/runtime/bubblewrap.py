"""bubblewrap behind the same `config.json`, for machines without crun and runc.

What differs from an OCI runtime: set-uid programs gain nothing (bubblewrap always sets
no-new-privileges); a process that is not root runs in a user namespace that knows its ID alone;
`tty` finds the terminal under /dev/console only. The first process is PID 1 all the same.
"""

import json
import os
import stat
from contextlib import suppress

from lamina.runtime import syscalls
from lamina.runtime.process import Launch, StartFailed, Started, Stdio, spawn
from lamina.spec.bundle import DEFAULT_PATH
from lamina.spec.seccomp import program
from lamina.spec.wire import Document

__all__ = ["Bubblewrap", "become", "missing_program", "take_terminal"]


class Bubblewrap:
    """The program `bwrap` at `path`."""

    name = "bwrap"

    def __init__(self, path: str) -> None:
        self.path = path

    def start(self, launch: Launch) -> Started:
        """Start the container's first process. Raises: StartFailed."""
        config = launch.config
        process = config["process"]
        _check_program(config)
        user = process["user"]
        root = os.open(config["root"]["path"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        read_info, write_info = os.pipe()
        keep = [write_info]
        console, slave, stdio = _console(launch)
        try:
            arguments = [f"--info-fd {write_info} --unshare-ipc --unshare-pid --unshare-uts"]
            arguments += ["--as-pid-1 --die-with-parent --clearenv"]
            words = " ".join(arguments).split()
            words += ["--hostname", config["hostname"] or "container"]
            if user["uid"] != 0:
                words += ["--unshare-user", "--uid", str(user["uid"]), "--gid", str(user["gid"])]
                words += ["--bind", f"/proc/self/fd/{root}", "/"]
                keep.append(root)
            else:
                words += ["--bind", config["root"]["path"], "/"]
            words += _mounts(config)
            words += _identity(process)
            filter_fd = _filter(config)
            if filter_fd >= 0:
                words += ["--seccomp", str(filter_fd)]
                keep.append(filter_fd)
            network = _network(config)
            if network == "":
                words.append("--unshare-net")
            words_fd = os.memfd_create("bwrap-arguments", 0)
            os.write(words_fd, b"\0".join(os.fsencode(word) for word in words) + b"\0")
            os.lseek(words_fd, 0, os.SEEK_SET)
            keep.append(words_fd)

            def before() -> None:
                launch.enter()
                if network.startswith("/"):
                    with open(network, "rb") as file:
                        syscalls.setns(file.fileno(), syscalls.CLONE_NEWNET)
                if slave >= 0:
                    take_terminal(slave)
                if user["uid"] != 0:
                    become(user["uid"], user["gid"], user["additionalGids"])

            line = [self.path, "--args", str(words_fd), "--", *process["args"]]
            child = spawn(line, stdio, keep=keep, before=before)
        finally:
            for fd in {*keep, root, slave} - {-1}:
                os.close(fd)
        with os.fdopen(read_info, encoding="ascii") as file:
            info = file.read()
        if not info:
            if console >= 0:
                os.close(console)
            _, status = os.waitpid(child, 0)
            raise StartFailed(
                f"bubblewrap ended with status {os.waitstatus_to_exitcode(status)}",
                hint="its own words are in the container's log",
            )
        pid = int(json.loads(info)["child-pid"])
        with open(f"{launch.folder}/init.pid", "w", encoding="ascii") as file:
            file.write(str(pid))
        return Started(pid, child, console)

    def execute(self, launch: Launch) -> Started:
        """Start one more process in the container's namespaces. Raises: StartFailed."""
        from lamina.runtime.join import join

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


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _console(launch: Launch) -> tuple[int, int, Stdio]:
    """Open a terminal where one is wanted: our side, the process's side, its descriptors."""
    if not launch.terminal:
        return -1, -1, launch.stdio
    ours, theirs = os.openpty()
    return ours, theirs, Stdio(theirs, theirs, theirs)


def take_terminal(fd: int) -> None:
    """Make the terminal `fd` the controlling one of a new session."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Become another user for good."""
    with suppress(PermissionError):  # a single-ID map denies setgroups
        os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _network(config: Document) -> str:
    """Give the network namespace: a path, empty for a new one, a dash for the host's."""
    for row in config["linux"]["namespaces"]:
        if row["type"] == "network":
            return str(row.get("path", ""))
    return "-"


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


def _mounts(config: Document) -> list[str]:
    words: list[str] = []
    for mount in config["mounts"]:
        words += _mount(mount)
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
    if target == "/proc":
        return ["--proc", target]
    if target == "/dev" and kind == "tmpfs":
        return ["--dev", target]
    if kind == "mqueue":
        return ["--mqueue", target]
    if kind == "devpts":  # comes with --dev
        return []
    if kind == "sysfs":
        return ["--ro-bind" if "ro" in options else "--bind", "/sys", target]
    if kind == "tmpfs":
        words = []
        values = dict(option.split("=", 1) for option in options if "=" in option)
        if "mode" in values:
            words += ["--perms", values["mode"].zfill(4)]
        size = values.get("size", "")
        if size.isdigit():
            words += ["--size", size]
        return [*words, "--tmpfs", target]
    return ["--ro-bind" if "ro" in options else "--bind", mount["source"], target]


def _filter(config: Document) -> int:
    """Give a descriptor with the compiled system call filter, or -1 for none."""
    if "seccomp" not in config["linux"]:
        return -1
    code = program(config["process"]["capabilities"]["bounding"], os.uname().machine)
    if not code:
        return -1
    fd = os.memfd_create("seccomp", 0)
    os.write(fd, code)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _check_program(config: Document) -> None:
    """Find the program as the container will, to say Docker's words where it is missing.

    What lies under a mount cannot be seen from here; then bubblewrap says it in its own words.
    """
    process = config["process"]
    name = process["args"][0]
    root = os.open(config["root"]["path"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        problem = missing_program(root, name, process["env"], process["cwd"])
    finally:
        os.close(root)
    bound = [m["destination"] for m in config["mounts"] if m["type"] == "bind"]
    if problem and not any(name.startswith(target) for target in bound):
        raise StartFailed.explain(problem, process["args"])


def missing_program(root: int, name: str, env: list[str], cwd: str) -> str:
    """Tell what is wrong with program `name` below `root`, or nothing."""
    if "/" in name:
        places = [name if name.startswith("/") else f"{cwd}/{name}"]
    else:
        path = next((row[5:] for row in env if row.startswith("PATH=")), DEFAULT_PATH)
        places = [f"{folder}/{name}" for folder in path.split(":")]
    problem = ""
    for place in places:
        try:
            fd = syscalls.openat2(root, place, os.O_PATH)
        except OSError:
            continue
        try:
            mode = os.fstat(fd).st_mode
        finally:
            os.close(fd)
        if stat.S_ISREG(mode) and mode & 0o111:
            return ""
        what = "is a directory" if stat.S_ISDIR(mode) else "permission denied"
        problem = f'exec: "{name}": {what}'
    if problem:
        return problem
    return f'exec: "{name}": ' + (
        "no such file or directory" if "/" in name else "executable file not found in $PATH"
    )
