"""Files and directories that appear whole or not at all, and locks that die with their process.

Everything lamina keeps on disk goes through these few calls: write beside, `fsync`, rename,
`fsync` the directory. A process killed in between leaves at most a file nobody refers to.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lamina.errors import Denied, InUse, LaminaError, Unavailable

__all__ = [
    "DiskFull",
    "acquire",
    "allow_open_files",
    "disk_errors",
    "fresh_name",
    "locked",
    "publish",
    "remove_tree",
    "replace",
    "sync_directory",
    "sync_file",
    "together",
    "unlimited",
    "write_all",
    "write_out",
]

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_OWNED = "use a folder of your own with LAMINA_ROOT, or run as the folder's owner"
_WRITABLE = "make the file system writable, or use another folder with LAMINA_ROOT"
_POLL_S = 0.05
_FEW_FILES, _SPARE_FILES = 100, 200
_TRIES = 10
_WRITE_OUT = 8 * 1024 * 1024


class DiskFull(Unavailable):
    """The file system has no room left, or a quota is used up."""


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn a full disk or a refused write into an error that says what was being done.

    Raises: DiskFull, Denied, Unavailable (the disk failed); other OSErrors pass as they are.
    """
    try:
        yield
    except OSError as error:
        known = _explain(error, doing)
        if known is None:
            raise
        raise known from error


def _explain(error: OSError, doing: str) -> LaminaError | None:
    if error.errno == errno.EFBIG:
        return Unavailable(
            f"a file grew larger than this shell allows while {doing}",
            hint="raise the limit: `ulimit -f unlimited`",
        )
    if error.errno == errno.EIO:
        return Unavailable(
            f"the disk failed while {doing}",
            hint="`dmesg` may say why; `lamina fsck` checks what is stored",
        )
    if error.errno == errno.EDQUOT:
        return DiskFull(
            f"disk quota exceeded while {doing}",
            hint="the disk has room, but not for you: `quota -s` shows what you may use; free some "
            "(`lamina system prune`), or ask the machine's administrator for more",
        )
    if error.errno == errno.ENOSPC:
        return DiskFull(
            f"no space left on device while {doing}",
            hint="free some space (`lamina system df`, `lamina system prune`) and repeat the command",
        )
    if error.errno in _DENIED:
        where = f": {os.fsdecode(error.filename)}" if error.filename else ""
        return Denied(
            f"{os.strerror(error.errno or 0).lower()} while {doing}{where}",
            hint=_WRITABLE if error.errno == errno.EROFS else _OWNED,
        )
    return None


def allow_open_files(count: int) -> None:
    """Raise this process's limit of open files, as far as it may, so that `count` more fit.

    For the layers of one image and the like; up to 100 fit anyway.
    """
    if count <= _FEW_FILES:
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE_FILES
    if 0 <= soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def fresh_name() -> str:
    """Give a name nobody else has: 32 hex characters."""
    return os.urandom(16).hex()


def unlimited(size: int) -> None:
    """Let `size` bytes be written: the place of a quota where there is none."""


def write_all(fd: int, data: "bytes | memoryview") -> None:
    """Write every byte at the file's position; `os.write` may stop early on a full disk."""
    written = os.write(fd, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(view):
        written += os.write(fd, view[written:])


def write_out(fd: int, before: int, after: int) -> None:
    """Let the disk begin with what was appended: for a file that grew from `before` to `after`.

    Does something each 8 MiB and waits for nothing. Otherwise the disk idles while a layer comes
    in, and `fsync` waits for all of it at the end.
    """
    start, end = before // _WRITE_OUT * _WRITE_OUT, after // _WRITE_OUT * _WRITE_OUT
    if start < end:
        # On dirty pages this advice means: write them out, and keep them for now.
        os.posix_fadvise(fd, start, end - start, os.POSIX_FADV_DONTNEED)


def sync_directory(path: str) -> None:
    """Make renames and removals in `path` survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: str) -> None:
    """Wait until every byte of a file is on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def together(*steps: Callable[[], object]) -> None:
    """Run `steps` side by side, each in a thread; return when all have ended.

    Made for steps that end in `fsync`: the kernel writes out what waits at the same time in one
    go. Raises: what the first of them raised that failed.
    """
    from threading import Event, Thread

    failures: list[BaseException] = []
    ended: list[Callable[[], object]] = []
    news = Event()

    def run(step: Callable[[], object]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failures.append(error)
        finally:
            ended.append(step)
            news.set()

    for step in steps[1:]:
        Thread(target=run, args=(step,), name="sync", daemon=True).start()
    for step in steps[:1]:
        run(step)
    while len(ended) < len(steps):  # not `join`: interrupted, it takes the thread for ended
        try:
            news.wait()
            news.clear()
        except BaseException as error:  # noqa: BLE001 - Ctrl-C: the steps own what we would close
            failures.append(error)
    if failures:
        raise failures[0]


def publish(temporary: str, path: str, *, durable: bool = True) -> None:
    """Give a finished, fsynced file (or directory) its visible name, replacing a file there.

    Without `durable` a power cut may take it back.
    """
    os.rename(temporary, path)
    if durable:
        sync_directory(os.path.dirname(path))


def replace(
    path: str, data: bytes, *, mode: int = 0o644, beside: str = "", durable: bool = True
) -> None:
    """Make `path` hold exactly `data`, atomically and durably; a reader sees old or new.

    The bytes are first written to `beside`, whose writers a lock of the caller's keeps apart: what
    a killed one left is overwritten. Without it, to a new file `path.<random>~`.
    Not `durable`: nobody waits for the disk, and after a power cut any of it may be missing.
    Raises: DiskFull, Denied; then `path` is as it was.
    """
    temporary = beside or f"{path}.{fresh_name()}~"
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if beside else os.O_EXCL)
    with disk_errors(f"writing {path}"):
        try:
            fd = os.open(temporary, flags, mode)
        except OSError as error:
            error.filename = path  # the name that was asked for tells people more than ours
            raise
        try:
            try:
                write_all(fd, data)
                if durable:
                    os.fsync(fd)
            finally:
                os.close(fd)
            publish(temporary, path, durable=durable)
        except BaseException:
            _unlink_quietly(temporary)
            raise


def acquire(
    path: str,
    *,
    shared: bool = False,
    wait: bool = True,
    create: bool = True,
    waiting: Callable[[], None] | None = None,
) -> int:
    """Open `path` (made when absent, if `create`), lock it with flock; give its descriptor, close to unlock.

    The file at `path` is the locked one even when others rename or remove it while we wait. The
    lock is per descriptor: threads of one process exclude each other too. `waiting` is called about
    20 times a second while somebody else holds it and may raise to give up.
    Raises: BlockingIOError (not `wait` and held by somebody else), FileNotFoundError (absent).
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    while True:
        fd = os.open(path, flags, 0o644)
        try:
            _flock(fd, kind, wait=wait, waiting=waiting)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _flock(fd: int, kind: int, *, wait: bool, waiting: Callable[[], None] | None) -> None:
    if wait and waiting is None:
        fcntl.flock(fd, kind)
        return
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is None:
                raise
        else:
            return
        waiting()
        time.sleep(_POLL_S)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def locked(
    path: str, *, shared: bool = False, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock file `path` for the body. The file stays; it is empty."""
    fd = acquire(path, shared=shared, waiting=waiting)
    try:
        yield
    finally:
        os.close(fd)


def remove_tree(path: str) -> None:
    """Remove a directory and all below it, whatever modes and depths a container left there.

    Never follows a symlink and needs neither recursion nor long paths: subdirectories are moved up
    beside each other before they are emptied. Absent is fine. A second call after a kill -9
    continues, and two at a time share the work; what somebody puts there meanwhile goes, too.
    Raises: InUse (something is mounted inside).
    """
    for attempt in range(_TRIES):
        try:
            top = _open_directory(path, None)
        except FileNotFoundError:
            return
        try:
            _empty(top)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise InUse(
                    f"{path} has something mounted inside", hint="unmount it first"
                ) from error
            raise
        finally:
            os.close(top)
        if _is_removed(path, None, last=attempt == _TRIES - 1):
            return


def _empty(top: int) -> None:
    """Empty the directory `top`, one subdirectory at a time."""
    pending: list[str] = []
    _drain(top, top, pending)
    while pending:
        name = pending.pop()
        with suppress(FileNotFoundError):
            child = _open_directory(name, top)
            try:
                _drain(child, top, pending)
            finally:
                os.close(child)
            _is_removed(name, top, last=False)  # else the next attempt does


def _is_removed(name: str, parent: int | None, *, last: bool) -> bool:
    """Remove an empty directory; False when it is not empty any more, an error on the `last` try."""
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError as error:
        if last or error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _drain(directory: int, top: int, pending: list[str]) -> None:
    """Unlink the files of `directory`; note its subdirectories, moved up into `top`."""
    with os.scandir(directory) as entries:
        rows = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in rows:  # files first: renaming may need room
        if not is_directory:
            _unlink_quietly(name, directory)
    for name, is_directory in rows:
        if is_directory and directory == top:
            pending.append(name)
        elif is_directory:
            moved = fresh_name()
            with suppress(FileNotFoundError):
                _make_writable(name, directory)
                os.rename(name, moved, src_dir_fd=directory, dst_dir_fd=top)
                pending.append(moved)


def _open_directory(name: str, parent: int | None) -> int:
    _make_writable(name, parent)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    return os.open(name, flags, dir_fd=parent)


def _make_writable(name: str, parent: int | None) -> None:
    """Let the owner in: overlayfs makes `work/work` with mode 0, images have unreadable folders."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode) and found.st_mode & 0o700 != 0o700:  # noqa: PLR2004
        os.chmod(name, 0o700, dir_fd=parent)


def _unlink_quietly(path: str, parent: int | None = None) -> None:
    try:
        os.unlink(path, dir_fd=parent)
    except FileNotFoundError:
        return
