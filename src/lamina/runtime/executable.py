"""What a container's program is, and why it cannot be started: said before a runtime tries.

Runtimes find out late and say it differently: crun and runc call a container started that ended at once
with code 1 and a line on its stderr, bubblewrap gives a file without `#!` to a shell.
"""

import fcntl
import os
import signal
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

from lamina.runtime import syscalls
from lamina.runtime.process import NOT_FOUND, NOT_STARTABLE, StartFailed
from lamina.spec.bundle import DEFAULT_PATH
from lamina.spec.wire import Document

__all__ = ["check"]

_HEAD = 4096
_ELF = b"\x7fELF"
_MACHINES = {
    3: "386",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    22: "s390x",
    21: "ppc64le",
}
_RUNS = {"x86_64": (62, 3), "aarch64": (183, 40), "armv7l": (40,), "i686": (3,)}
_FORMATS = "/proc/sys/fs/binfmt_misc"
_INTERPRETER = 3  # PT_INTERP
_OURS = ("/dev", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys")


def check(root: str, process: Document, mounts: Sequence[Document] = ()) -> None:
    """Refuse a program, or a folder to run it in, that cannot be in the container with its files at `root`.

    `mounts` are those that the runtime will make there: what lies below one that is not a bind
    cannot be known, and is left to the runtime. Costs a look at each folder of PATH and the first
    4 KiB of the program. Raises: StartFailed.
    """
    name = str(process["args"][0])
    opened = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    files = _Files(opened, root, mounts)
    try:
        problem = _not_a_folder(files, str(process["cwd"])) or _missing(files, name, process)
        if problem is not None:
            raise problem
    finally:
        files.close()


class _Unknown(Exception):
    """It lies below something that is not there yet."""


class _Files:
    """The container's files as they will be."""

    def __init__(self, root: int, path: str, mounts: Sequence[Document]) -> None:
        self._root = root
        self._path = os.path.realpath(path)
        self._mounts: list[tuple[str, Document]] = []
        for mount in mounts:
            target = str(mount["destination"]).rstrip("/")
            if not any(target == ours or target.startswith(f"{ours}/") for ours in _OURS):
                existing, rest = self._longest(target)
                self._mounts.append((f"{existing}{rest}", mount))
        self._mounts.sort(key=lambda row: -len(row[0]))

    def close(self) -> None:
        """Let go of the root."""
        os.close(self._root)

    def open(self, path: str) -> int:
        """Open what is at `path`, links followed; only to be looked at.

        Raises: OSError (it will not be there), _Unknown.
        """
        existing, rest = self._longest(path)
        real = f"{existing}{rest}" or "/"
        for target, mount in self._mounts:
            if real == target or real.startswith(f"{target}/"):
                return _below(mount, real[len(target) :].lstrip("/"))
        if not rest:
            return syscalls.openat2(self._root, real, os.O_PATH)
        next_one = "/".join((existing, rest.split("/")[1]))
        if any(target.startswith(next_one) for target, _ in self._mounts):
            raise _Unknown
        with suppress(FileNotFoundError):  # a link, and where it leads may be under a mount
            os.close(syscalls.openat2(self._root, next_one, os.O_PATH | os.O_NOFOLLOW))
            if self._mounts:
                raise _Unknown
        raise FileNotFoundError(path)

    def _longest(self, path: str) -> tuple[str, str]:
        """Give the real path of as much of `path` as there is, and the rest, which begins with /."""
        parts = [part for part in path.split("/") if part]
        for count in range(len(parts), -1, -1):
            try:
                fd = syscalls.openat2(self._root, "/".join(parts[:count]) or "/", os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                real = os.readlink(f"/proc/self/fd/{fd}").removeprefix(self._path).rstrip("/")
            finally:
                os.close(fd)
            return real, "".join(f"/{part}" for part in parts[count:])
        return "", path


def _below(mount: Document, rest: str) -> int:
    if mount["type"] != "bind":
        raise _Unknown
    fd = os.open(mount["source"], os.O_PATH | os.O_CLOEXEC)
    if not rest:
        return fd
    try:
        below = syscalls.openat2(fd, rest, os.O_PATH | os.O_NOFOLLOW)
    finally:
        os.close(fd)
    if stat.S_ISLNK(os.fstat(below).st_mode):
        os.close(below)  # it may lead out of the mount
        raise _Unknown
    return below


def _not_a_folder(files: _Files, cwd: str) -> StartFailed | None:
    try:
        fd = files.open(cwd)
    except (OSError, _Unknown):  # what is not there yet the runtime makes
        return None
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return None
    finally:
        os.close(fd)
    return StartFailed(
        f"Cannot mkdir: {cwd} is not a directory",
        hint="the working directory, -w or the image's, must be a folder; what is not there is made",
    )


def _missing(files: _Files, name: str, process: Document) -> StartFailed | None:
    """Look for the program as `execvp` does; tell what is wrong with it."""
    problem = ""
    for place in _places(name, process):
        try:
            fd = files.open(place)
        except OSError:
            continue
        except _Unknown:
            return None
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISREG(mode) and mode & 0o111:
                return _unfit(files, name, fd)
        finally:
            os.close(fd)
        if "/" in name or not stat.S_ISDIR(mode):  # a folder in PATH is passed over
            problem = problem or ("is a directory" if stat.S_ISDIR(mode) else "permission denied")
    if problem:
        hint = "the program must be an executable file"
        return StartFailed(f'exec: "{name}": {problem}', hint=hint, exit_code=NOT_STARTABLE)
    what = "no such file or directory" if "/" in name else "executable file not found in $PATH"
    hint = "is the program in the image, and spelled right?"
    return StartFailed(f'exec: "{name}": {what}', hint=hint, exit_code=NOT_FOUND)


def _places(name: str, process: Document) -> Iterator[str]:
    if not name:
        return
    if "/" in name:
        yield name if name.startswith("/") else f"{process['cwd']}/{name}"
        return
    path = next((row[5:] for row in process["env"] if row.startswith("PATH=")), DEFAULT_PATH)
    for folder in path.split(":"):
        yield f"{folder}/{name}"


def _is_written(opened: int) -> bool:
    """Tell whether somebody has the file open for writing: the kernel runs none such.

    Who may lease a file, for reading, learns it from that. Whoever opens it for writing in this moment
    would get the same a moment later from its being run.
    """
    fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)  # what tells of such a one must not end us
    try:
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:  # or: not ours to lease, or a file system without leases
        return isinstance(error, BlockingIOError)
    fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _unfit(files: _Files, name: str, fd: int) -> StartFailed | None:
    """Tell why the kernel would not run the file, where this user may read it."""
    try:
        opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head = os.read(opened, _HEAD)
        if _is_written(opened):
            return StartFailed(
                f'exec: "{name}": text file busy',
                hint="a process has it open for writing: run it when that is done",
                exit_code=NOT_STARTABLE,
            )
    finally:
        os.close(opened)
    if head.startswith(b"#!"):
        return _without_interpreter(files, name, head)
    if head.startswith(_ELF):
        return _wrong_machine(name, head) or _without_loader(files, name, head)
    if _other_formats():
        return None
    hint = "it is neither a program nor a script: a script's first line is `#!` and its interpreter"
    return _format_error(name, hint if head else "it is empty")


def _format_error(name: str, hint: str) -> StartFailed:
    return StartFailed(f'exec: "{name}": exec format error', hint=hint, exit_code=NOT_STARTABLE)


def _without_interpreter(files: _Files, name: str, head: bytes) -> StartFailed | None:
    words = head[2:256].partition(b"\n")[0].replace(b"\t", b" ").strip(b" ").split(b" ")
    path = os.fsdecode(words[0]) if words else ""
    if not path:
        return _format_error(name, "nothing follows `#!` in its first line")
    if not _absent(files, path):
        return None
    if path.endswith("\r"):
        hint = "its lines end in carriage returns: `dos2unix` takes them out"
    else:
        hint = f"its interpreter {path} is not in the image"
    return StartFailed(f'exec: "{name}": no such file or directory', hint=hint, exit_code=NOT_FOUND)


def _wrong_machine(name: str, head: bytes) -> StartFailed | None:
    machine = int.from_bytes(head[18:20], "big" if head[5:6] == b"\x02" else "little")
    here = os.uname().machine
    if here not in _RUNS or machine in _RUNS[here] or machine not in _MACHINES or _other_formats():
        return None
    return _format_error(
        name,
        f"it is for {_MACHINES[machine]} and this machine is {_MACHINES[_RUNS[here][0]]}: "
        f"pull the image with --platform linux/{_MACHINES[_RUNS[here][0]]}, or register an emulator",
    )


def _without_loader(files: _Files, name: str, head: bytes) -> StartFailed | None:
    path = _loader(head)
    if not path or not _absent(files, path):
        return None
    return StartFailed(
        f'exec: "{name}": no such file or directory',
        hint=f"it needs the loader {path}, which is not in the image: it was built for another one",
        exit_code=NOT_FOUND,
    )


def _loader(head: bytes) -> str:
    """Find PT_INTERP of a little-endian 64-bit ELF file, where its beginning holds it."""
    import struct

    if head[4:6] != b"\x02\x01":
        return ""
    with suppress(struct.error, IndexError):
        offset, size, count = (
            struct.unpack_from("<Q", head, 32)[0],
            *struct.unpack_from("<HH", head, 54),
        )
        for number in range(count):
            kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", head, offset + number * size)
            if kind == _INTERPRETER and at + length <= len(head):
                return os.fsdecode(head[at : at + length].rstrip(b"\0"))
    return ""


def _absent(files: _Files, path: str) -> bool:
    try:
        os.close(files.open(path))
    except FileNotFoundError:
        return True
    except (OSError, _Unknown):
        return False
    return False


def _other_formats() -> bool:
    """Tell whether this machine runs further formats: then nothing is certain."""
    with suppress(OSError):
        return bool(set(os.listdir(_FORMATS)) - {"register", "status"})
    return False
