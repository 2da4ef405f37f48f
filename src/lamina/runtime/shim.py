"""The shim: the small process that is parent of one container's processes.

It lives in a PID and mount namespace of its own. The PID namespace is the safety net: whoever
kills the shim, even with SIGKILL, makes the kernel kill everything in the container, so that no
container runs on unwatched. The mount namespace holds the container's overlay and ends with it.
Signals, exec and the like are asked of the shim by socket, since it is where that is allowed, also
for a plain user whose commands each run in a user namespace of their own.

It is started with three descriptors: the request, the starter's socket and the container's lock.
"""

import os
import sys
import time
from contextlib import suppress

from lamina.errors import Invalid, LaminaError
from lamina.runtime import cgroups, frames, sharing, syscalls, userns
from lamina.runtime.accounts import look_up
from lamina.runtime.deputies import Deputies
from lamina.runtime.diary import Diary
from lamina.runtime.frames import Stream, frame
from lamina.runtime.keeping import Keeper
from lamina.runtime.log import LogWriter, timestamp
from lamina.runtime.mounts import SharedLayers, perform
from lamina.runtime.operations import ENDED, collect, lose, operate, refuse
from lamina.runtime.process import (
    Launch,
    Started,
    StartFailed,
    Stdio,
    exit_code,
    outer_number,
    reap,
    spawn,
)  # fmt: skip
from lamina.runtime.relay import Client, Pipes, Relay
from lamina.runtime.runtime import Runtime, make
from lamina.runtime.state_file import StateFile, not_started, starting
from lamina.runtime.strays import strays
from lamina.spec.bundle import (
    CAPABILITIES,
    Bundle,
    ProcessSettings,
    runtime_config,
    runtime_process,
)
from lamina.spec.mount import SHARED, Mount
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Final

    from lamina.runtime.health import Health
    from lamina.runtime.net.wires import Wires
    from lamina.runtime.observed import Look
    from lamina.runtime.relay import Attendant

__all__ = ["ATTACH_FD", "LOCK_FD", "REQUEST_FD", "Shim", "main"]

REQUEST_FD: "Final" = 200
ATTACH_FD: "Final" = 201
LOCK_FD: "Final" = 202

_ALL_STREAMS = frozenset(Stream)
_GIVE_UP_S = 2.0


def _load() -> None:
    """Import what is needed later: an upgrade may change the files under a shim that runs for long."""
    from lamina.runtime import console, execs, health, join

    del console, execs, health, join


def main() -> None:
    """Read the request, go into the background, run the container, record its end."""
    import socket

    for fd in (REQUEST_FD, ATTACH_FD, LOCK_FD):
        os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    with os.fdopen(REQUEST_FD, "rb") as stream:
        request = decode(stream.read(), what="request")
    starter = Client(socket.socket(fileno=ATTACH_FD))
    os.setsid()
    state_file = StateFile(request["folder"])
    layers = SharedLayers(request["run_root"])
    host_mounts = sharing.remember_mounts()
    host_proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    wires = _wires(request)
    try:
        state_file.reserve()
        state_file.write(starting(state_file.read(), os.getpid()))
        cgroups.take_scope(request["id"], Bundle.from_json(request["bundle"]).limits, [os.getpid()])
        if wires:
            wires.begin()
        layers.acquire([_mount(row) for row in request["layers"]])
        sharing.unshare(request)
        sharing.go_on(request)
    except (LaminaError, OSError) as error:
        failure = StartFailed.wrap("cannot prepare the container", error)
        refuse(starter, failure)
        with suppress(OSError):
            state_file.write(state_file.read() | not_started(failure))
        state_file.give_back()
        layers.release()
        sys.exit(1)
    shim = Shim(request, starter, host_proc, wires)
    try:
        shim.run()
    except BaseException:
        shim.report_crash()
        raise
    finally:
        with suppress(OSError):
            sharing.return_to(host_mounts)
            layers.release()
        shim.see_off()
        os._exit(0)


def _wires(request: Document) -> "Wires | None":
    """Give the container's network; without one, what makes one is not even loaded."""
    if not request["network"]:
        return None
    from lamina.runtime.net.wires import Wires

    return Wires(request)


def _mount(row: Document) -> Mount:
    return Mount(row["type"], row["source"], row["target"], tuple(row["options"]))


def _remove(path: str) -> None:
    with suppress(OSError, LaminaError):  # what is left the next command removes
        remove_tree(path)


class Shim:
    """One container's supervisor, from its mounts to its exit code."""

    def __init__(
        self, request: Document, starter: Client, host_proc: int, wires: "Wires | None"
    ) -> None:
        self.wires = wires
        self.request = request
        self.id: str = request["id"]
        self.folder: str = request["folder"]
        self.run_folder: str = request["run_folder"]
        found = request["runtime"]
        self.runtime: Runtime = make(found["name"], found["path"], request["run_root"])
        self.bundle = Bundle.from_json(request["bundle"])
        self.settings = ProcessSettings.from_json(request["process"])
        self.group = cgroups.Cgroup()
        self.started: Started | None = None
        self.look: Look | None = None
        self.paused = False
        self._state_file = StateFile(self.folder)
        self.state: Document = self._state_file.read()
        self._starter = starter
        self._host_proc = host_proc
        self.ended: dict[int, int] = {}
        self.deputies = Deputies(
            lambda: strays(self), lambda folder: lose(self, folder), kills=not self.bundle.pid
        )
        self.relay: Relay | None = None
        self._parting: Relay | None = None
        self.attendants: tuple[Attendant, ...] = (self.deputies,)
        self._listener: socket.socket | None = None
        self.keeper = Keeper(request["restart"])
        self.diary = Diary(request["journal"], self.id)

    def run(self) -> None:
        """Start the process, serve it until it ends, clean up, and only then tell."""
        syscalls.name_process("lamina-shim")
        os.umask(0o022)
        self.record(shim=self.host_pid(os.getpid()))
        try:
            self._prepare()
            relay, pipes, started = self._start({})
        except (LaminaError, OSError, ValueError, KeyError) as error:
            self._fail(self._failure(error))
            return
        self._greet(relay)
        while True:
            since = time.monotonic()
            relay.run(pipes, started)
            code = self._reap(started.watched)
            self._note_end(code, relay)
            self.deputies.wait()
            if not self.keeper.again(code):
                break
            again = self._again(relay, code, time.monotonic() - since)
            if again is None:
                break
            relay, pipes, started = again
        if self.state["status"] == "restarting":
            self.record(status="exited")
        self._state_file.give_back()
        self._clean(remove=bool(self.request["doomed"]))
        relay.listener.close()
        with suppress(OSError):
            os.close(LOCK_FD)
        relay.turn_away()
        self._parting = relay
        relay.finish(frame(Stream.EXITED, encode({"exit_code": code})), _GIVE_UP_S)

    def see_off(self) -> None:
        """Stay for attached clients that have not read all yet, until each has or is gone.

        A pager may take its time. Nothing but this process is left then: what it held has been let go.
        """
        if self._parting:
            self._parting.finish(b"")

    def _failure(self, error: Exception) -> LaminaError:
        if not isinstance(error, (LaminaError, OSError)):
            self.report_crash()
        if isinstance(error, LaminaError):
            return error
        return StartFailed.wrap("cannot start the container", error)

    def _note_end(self, code: int, relay: Relay) -> None:
        if self.bundle.pid:
            sharing.end_rest(self)
        self.started = None
        self.paused = False
        facts: Document = {}
        oom = self.group.out_of_memory()
        if oom:
            self.diary.note("oom")
        self.diary.note_end(self.state.get("network") or {}, code)
        if relay.health:
            facts["health"] = relay.health.end()
        self.record(
            status="restarting" if self.keeper.again(code) else "exited",
            exit_code=code,
            finished=timestamp(time.time_ns()),
            pid=0,
            paused=False,
            oom_killed=oom,
            **facts,
        )

    def _again(self, relay: Relay, code: int, ran_s: float) -> tuple[Relay, Pipes, Started] | None:
        """Wait as the policy says, and start the process once more; None when that is not to be."""
        relay.part(frame(Stream.EXITED, encode({"exit_code": code})))
        relay.idle(self.keeper.delay_s(ran_s), lambda: self.keeper.stopped)
        if self.keeper.stopped:
            return None
        self.runtime.delete(self.id, self.run_folder)
        _remove(f"{self.run_folder}/state")
        self.group.remove()
        try:
            return self._start(relay.clients)
        except (LaminaError, OSError) as error:
            self.record(error=self._failure(error).message)
            return None

    def _prepare(self) -> None:
        """Make the mounts, and from them the document that every start uses."""
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
        self.bundle = sharing.borrow(self.bundle, self.request["joined"], self.run_folder)
        for row in self.request["mounts"]:
            perform(_mount(row))
        self.state["network"] = self.wires.finish() if self.wires else {}
        if self.wires:
            from lamina.runtime.net.mending import Mending

            self.attendants += (Mending(self.wires, self._note_network),)
        self._listener = frames.listen(f"{self.run_folder}/s")

    def _start(self, clients: dict[int, Client]) -> tuple[Relay, Pipes, Started]:
        """Start the first process; `clients` go on being served."""
        rootfs = f"{self.run_folder}/rootfs"
        self.group = cgroups.create(
            self.id,
            privileged=self.bundle.privileged,
            limits=self.bundle.limits,
            devices=self.bundle.device_rules,
            in_force=not self._runtime_confines,
            parent=self.bundle.cgroup_parent,
            run_folder=self.run_folder,
        )
        root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            account = look_up(root, self.settings)
        finally:
            os.close(root)
        config = runtime_config(
            self.bundle,
            self._trusted(self.settings),
            account,
            rootfs=rootfs,
            machine=os.uname().machine,
            kernel=os.uname().release,
            known_groups=userns.mapped(),
            rootless=userns.rootless_uid() is not None,
            groups=self.group.shown(),
        )
        stdin = self.request["open_stdin"]
        pipes = Pipes(terminal=self.settings.terminal, stdin=stdin)
        launch = Launch(
            self.id, self.run_folder, config, pipes.theirs, self.enter, self.settings.terminal
        )
        if self.request.get("observed"):
            from lamina.runtime.observed import Look

            self.look = Look(config)
            launch = launch._replace(made=self.look)
        try:
            started = self.runtime.start(launch)
        except StartFailed as error:
            raise error.with_words(pipes.last_words()) from error
        self.started = started
        pipes.started(started, stdin=stdin)
        chosen = self.request["log"]
        log = LogWriter(f"{self.folder}/log", **chosen) if chosen else None
        assert self._listener is not None  # noqa: S101 - `_prepare` came before
        relay = Relay(
            self._listener,
            lambda asked, client: operate(self, asked, client),
            log=log,
            stdin_once=self.request["stdin_once"],
            at_rest=self._rest,
        )
        relay.clients = clients
        relay.health = self._health()
        relay.attendants = self.attendants
        self.relay = relay
        self.record(
            status="running",
            starting=False,
            pid=self.host_pid(started.pid),
            shim=self.host_pid(os.getpid()),
            started=timestamp(time.time_ns()),
            finished="",
            exit_code=0,
            error="",
            paused=False,
            oom_killed=False,
            restarts=self.keeper.count,
            stopped=False,
            **({"health": relay.health.document} if relay.health else {}),
        )
        self.diary.note_start(self.state.get("network") or {})
        return relay, pipes, started

    def _rest(self) -> None:
        """Do what can wait until nothing happens."""
        _load()
        collect(self)  # crun leaves a process of its own, which ends as the start does

    def _greet(self, relay: Relay) -> None:
        """Tell the starter that it runs, and attach it."""
        silent = frozenset() if self.request["starter_types"] else frozenset({Stream.STDIN})
        self._starter.attach(_ALL_STREAMS - silent)
        relay.add(self._starter)
        network = self.state.get("network") or {}
        seen = {**self.look.seen(self.pid()), "network": network} if self.look else {}
        told = {"pid": self.state["pid"], "warnings": network.get("Notes") or [], "seen": seen}
        self._starter.send(frame(Stream.STARTED, encode(told)))

    def _note_network(self) -> None:
        assert self.wires is not None  # noqa: S101 - it is they who tell
        self.record(network=self.wires.document())

    def _note_health(self, document: Document, changed: bool) -> None:
        self.record(health=document)
        if changed:
            self.diary.note(f"health_status: {document['Status']}")

    def _health(self) -> "Health | None":
        if not self.request["health"]:
            return None
        from lamina.runtime.health import checks_of

        return checks_of(self, self._note_health)

    @property
    def _runtime_confines(self) -> bool:
        """Whether the runtime enters the group itself: runc, whose own threads would not fit in."""
        return self.runtime.name == "runc" and bool(self.bundle.cgroup)

    def enter(self) -> None:
        """Move the calling process into the container's group, unless the runtime does."""
        if not self._runtime_confines:
            self.group.enter()

    def _trusted(self, settings: ProcessSettings) -> ProcessSettings:
        """Leave the capabilities that can be given here.

        Not those that we lack ourselves; and not CAP_MKNOD where nothing keeps device files from
        opening the host's disks.
        """
        own = syscalls.own_capabilities()
        safe = self.group.confined or self.bundle.privileged or self.runtime.name == "runc"
        kept = tuple(
            name
            for name in settings.capabilities
            if own >> CAPABILITIES.index(name) & 1 and (safe or name != "CAP_MKNOD")
        )
        return ProcessSettings.from_json({**settings.to_json(), "capabilities": kept})

    def _fail(self, error: LaminaError) -> None:
        self.record(**not_started(error))
        self._state_file.give_back()
        self._clean(remove=bool(self.request["doomed"]))
        with suppress(OSError):
            os.close(LOCK_FD)
        refuse(self._starter, error)

    def report_crash(self) -> None:
        """Leave the traceback of a defect of ours where a person can find it."""
        import traceback

        with suppress(OSError), open(f"{self.folder}/shim.log", "a", encoding="utf-8") as file:
            traceback.print_exc(file=file)

    def record(self, **facts: object) -> None:
        """Write the state file. See `StateFile`; what cannot be written at all is left in the log."""
        self.state = {**self.state, **facts}
        try:
            self._state_file.write(self.state)
        except OSError:
            self.report_crash()

    def host_pid(self, pid: int) -> int:
        """Give the number that the rest of the machine knows process `pid` by."""
        return outer_number(pid, self._host_proc)

    def _reap(self, watched: int) -> int:
        known = self.ended.get(watched)
        return reap(watched) if known is None else exit_code(known)

    def _clean(self, *, remove: bool) -> None:
        self.runtime.delete(self.id, self.run_folder)
        if self.bundle.pid:  # nothing of a start that failed may stay among others' processes
            sharing.end_rest(self)
        self.group.remove()
        if self.runtime.name == "runc":  # one that was killed has left groups of its own
            cgroups.discard(self.id, self.run_folder)
        if self.wires:
            self.wires.close()
        for row in self.request["mounts"]:
            with suppress(OSError):
                syscalls.umount(row["target"], syscalls.MNT_DETACH)
        sharing.give_back(self.run_folder)
        _remove(self.run_folder)
        if remove:
            self.diary.note_removal()
        for path in self.request["doomed"] if remove else ():
            if os.path.islink(path) or os.path.isfile(path):
                with suppress(OSError):
                    os.unlink(path)
            elif not os.path.exists(f"{path}/{SHARED}"):
                _remove(path)
        sweep = self.request["sweep"]
        if remove and sweep and os.path.isdir(sweep["where"]):
            with suppress(LaminaError, OSError):  # else the next command that removes does it
                os.waitpid(spawn(sweep["words"], Stdio()), 0)

    def pid(self) -> int:
        """Give the first process's ID as this namespace numbers it. Raises: Invalid (none runs)."""
        if self.started is None:
            raise Invalid(ENDED)
        return self.started.pid

    def root(self) -> int:
        """Open what the first process has as `/`. Raises: Invalid (it has ended)."""
        try:
            return os.open(f"/proc/{self.pid()}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Invalid(ENDED) from error

    def detach_relay(self) -> None:
        """Close what belongs to the first process's streams: a forked exec must not hold it."""
        if self.relay:
            self.relay.release()
        self.deputies.release()
        with suppress(OSError):
            os.close(LOCK_FD)

    def exec_process(self, settings: ProcessSettings) -> Document:
        """Give the runtime-spec `process` of one exec, its user looked up in what runs."""
        root = self.root()
        try:
            account = look_up(root, settings)
        finally:
            os.close(root)
        return runtime_process(self._trusted(settings), account)
