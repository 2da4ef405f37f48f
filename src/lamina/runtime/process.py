"""What the shim and the runtimes hand each other about one process to start."""

import errno
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from lamina.errors import Invalid, LaminaError
from lamina.spec.wire import Document, decode
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "FEW_PROCESSES",
    "NOT_FOUND",
    "NOT_STARTABLE",
    "OURS",
    "Launch",
    "StartFailed",
    "Started",
    "Stdio",
    "become",
    "confine",
    "exit_code",
    "last_error",
    "outer_number",
    "reap",
    "receive_console",
    "score",
    "set_groups",
    "spawn",
    "take_terminal",
]

OURS: "Final" = 125
NOT_STARTABLE: "Final" = 126
NOT_FOUND: "Final" = 127
FEW_PROCESSES: "Final" = (
    "is the limit of processes reached? `ulimit -u` tells yours, `pids.max` the control group's"
)
_RLIMIT_LOCKS: "Final" = 10  # the one that Python has no name for
_OURS_TO_SAY = {
    "/proc/sys/": "this kernel has no such --sysctl, or not in a container",
    "rlimit": "--ulimit beyond the hard limit that this machine allows you?",
    "resource temporarily unavailable": f"{FEW_PROCESSES}, `--ulimit nproc` the container's",
}
_MISMATCH = "is a file mounted onto a folder, or a folder onto a file? Both must be the same"
_MOUNTING = (
    "mount `",
    "error mounting",
    "can't create file at",
    "can't mkdir",
)  # crun, runc, bubblewrap
_CODES = {
    "no such file or directory": NOT_FOUND,
    "permission denied": NOT_STARTABLE,
    "is a directory": NOT_STARTABLE,
    "text file busy": NOT_STARTABLE,
}
_BECOMING = ("setresgid", "setresuid", "setgroups", "setup user")


class StartFailed(LaminaError):
    """A process could not be started; `exit_code` is Docker's 125, 126 or 127 for it."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = OURS) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code

    def with_words(self, words: str) -> "StartFailed":
        """Give this failure with what the runtime's program itself said of it."""
        if not words or self.exit_code != OURS or words in self.message:
            return self  # what went wrong is said already, and shorter
        _, tried, rest = words.partition("bwrap: execvp ")
        if tried:
            return self.explain(words, [rest.rpartition(": ")[0]])
        hint = self.hint or _hint_of(words.lower())
        return StartFailed(f"{self.message}: {words}", hint=hint, exit_code=self.exit_code)

    @classmethod
    def wrap(cls, what: str, error: Exception) -> "StartFailed":
        """Tell what was being done when `error` came, with its hint where it has one."""
        if isinstance(error, BlockingIOError):  # EAGAIN, of a fork
            return cls(f"{what}: no more processes may be started", hint=FEW_PROCESSES)
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            hint = "raise the limit: `ulimit -f unlimited`"
            return cls(f"{what}: a file grew larger than this shell allows", hint=hint)
        return cls(f"{what}: {error}", hint=getattr(error, "hint", ""))

    @classmethod
    def unmapped(cls, words: str) -> "StartFailed":
        """Tell that the user asked for is not among those that this person's namespace maps."""
        return cls(
            f"the container's user is not among the user IDs you have here: {words}",
            hint="root gives you more with "
            "`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 YOU`",
        )

    @classmethod
    def explain(cls, message: str, args: Sequence[str]) -> "StartFailed":
        """Turn a runtime's words into Docker's, and choose the exit code by them."""
        text = message.strip() or "the runtime said nothing"
        lower = text.lower()
        program = args[0] if args else ""
        if "not found in $path" in lower or f"execvp {program}: no such".lower() in lower:
            kind = (
                "no such file or directory"
                if "/" in program
                else "executable file not found in $PATH"
            )
            return cls(
                f'exec: "{program}": {kind}',
                hint="is the program in the image, and spelled right?",
                exit_code=NOT_FOUND,
            )
        if "invalid argument" in lower and any(word in lower for word in _BECOMING):
            return cls.unmapped(text)
        return cls._of_words(text, program)

    @classmethod
    def _of_words(cls, text: str, program: str) -> "StartFailed":
        lower = text.lower()
        # crun names no program here, and calls a folder "not permitted"; runc puts its own steps first.
        denied = (f'exec: "{program}": permission denied', f"execvp {program}: permission denied")
        if "open executable: " in lower or any(words.lower() in lower for words in denied):
            return cls(
                f'exec: "{program}": permission denied',
                hint="the program must be an executable file",
                exit_code=NOT_STARTABLE,
            )
        if hint := _hint_of(lower):
            return cls(text, hint=hint)
        code = next((code for word, code in _CODES.items() if word in lower), OURS)
        hint = "the program must be executable" if code == NOT_STARTABLE else ""
        return cls(text, hint=hint, exit_code=code)


def _hint_of(words: str) -> str:
    if any(word in words for word in _MOUNTING) and (
        "not a directory" in words or "is a directory" in words
    ):
        return _MISMATCH
    return next((hint for word, hint in _OURS_TO_SAY.items() if word in words), "")


class Stdio(NamedTuple):
    """Descriptors for a process; all are -1 where it gets a terminal of its own."""

    stdin: int = -1
    stdout: int = -1
    stderr: int = -1


class Launch(NamedTuple):
    """One process to start. `config` is runtime-spec `config.json` for a first process.

    For an exec it is the `process` object. `folder` is where the runtime may keep its files.
    `enter` runs in the child just before the runtime's program, to enter cgroups and the like.
    `made` is called with the process when it is in its namespaces, before it becomes its program:
    by OCI runtimes, for a first process.
    """

    container: str
    folder: str
    config: Document
    stdio: Stdio
    enter: Callable[[], None]
    terminal: bool
    made: Callable[[int], None] | None = None


class Started(NamedTuple):
    """A running process: `pid` gets the signals, `watched` is the child whose end is its end.

    Both are numbers in the caller's PID namespace. `console` is its terminal's other side, or -1.
    """

    pid: int
    watched: int
    console: int = -1


def spawn(
    arguments: Sequence[str],
    stdio: Stdio,
    *,
    keep: Sequence[int] = (),
    before: Callable[[], None] = lambda: None,
) -> int:
    """Start a program with `stdio`; give its pid. `before` runs in the child, first of all.

    Descriptors in `keep` stay open. Raises: StartFailed (the program itself could not run).
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            message = stream.read()
        if message:
            os.waitpid(pid, 0)
            words = message.decode("utf-8", "replace")
            if "setresgid" in words:
                raise StartFailed.unmapped(words)
            raise StartFailed(words, hint=_hint_of(words.lower()))
        return pid
    try:
        before()
        for target, fd in enumerate((stdio.stdin, stdio.stdout, stdio.stderr)):
            source = fd if fd >= 0 else os.open(os.devnull, os.O_RDWR)
            os.dup2(source, target)
        for fd in keep:
            os.set_inheritable(fd, True)  # noqa: FBT003 - positional only
        os.execv(arguments[0], list(arguments))  # noqa: S606 - no shell is the point
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        text = f"cannot start {os.path.basename(arguments[0])}: {error}"
        os.write(write, text.encode()[:4000])
    finally:
        os._exit(127)


def receive_console(listener: socket.socket, child: int) -> int:
    """Take the terminal that an OCI runtime sends; -1 when the runtime ended before it did."""
    import select

    poller = select.poll()
    poller.register(listener, select.POLLIN)
    ended = os.pidfd_open(child)
    try:
        poller.register(ended, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(30_000)}
            if listener.fileno() in ready:
                sock, _ = listener.accept()
                with sock:
                    _, fds, _, _ = socket.recv_fds(sock, 4096, 1)
                return fds[0] if fds else -1
            return -1
    finally:
        os.close(ended)


def last_error(path: str) -> str:
    """Read what an OCI runtime wrote to its JSON log last."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.strip()]
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            row = decode(line)
        except Invalid:
            return line.strip()
        if row.get("level") in {"error", "fatal"}:
            return str(row.get("msg", "")).strip()
    return ""


def exit_code(status: int) -> int:
    """Turn a wait status into a shell's exit code: 128 + N for signal N."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def reap(pid: int) -> int:
    """Wait for `pid`, a child or about to become one; give its exit code.

    A process that ends at once may still be the child of the OCI runtime's own helper, which hands
    it over when it ends itself, moments later.
    """
    for _ in range(5000):
        try:
            return exit_code(os.waitpid(pid, 0)[1])
        except ChildProcessError:
            time.sleep(0.001)
    return OURS


def outer_number(pid: int, proc: int) -> int:
    """Give the number that process `pid` has in the PID namespace whose /proc is open as `proc`."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:  # ended already, and reaped by bubblewrap
        return 0
    try:
        path = f"self/fdinfo/{fd}"
        info = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        with os.fdopen(info, encoding="utf-8") as file:
            for line in file:
                if line.startswith("Pid:"):
                    return int(line.split()[1])
    except OSError:
        pass
    finally:
        os.close(fd)
    return pid


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Become another user for good."""
    set_groups(groups)
    try:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise OSError(f"setresgid to {uid}:{gid}: {error.strerror}") from None


def set_groups(groups: list[int]) -> None:
    """Leave the groups of whoever started this for those of the container's user."""
    with suppress(PermissionError):  # a single-ID map denies setgroups
        os.setgroups(groups)


def confine(process: Document) -> None:
    """Give this process the rlimits and the score that a runtime-spec `process` asks for."""
    import resource

    for row in process.get("rlimits", ()):
        number = getattr(resource, row["type"], _RLIMIT_LOCKS)
        pair = tuple(-1 if row[key] >= 1 << 63 else row[key] for key in ("soft", "hard"))
        try:
            resource.setrlimit(number, (pair[0], pair[1]))
        except (OSError, ValueError) as error:
            raise OSError(f"cannot set {row['type']}: {error}") from None
    score(process)


def score(process: Document) -> None:
    """Give this process, and what it becomes, the out-of-memory score of a runtime-spec `process`."""
    if "oomScoreAdj" in process:
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write(str(process["oomScoreAdj"]))


def take_terminal(fd: int) -> None:
    """Make the terminal `fd` the controlling one of a new session."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
