"""What may be asked of a shim by its socket, one function per operation."""

import fcntl
import os
import signal
from contextlib import suppress

from lamina.errors import InUse, Invalid, LaminaError
from lamina.runtime import cgroups, sharing
from lamina.runtime.deputies import CHECK, KILLED
from lamina.runtime.frames import Stream, frame
from lamina.runtime.process import OURS, StartFailed
from lamina.runtime.relay import Answer, Client
from lamina.spec.limits import Limits
from lamina.spec.wire import Document, encode
from lamina.stream.files import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.runtime.shim import Shim

__all__ = ["ENDED", "collect", "lose", "operate", "refuse"]

_NS_GET_PARENT = 0xB702

ENDED = "the container is not running"


def operate(shim: "Shim", request: Document, client: Client) -> Answer:
    """Serve one request of a client. Raises: LaminaError, OSError (sent to the client)."""
    collect(shim)
    name = str(request.get("op", ""))
    operation = _OPERATIONS.get(name)
    if operation is None:
        raise Invalid(f"unknown operation {name!r}")
    return operation(shim, request, client)


def refuse(client: Client, error: "LaminaError") -> None:
    """Tell a client that waits for a process that it could not be started."""
    document = {
        "error": error.message,
        "hint": error.hint,
        "exit_code": getattr(error, "exit_code", OURS),
    }
    client.sock.settimeout(None)
    client.send(frame(Stream.FAILED, encode(document)))


def collect(shim: "Shim") -> None:
    """Reap execs that ended, and strays that were handed to us as this namespace's first."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            shim.deputies.ended(pid, status)
            if shim.started and pid == shim.started.watched:
                shim.ended[pid] = status


def lose(shim: "Shim", folder: str) -> None:
    """Put away what an exec or a check had whose deputy was killed, and what it had started."""
    name = os.path.basename(folder)
    if not name.startswith(CHECK):
        shim.diary.note("exec_die", execID=name, exitCode=str(KILLED))
    with suppress(OSError, LaminaError):  # it goes with the run folder
        remove_tree(folder)


def _attach(shim: "Shim", request: Document, client: Client) -> Answer:
    wanted = {Stream[name.upper()] for name in request["streams"]}
    client.attach(frozenset(wanted | {Stream.EXITED}))
    return {"terminal": shim.settings.terminal}, ()


def _wait(_shim: "Shim", _request: Document, client: Client) -> Answer:
    client.attach(frozenset({Stream.EXITED}))
    return {}, ()


def _signal(shim: "Shim", request: Document, _client: Client) -> Answer:
    number = int(request["number"])
    if request.get("final"):
        shim.keeper.stopped = True
        shim.record(stopped=True)
        if shim.started is None:  # between two lives
            return {}, ()
    if number == signal.SIGKILL and shim.paused:
        _set_frozen(shim, frozen=False)
    try:
        os.kill(shim.pid(), number)
    except ProcessLookupError as error:
        raise Invalid(ENDED) from error
    shim.diary.note("kill", signal=str(number))
    return {}, ()


def _resize(shim: "Shim", request: Document, _client: Client) -> Answer:
    from lamina.runtime import console

    if shim.relay and shim.relay.terminal >= 0:
        console.resize(shim.relay.terminal, int(request["rows"]), int(request["columns"]))
    return {}, ()


def _freeze(shim: "Shim", request: Document, _client: Client) -> Answer:
    frozen = bool(request["frozen"])
    if frozen == shim.paused:
        word = "already" if frozen else "not"
        raise InUse(f"Container {shim.id} is {word} paused")
    _set_frozen(shim, frozen=frozen)
    return {}, ()


def _set_frozen(shim: "Shim", *, frozen: bool) -> None:
    if not shim.group.freeze(frozen=frozen):
        number = signal.SIGSTOP if frozen else signal.SIGCONT
        cgroups.signal_all(_inside(shim), number)
    shim.paused = frozen
    shim.record(paused=frozen)
    shim.diary.note("pause" if frozen else "unpause")


def _inside(shim: "Shim") -> list[int]:
    """List the container's processes: those in the PID namespace of its first one, or below that.

    What carries its packets may have a namespace of its own beside that.
    """
    if shim.bundle.pid:
        return sharing.processes(shim)
    own = os.readlink("/proc/self/ns/pid")
    found = []
    with suppress(OSError, Invalid):
        wanted = os.stat(f"/proc/{shim.pid()}/ns/pid").st_ino
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError):
                    path = f"/proc/{name}/ns/pid"
                    if os.readlink(path) != own and _is_below(path, wanted):
                        found.append(int(name))
    return found


def _is_below(path: str, wanted: int) -> bool:
    """Tell whether the PID namespace at `path` is the one of inode `wanted`, or inside it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while os.fstat(fd).st_ino != wanted:
            above = fcntl.ioctl(fd, _NS_GET_PARENT)  # refused above our own
            os.close(fd)
            fd = above
        return True
    finally:
        os.close(fd)


def _processes(shim: "Shim", _request: Document, _client: Client) -> Answer:
    return {"pids": [shim.host_pid(pid) for pid in _inside(shim)]}, ()


def _update(shim: "Shim", request: Document, _client: Client) -> Answer:
    """Change limits and restart policy of what runs; processes enter further groups as they are."""
    limits = Limits.from_json(request["limits"])
    if shim.started is not None:
        inside = _inside(shim)
        cgroups.take_scope(shim.id, limits, [shim.host_pid(n) for n in (os.getpid(), *inside)])
        shim.group = shim.group.extended(shim.id, limits, inside, shim.bundle.cgroup_parent)
        shim.group.limit(limits)
    shim.bundle = shim.bundle._replace(limits=Limits.from_json(request["all_limits"]))
    shim.keeper.follow(request["restart"])
    return {}, ()


def _root(shim: "Shim", _request: Document, _client: Client) -> Answer:
    return {}, (shim.root(),)


def _netns(shim: "Shim", _request: Document, _client: Client) -> Answer:
    fd = os.open(f"/proc/{shim.pid()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return {}, (fd,)


def _lend(shim: "Shim", request: Document, _client: Client) -> Answer:
    return sharing.lend(shim, request["kind"])


def _userns(_shim: "Shim", _request: Document, _client: Client) -> Answer:
    return {}, (os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC),)


def _connect(shim: "Shim", request: Document, _client: Client) -> Answer:
    if shim.wires is None:
        raise Invalid("the container has no network of its own that could be connected to others")
    shim.record(network=shim.wires.connect(request["link"]))
    return {}, ()


def _disconnect(shim: "Shim", request: Document, _client: Client) -> Answer:
    if shim.wires is None:
        raise Invalid("the container has no network of its own")
    shim.record(network=shim.wires.disconnect(request["network"]))
    return {}, ()


def _exec(shim: "Shim", request: Document, client: Client) -> Answer:
    if shim.paused:
        words = f"Container {shim.id} is paused, unpause the container before exec"
        refuse(client, StartFailed(words, hint="`lamina unpause` it first", exit_code=1))
        return None
    if shim.started is None:
        words = f"Container {shim.id} is restarting, wait until the container is running"
        refuse(client, StartFailed(words, exit_code=1))
        return None
    pid = os.fork()
    if pid:
        shim.deputies.add(pid, f"{shim.run_folder}/exec/{request['id']}")
        return None
    from lamina.runtime.execs import serve_exec

    try:
        serve_exec(shim, request, client)
    finally:
        os._exit(0)


_OPERATIONS: "dict[str, Callable[[Shim, Document, Client], Answer]]" = {
    "attach": _attach,
    "connect": _connect,
    "disconnect": _disconnect,
    "exec": _exec,
    "freeze": _freeze,
    "lend": _lend,
    "netns": _netns,
    "processes": _processes,
    "resize": _resize,
    "root": _root,
    "signal": _signal,
    "update": _update,
    "userns": _userns,
    "wait": _wait,
}
