"""Starting containers, and everything done with those that run."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lamina.engine.confinement import Confinement
from lamina.engine.devices import Device, device_binds, device_rules, host_devices
from lamina.engine.isolation import has_own_cgroups, joined_socket, place_of
from lamina.engine.journal import diary_order
from lamina.engine.log_options import log_order
from lamina.engine.mounting import started_mounts
from lamina.engine.names import unknown
from lamina.engine.records import RECORD, ContainerRecord, ContainerState
from lamina.engine.requests import ExecRequest, signal_number
from lamina.engine.run_folders import order_folder, shim_socket
from lamina.engine.wiring import network_owner, wiring
from lamina.errors import InUse, Invalid, Unavailable
from lamina.events import Running, Starting
from lamina.spec.bundle import (
    CAPABILITIES,
    Bundle,
    ProcessSettings,
    capabilities,
    environment,
)
from lamina.spec.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.runtime.attach import Attachment
    from lamina.runtime.runtime import Choice
    from lamina.spec.wire import Document

__all__ = [
    "ContainerNotRunning",
    "ContainerRunning",
    "attach",
    "execute",
    "freeze",
    "kill",
    "not_running",
    "order_folder",
    "paused",
    "send",
    "settled",
    "shim_socket",
    "start",
    "wait",
]

_CLEAN_UP_S = 15.0
_INITS = ("catatonit", "tini-static", "tini", "docker-init")


class ContainerNotRunning(InUse):
    """The container does not run, and only a running one can do that."""


class ContainerRunning(InUse):
    """The container runs, and only a stopped one can do that."""


def not_running(record: ContainerRecord) -> ContainerNotRunning:
    """Say that `record` is not running."""
    return ContainerNotRunning(
        f"container {record.id[:12]} is not running", hint=f"`lamina start {record.name}` first"
    )


def start(
    engine: "Engine", record: ContainerRecord, choice: "Choice", *, stdin: bool = False
) -> "Attachment":
    """Start the first process; give a connection to it, attached from before its first byte.

    Raises: StartFailed (its `exit_code` is Docker's), ContainerRunning, ContainerUnknown, Unavailable.
    """
    from lamina.runtime.supervisor import Order, Shims
    from lamina.snapshot.collector import collector

    lock = _take(engine, record)
    try:
        folder = order_folder(engine.settings.run_root, record.id)
        _make_run_folder(engine, folder, record.id)
        network, wires = wiring(engine, record, folder)
        witness = engine.witness
        stack = engine.snapshotter.stack(record.id)
        mounted = started_mounts(engine, record, folder)
        order = Order(
            id=record.id,
            folder=record.folder,
            run_folder=folder,
            run_root=engine.settings.run_root,
            choice=choice,
            mounts=(*engine.snapshotter.mounts(stack, f"{folder}/rootfs"), *mounted.mounts),
            bundle=_bundle(engine, record, network, mounted.binds),
            process=_process(record),
            open_stdin=bool(record.config.get("OpenStdin")),
            stdin_once=bool(record.config.get("StdinOnce")),
            starter_types=stdin,
            log=log_order(record),
            doomed=_doomed(engine, record),
            sweep=collector(engine.settings.root) if record.host.get("AutoRemove") else {},
            network=wires,
            restart=record.host.get("RestartPolicy") or {},
            health=_health(record),
            joined={
                kind.lower(): path
                for kind in ("PID", "IPC")
                if (path := joined_socket(engine, record, kind))
            },
            journal=diary_order(engine, record),
            observed=witness is not None,
        )
        if witness is not None:
            witness(Starting(record.id, choice.name, tuple(order.mounts)))
        attachment = Shims(split=engine.expendable).start(order, lock)
    finally:
        os.close(lock)
    try:
        pid = attachment.started()
        if witness is not None:
            witness(Running(record.id, pid, attachment.seen))
    except BaseException:
        attachment.close()
        raise
    return attachment


def _take(engine: "Engine", record: ContainerRecord) -> int:
    """Take the lock of a container that is to be started.

    Raises: ContainerRunning, ContainerUnknown (removed meanwhile), Unavailable (busy).
    """
    files = engine.containers.files
    try:
        try:
            lock = files.take(record.id)
        except BlockingIOError:
            if engine.containers.state(record.id).is_running:
                raise ContainerRunning(f"container {record.name} is already running") from None
            lock = files.take(record.id, wait_s=_CLEAN_UP_S)  # its shim is still cleaning up
    except BlockingIOError as error:
        raise Unavailable(f"container {record.name} is busy") from error
    except FileNotFoundError as error:
        raise unknown(record.name) from error
    if files.load(record.id) is None:
        os.close(lock)
        raise unknown(record.name)
    return lock


def _make_run_folder(engine: "Engine", folder: str, container: str) -> None:
    from lamina.runtime.cgroups import discard
    from lamina.stream.files import remove_tree

    if os.path.isdir(folder):  # left by a shim that was killed
        discard(container, folder)
        remove_tree(folder)
    # A process that is not root must be able to pass through, to its own root alone.
    os.makedirs(engine.settings.run_root, mode=0o711, exist_ok=True)
    os.makedirs(os.path.dirname(folder), mode=0o711, exist_ok=True)
    os.makedirs(folder, mode=0o711)


def _doomed(engine: "Engine", record: ContainerRecord) -> tuple[str, ...]:
    """List what the shim removes at the end of a `--rm` container."""
    if not record.host.get("AutoRemove"):
        return ()
    volumes = [m["Folder"] for m in record.mounts if m.get("Anonymous")]
    snapshot = f"{engine.settings.root}/snapshots/active/{record.id}"
    name = engine.containers.register.path(record.name)
    return (*volumes, f"{record.folder}/{RECORD}", snapshot, record.folder, name)


def _process(record: ContainerRecord) -> ProcessSettings:
    config, host = record.config, record.host
    args = (record.path, *record.args)
    if host.get("Init"):
        args = ("/sbin/docker-init", "--", *args)
    return ProcessSettings(
        args=args,
        env=_env(record, ()),
        cwd=config.get("WorkingDir") or "/",
        user=config.get("User") or "",
        groups=tuple(host.get("GroupAdd") or ()),
        terminal=record.terminal,
        capabilities=_capabilities(host),
        no_new_privileges=_has_no_new_privileges(host),
        rlimits=_rlimits(host),
        oom_score_adj=int(host.get("OomScoreAdj") or 0),
    )


def _health(record: ContainerRecord) -> "Document":
    """Give the shim's order of health checks, empty where there are none."""
    from lamina.engine.restarting import health_command

    words, timeout_s = health_command(record.config)
    if not words:
        return {}
    process = _process(record)._replace(
        args=words, terminal=False, env=_env(record, (), terminal=False)
    )
    config = record.config["Healthcheck"]
    return {"config": config, "process": process.to_json(), "timeout_s": timeout_s}


def _rlimits(host: "Document") -> tuple[tuple[str, int, int], ...]:
    rows = host.get("Ulimits") or ()
    return tuple((row["Name"], row["Soft"], row["Hard"]) for row in rows)


def _env(
    record: ContainerRecord, extra: tuple[str, ...], *, terminal: bool | None = None
) -> tuple[str, ...]:
    return environment(
        record.config.get("Env") or [],
        extra,
        hostname=record.config["Hostname"],
        terminal=record.terminal if terminal is None else terminal,
    )


def _capabilities(host: "Document", *, privileged: bool = False) -> tuple[str, ...]:
    everything = privileged or bool(host.get("Privileged"))
    return capabilities(host.get("CapAdd") or (), host.get("CapDrop") or (), privileged=everything)


def _has_no_new_privileges(host: "Document") -> bool:
    return Confinement.parse(host.get("SecurityOpt") or ()).no_new_privileges


def _bundle(
    engine: "Engine", record: ContainerRecord, network: str, mounted: "tuple[Document, ...]"
) -> Bundle:
    from lamina.engine.hostfiles import write_host_files

    host = record.host
    held = Confinement.parse(host.get("SecurityOpt") or ())
    near = network_owner(engine, str(host.get("NetworkMode") or ""))
    binds = [*write_host_files(record, shared=near.folder if near else ""), *mounted]
    if host.get("Init"):
        binds.append(_file_bind(_init_program(), "/sbin/docker-init", read_only=True))
    limits = Limits.from_host(host)
    if "io" in limits.controllers:
        from lamina.engine.block_io import device_number

        limits = limits.named(device_number)
    devices = [Device.from_json(row) for row in host.get("Devices") or ()]
    if host.get("Privileged"):
        taken = {device.target for device in devices}
        devices += [device for device in host_devices() if device.target not in taken]
    binds += device_binds(devices)
    parent = str(host.get("CgroupParent") or "")
    return Bundle(
        hostname=record.config["Hostname"],
        network=network,
        read_only=bool(host.get("ReadonlyRootfs")),
        privileged=bool(host.get("Privileged")),
        seccomp=held.seccomp,
        apparmor=held.apparmor,
        masked=held.masked,
        readonly_paths=held.read_only,
        shm_size=int(host.get("ShmSize") or 64 << 20),
        cgroup=""
        if engine.containers.rootless
        else f"/{parent.strip('/') or 'lamina'}/{record.id}",
        cgroup_parent=parent,
        own_cgroups=has_own_cgroups(host),
        pid=place_of(host.get("PidMode")),
        ipc=place_of(host.get("IpcMode")),
        uts=host.get("UTSMode") or "",
        annotations=host.get("Annotations") or {},
        binds=tuple(binds),
        tmpfs=host.get("Tmpfs") or {},
        sysctl=host.get("Sysctls") or {},
        limits=limits,
        device_rules=(*device_rules(devices), *(host.get("DeviceCgroupRules") or ())),
    )


def _init_program() -> str:
    from lamina.runtime.programs import which

    for name in _INITS:
        if path := which(name, "/usr/libexec/podman", "/usr/libexec/catatonit"):
            return path
    raise Invalid(
        "--init needs a small init program, and none is installed",
        hint="`apt install catatonit` or `apt install tini`",
    )


def _file_bind(source: str, target: str, *, read_only: bool) -> "Document":
    mode = "ro" if read_only else "rw"
    return {
        "destination": target,
        "type": "bind",
        "source": source,
        "options": ["rbind", "rprivate", mode],
    }


def attach(engine: "Engine", record: ContainerRecord, *, stdin: bool) -> "Attachment":
    """Attach to the first process. Raises: ContainerNotRunning."""
    from lamina.runtime import supervisor

    streams = ["stdout", "stderr"] + (["stdin"] if stdin else [])
    try:
        return supervisor.attach(shim_socket(engine, record), streams, terminal=record.terminal)
    except supervisor.NotRunning as error:
        raise not_running(record) from error


def execute(engine: "Engine", record: ContainerRecord, request: ExecRequest) -> "Attachment":
    """Start one more process; give a connection to it, attached from before its first byte.

    Raises: StartFailed, ContainerNotRunning, InUse (paused), CommandMissing.
    """
    from lamina.runtime import supervisor
    from lamina.runtime.attach import ShimLost
    from lamina.runtime.process import NOT_STARTABLE, OURS

    request.check()
    settings = ProcessSettings(
        args=request.command,
        env=_env(record, request.env, terminal=request.terminal),
        cwd=request.workdir or record.config.get("WorkingDir") or "/",
        user=request.user or record.config.get("User") or "",
        groups=() if request.user else tuple(record.host.get("GroupAdd") or ()),
        terminal=request.terminal,
        capabilities=CAPABILITIES if request.privileged else _capabilities(record.host),
        no_new_privileges=_has_no_new_privileges(record.host),
        rlimits=_rlimits(record.host),
        oom_score_adj=int(record.host.get("OomScoreAdj") or 0),
    )
    path = shim_socket(engine, record)
    try:
        attachment = supervisor.execute(path, os.urandom(8).hex(), settings, stdin=request.stdin)
    except supervisor.NotRunning as error:
        raise not_running(record) from error
    try:
        attachment.started()
    except BaseException as error:
        attachment.close()
        lost = isinstance(error, ShimLost) or getattr(error, "exit_code", 0) == OURS
        if lost and not engine.containers.is_running(record.id):  # it ended just now
            raise not_running(record) from error
        if getattr(error, "exit_code", 0) == OURS:
            error.exit_code = NOT_STARTABLE  # type: ignore[attr-defined] # as Docker's exec does
        raise
    return attachment


def send(engine: "Engine", record: ContainerRecord, op: str, **values: object) -> "Document":
    """Ask the container's shim one thing. Raises: ContainerNotRunning."""
    from lamina.runtime import supervisor

    try:
        return supervisor.ask(shim_socket(engine, record), op, **values)[0]
    except supervisor.NotRunning as error:
        raise not_running(record) from error


def kill(engine: "Engine", record: ContainerRecord, signal: str = "KILL") -> None:
    """Send a signal to the first process. Raises: ContainerNotRunning, Invalid (no such signal)."""
    from signal import SIGKILL

    number = signal_number(signal)
    if not engine.containers.state(record.id).is_running:
        raise ContainerNotRunning(
            f"cannot kill container: {record.name}: container {record.id} is not running"
        )
    # As with Docker, who kills a container or asks it to stop does not want it back.
    final = number in (int(SIGKILL), signal_number(record.config.get("StopSignal") or "TERM"))
    send(engine, record, "signal", number=number, final=final)


def wait(engine: "Engine", record: ContainerRecord, timeout_s: float | None = None) -> int | None:
    """Wait until the container does not run; give its exit code, or None when time is up.

    Raises: ContainerUnknown (it was removed at its end, and its code with it).
    """
    from lamina.runtime import supervisor
    from lamina.runtime.attach import ShimLost

    try:
        with supervisor.waiter(shim_socket(engine, record)) as attachment:
            return attachment.wait(timeout_s)
    except (supervisor.NotRunning, ShimLost, Unavailable):
        return settled(engine, record)


def settled(engine: "Engine", record: ContainerRecord) -> int:
    """Give the exit code of a container whose shim is gone or going. Raises: ContainerUnknown."""
    deadline = time.monotonic() + _CLEAN_UP_S
    state: ContainerState = engine.containers.state(record.id)
    while state.is_running and time.monotonic() < deadline:
        time.sleep(0.02)
        state = engine.containers.state(record.id)
    if state.status == "created" and engine.containers.files.load(record.id) is None:
        raise unknown(record.name)
    return state.exit_code


def freeze(engine: "Engine", record: ContainerRecord, *, frozen: bool) -> None:
    """Pause or go on. Raises: ContainerNotRunning, InUse (already so)."""
    state = engine.containers.state(record.id)
    if not state.is_running:
        raise ContainerNotRunning(f"Container {record.id} is not running")
    send(engine, record, "freeze", frozen=frozen)


@contextmanager
def paused(engine: "Engine", record: ContainerRecord) -> Iterator[None]:
    """Hold a running container still meanwhile; one that is not running is still anyway."""
    ours = False
    with suppress(InUse):
        freeze(engine, record, frozen=True)
        ours = True
    try:
        yield
    finally:
        if ours:
            with suppress(InUse, Unavailable):
                freeze(engine, record, frozen=False)
