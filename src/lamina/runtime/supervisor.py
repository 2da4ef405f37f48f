"""Start shims and talk to those that run: what the engine sees of them."""

import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from lamina.errors import InUse, Invalid, Unavailable
from lamina.runtime import frames
from lamina.runtime.attach import Attachment
from lamina.runtime.runtime import Choice
from lamina.spec.bundle import Bundle, ProcessSettings
from lamina.spec.mount import Mount
from lamina.spec.wire import Document, encode
from lamina.stream.files import allow_open_files, write_all
from lamina.values import dataclass, field

__all__ = ["NotRunning", "Order", "Shims", "ask", "attach", "execute", "open_shim", "waiter"]

_ENDED = "the container is not running"
_HERE = os.path.dirname(os.path.abspath(__file__))


class NotRunning(InUse):
    """The container has no shim, so nothing in it runs."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that a shim needs to run one container. Paths are absolute.

    `folder` keeps log, lock and state; `run_folder` the socket, the bundle and the rootfs.
    `mounts` make `run_folder/rootfs`; those of type `erofs` are shared with other containers.
    `log` is how the log is kept (`LogWriter`'s values), empty for none at all.
    `starter_types` lets the starter's connection write to standard input.
    `restart` is Docker's RestartPolicy. `health`, where there are checks, is their `config` (Docker's
    Healthcheck), their `process` and `timeout_s`.
    `journal` is what a `Diary` needs to note events; may be empty.
    `doomed` lists files, folders and links to remove at the end, in this order (`--rm`).
    `joined` maps `pid` and `ipc` to the sockets of shims whose containers' namespaces are entered.
    `sweep` tells which program sweeps up after the removal (`words`), if there is a folder `where`.
    `network` is what `net.wires` reads; empty where the container has nothing of its own.
    With `observed` the process is looked at when it has been made and has not yet begun.
    """

    id: str
    folder: str
    run_folder: str
    run_root: str
    choice: Choice
    mounts: Sequence[Mount]
    bundle: Bundle
    process: ProcessSettings
    open_stdin: bool = False
    stdin_once: bool = False
    starter_types: bool = True
    log: Document = field(default_factory=lambda: {"max_size": 0})
    doomed: Sequence[str] = ()
    sweep: Document = field(default_factory=dict)
    network: Document = field(default_factory=dict)
    restart: Document = field(default_factory=dict)
    health: Document = field(default_factory=dict)
    journal: Document = field(default_factory=dict)
    joined: Document = field(default_factory=dict)
    observed: bool = False

    def _is_shared(self, row: Document) -> bool:
        """Tell whether a mount is made once for all containers of this machine."""
        apart = os.path.dirname(str(row["target"])) == f"{self.run_root}/volumes"
        return apart or str(row["type"]) == "erofs"

    def to_json(self) -> Document:
        """Give the order as the shim reads it."""
        rows = [_mount_row(mount) for mount in self.mounts]
        return {
            "id": self.id,
            "folder": self.folder,
            "run_folder": self.run_folder,
            "run_root": self.run_root,
            "runtime": {"name": self.choice.name, "path": self.choice.path},
            "layers": [row for row in rows if self._is_shared(row)],
            "mounts": [row for row in rows if not self._is_shared(row)],
            "bundle": self.bundle.to_json(),
            "process": self.process.to_json(),
            "open_stdin": self.open_stdin,
            "stdin_once": self.stdin_once,
            "starter_types": self.starter_types,
            "log": self.log,
            "doomed": list(self.doomed),
            "sweep": self.sweep,
            "network": self.network,
            "restart": self.restart,
            "health": self.health,
            "journal": self.journal,
            "joined": self.joined,
            "observed": self.observed,
        }


def _mount_row(mount: Mount) -> Document:
    return {
        "type": mount.type,
        "source": mount.source,
        "target": mount.target,
        "options": list(mount.options),
    }


class Shims:
    """Starts shims with one interpreter, or with `split` as copies of this process where that will do."""

    def __init__(self, python: str = "", *, split: bool = False) -> None:
        self._python = python or sys.executable
        self._split = split

    def start(self, order: Order, lock: int) -> Attachment:
        """Start a shim; give the starter's connection, on which `started()` tells the outcome.

        `lock` is the container's lock, held by this process: the shim takes it over, so that
        there is no moment without a holder. The caller closes its own copy.
        """
        from lamina.runtime.shim import ATTACH_FD, LOCK_FD, REQUEST_FD

        request = os.memfd_create("lamina-order")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            write_all(request, encode(order.to_json()))  # `ulimit -f` counts memory, too
            os.lseek(request, 0, os.SEEK_SET)
            given = {REQUEST_FD: request, ATTACH_FD: theirs.fileno(), LOCK_FD: lock}
            pid = self._go_on(given, order) or self._spawn(given, order.id)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(request)
        os.waitpid(pid, 0)  # it goes into the background at once
        return Attachment(ours, terminal=order.process.terminal)

    def _go_on(self, given: Mapping[int, int], order: Order) -> int:
        """Start the shim as a copy of this process; give its ID, 0 where that will not do."""
        if not self._split:
            return 0
        from lamina.runtime.shim import LOCK_FD, main
        from lamina.runtime.split import can_split, retitle, split

        if not can_split(LOCK_FD):
            return 0
        _load(order)
        pid = split(given)
        if pid == 0:
            try:
                retitle("lamina-shim", order.id[:12])
                main()
            finally:
                os._exit(1)
        return pid

    def _spawn(self, given: Mapping[int, int], container: str) -> int:
        """Start the shim as a new interpreter; give its ID.

        Raises: Unavailable (too few files may be open).
        """
        from lamina.runtime.shim import LOCK_FD

        actions = [
            *[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)],
            *[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in given.items()],
        ]
        line = [self._python, "-IS", os.path.join(_HERE, "supervise.py"), container[:12]]
        for may_raise in (True, False):
            try:
                return os.posix_spawn(self._python, line, os.environ, file_actions=actions)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
                if may_raise:  # the shim's own numbers are above the limit
                    allow_open_files(LOCK_FD)
        raise Unavailable(
            "a container needs more open files than this shell allows",
            hint=f"raise the limit: `ulimit -n {2 * LOCK_FD}`",
        )


def _load(order: Order) -> None:
    """Import what the shim will need at once: a command takes modules from one file (decision 1)."""
    if order.choice.name == "bwrap":
        import lamina.runtime.bubblewrap
    else:
        import lamina.runtime.filters
        import lamina.runtime.oci
    if order.network:
        import lamina.runtime.net.mending
        import lamina.runtime.net.wires  # noqa: F401


def open_shim(socket_path: str) -> socket.socket:
    """Connect to a shim or exec. Raises: NotRunning."""
    try:
        return frames.connect(socket_path)
    except OSError as error:
        raise NotRunning(_ENDED) from error


def ask(socket_path: str, op: str, **values: object) -> tuple[Document, tuple[int, ...]]:
    """Ask one thing of the shim at `socket_path`; give its answer and descriptors.

    Raises: NotRunning (also when it ends before it answers), InUse and Invalid as the shim says.
    """
    with open_shim(socket_path) as sock:
        return _request(sock, {"op": op, **values})


def attach(socket_path: str, streams: Sequence[str], *, terminal: bool) -> Attachment:
    """Attach to a running process; `streams` of stdin, stdout, stderr. Raises: NotRunning."""
    sock = open_shim(socket_path)
    try:
        _request(sock, {"op": "attach", "streams": list(streams)})
    except BaseException:
        sock.close()
        raise
    return Attachment(sock, terminal=terminal)


def waiter(socket_path: str) -> Attachment:
    """Connect only to learn of the end. Raises: NotRunning."""
    sock = open_shim(socket_path)
    try:
        _request(sock, {"op": "wait"})
    except BaseException:
        sock.close()
        raise
    return Attachment(sock, terminal=False)


def execute(socket_path: str, exec_id: str, process: ProcessSettings, *, stdin: bool) -> Attachment:
    """Ask the shim to start a further process; `started()` tells the outcome. Raises: NotRunning."""
    sock = open_shim(socket_path)
    document = {"op": "exec", "id": exec_id, "process": process.to_json(), "stdin": stdin}
    try:
        sock.sendall(encode(document) + b"\n")
    except BaseException as error:
        sock.close()
        if isinstance(error, ConnectionError):
            raise NotRunning(_ENDED) from error
        raise
    return Attachment(sock, terminal=process.terminal)


def _request(sock: socket.socket, asked: Document) -> tuple[Document, tuple[int, ...]]:
    """Ask a shim; give its answer. Raises: NotRunning, InUse, Invalid, Unavailable."""
    try:
        answer = frames.request(sock, asked)
    except frames.ShimGone as error:
        raise NotRunning(_ENDED) from error
    document, _ = answer
    if "error" in document:
        message, hint = str(document["error"]), str(document.get("hint", ""))
        if "not running" in message:
            raise NotRunning(message)
        if "paused" in message:
            raise InUse(message, hint=hint)
        if "unknown operation" in message:
            raise Invalid(message, hint=hint)
        raise Unavailable(message, hint=hint)
    return answer
