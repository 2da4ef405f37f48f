"""User namespaces: how a plain user becomes root of a small world of their own.

`enter` is called once, early, by a command that needs mounts or foreign owners. The process goes
on as uid 0 of a new user and mount namespace; LAMINA_ROOTLESS_UID remembers who it was, for
`Settings` and for the programs it starts. Root and processes already inside are left alone.
"""

import os
from collections.abc import Sequence

from lamina.errors import Denied, Unavailable

__all__ = [
    "WITHOUT",
    "NamespaceRefused",
    "enter",
    "join",
    "mapped",
    "outer_uid",
    "ranges",
    "refusal_hint",
    "rootless_uid",
]

_MARK = "LAMINA_ROOTLESS_UID"
_SYSCTLS = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone", "0", "1"),
    ("/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", "0", "15000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        "0",
    ),
)


WITHOUT = "pull, push, images, inspect, history, ls, cat, save, copy and the hub work"
_STATUS = "/proc/self/status"


class NamespaceRefused(Denied):
    """This machine does not let a plain user have a user namespace."""


def rootless_uid(environ: "os._Environ[str] | dict[str, str] | None" = None) -> int | None:
    """Give the outer user ID when this process runs in our user namespace, else None."""
    text = (os.environ if environ is None else environ).get(_MARK, "")
    return int(text) if text.isdigit() else None


def outer_uid() -> int | None:
    """Give the plain user's ID as the machine knows it, inside our namespace or not; None for root."""
    inside = rootless_uid()
    return inside if inside is not None or os.geteuid() == 0 else os.geteuid()


def enter() -> bool:
    """Enter a user namespace unless root already; tell whether this call did it.

    All subordinate IDs of the user are mapped where /etc/subuid and newuidmap give them, else the
    user's own ID alone as root. Call it before threads start: the kernel refuses later.
    Raises: NamespaceRefused (with the setting that refuses), Unavailable (a map failed).
    """
    if os.geteuid() == 0:
        return False
    from lamina.runtime import syscalls
    from lamina.runtime.programs import which

    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise NamespaceRefused(
            f"a user namespace cannot be entered by a process with {threads} threads",
            hint="call `Engine().enter_namespace()` before the first thread is started",
        )
    uid, gid = os.getuid(), os.getgid()
    name = _user_name(uid)
    uids = ranges("/etc/subuid", name, uid)
    gids = ranges("/etc/subgid", name, uid)
    tools = which("newuidmap") and which("newgidmap")
    helper = _MapWriter(uid, gid, uids if tools else (), gids if tools else ())
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    except OSError as error:
        helper.give_up()
        raise NamespaceRefused(
            f"this machine refuses user namespaces: {error.strerror}", hint=refusal_hint()
        ) from error
    helper.map()
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    try:
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    except OSError as error:  # AppArmor lets the namespace be made, and takes what it is for
        raise NamespaceRefused(
            f"this machine refuses mounts in user namespaces: {error.strerror}", hint=refusal_hint()
        ) from error
    os.environ[_MARK] = str(uid)
    return True


def join(namespace: int) -> None:
    """Enter a user namespace of this user's that is there already, given by a descriptor.

    Call it before threads start. Raises: NamespaceRefused.
    """
    from lamina.runtime import syscalls

    uid = os.getuid()
    try:
        syscalls.setns(namespace, syscalls.CLONE_NEWUSER)
        syscalls.unshare(syscalls.CLONE_NEWNS)
    except OSError as error:
        raise NamespaceRefused(f"cannot join the network's user namespace: {error}") from error
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    os.environ[_MARK] = str(uid)


def refusal_hint() -> str:
    """Name the setting that forbids user namespaces here, and what works without them."""
    for path, name, bad, good in _SYSCTLS:
        try:
            with open(path, encoding="utf-8") as file:
                value = file.read().strip()
        except OSError:
            continue
        if value == bad:
            return (
                f"`sysctl {name}` is {value}: root can allow it with `sysctl -w {name}={good}`. "
                f"{WITHOUT} without"
            )
    if _is_filtered():
        return (
            "a filter of system calls (seccomp) forbids it, as in a container: start that one with "
            f"`--security-opt seccomp=unconfined`. {WITHOUT} without"
        )
    return f"run as root; {WITHOUT} without"


def _is_filtered() -> bool:
    with open(_STATUS, encoding="utf-8", errors="replace") as file:
        return any(line.split() == ["Seccomp:", "2"] for line in file)


class _MapWriter:
    """A child that stays outside and writes the maps, which only a process out there may do."""

    def __init__(
        self,
        uid: int,
        gid: int,
        uids: Sequence[tuple[int, int]],
        gids: Sequence[tuple[int, int]],
    ) -> None:
        ready_read, self._ready = os.pipe()
        self._answer, answer_write = os.pipe()
        target = os.getpid()
        self._pid = os.fork()
        if self._pid:
            os.close(ready_read)
            os.close(answer_write)
            return
        code = 1
        try:
            os.close(self._ready)
            if os.read(ready_read, 1):
                message = _write_maps(target, (uid, gid), uids, gids)
                os.write(answer_write, message.encode()[:4000])
                code = 0
        finally:
            os._exit(code)

    def map(self) -> None:
        """Have the maps written. Raises: Unavailable."""
        os.write(self._ready, b"1")
        os.close(self._ready)
        with os.fdopen(self._answer, "rb") as stream:
            message = stream.read().decode()
        os.waitpid(self._pid, 0)
        if message:
            raise Unavailable(
                f"cannot map user IDs: {message}", hint="check /etc/subuid and /etc/subgid"
            )

    def give_up(self) -> None:
        """End the helper without maps."""
        os.close(self._ready)
        os.close(self._answer)
        os.waitpid(self._pid, 0)


def _write_maps(
    pid: int,
    own: tuple[int, int],
    uids: Sequence[tuple[int, int]],
    gids: Sequence[tuple[int, int]],
) -> str:
    """Write both maps of process `pid`; give what went wrong, or nothing."""
    uid, gid = own
    if uids and gids:
        message = _newidmap("newuidmap", pid, uid, uids) or _newidmap("newgidmap", pid, gid, gids)
        if not message:
            return ""
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {uid} 1"),
            ("gid_map", f"0 {gid} 1"),
        ):
            with open(f"/proc/{pid}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        return str(error)
    return ""


def _newidmap(tool: str, pid: int, own: int, spans: Sequence[tuple[int, int]]) -> str:
    """Have a map written by the set-uid program for it; give what went wrong, or nothing.

    `subprocess` would do the same, and takes a tenth of a short container to import.
    """
    from lamina.runtime.programs import which

    arguments = [tool, str(pid), "0", str(own), "1"]
    inside = 1
    for start, count in spans:
        arguments += [str(inside), str(start), str(count)]
        inside += count
    read, write = os.pipe()
    try:
        said = [(os.POSIX_SPAWN_DUP2, write, number) for number in (1, 2)]
        child = os.posix_spawn(which(tool) or tool, arguments, os.environ, file_actions=said)
    except OSError as error:
        os.close(read)
        return f"{tool}: {error.strerror}"
    finally:
        os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as stream:
        words = stream.read().strip()
    _, status = os.waitpid(child, 0)
    return "" if status == 0 else (words or f"{tool} failed")


def ranges(path: str, name: str, uid: int) -> tuple[tuple[int, int], ...]:
    """Read a user's subordinate ranges (start, count) from /etc/subuid or /etc/subgid."""
    found = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                parts = line.strip().split(":")
                if len(parts) == 3 and parts[0] in (name, str(uid)):  # noqa: PLR2004
                    found.append((int(parts[1]), int(parts[2])))
    except (OSError, ValueError):
        return ()
    return tuple(found)


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def mapped(kind: str = "gid") -> int:
    """Tell how many IDs this user namespace knows: 1 for a single-ID map, 2**32 - 1 outside."""
    with open(f"/proc/self/{kind}_map", encoding="utf-8") as file:
        return sum(int(line.split()[2]) for line in file)
