"""What a container shares with this machine or with another container, and what runs it: checks.

Modes are Docker's words: empty for the default, `host`, `private`, and `container:NAME` for the PID and
the IPC namespace.
"""

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.engine.requests import CreateRequest
    from lamina.runtime.runtime import Choice
    from lamina.spec.wire import Document

__all__ = [
    "ModeInvalid",
    "check_isolation",
    "has_own_cgroups",
    "joined_socket",
    "place_of",
    "runtime_of",
    "with_ids",
]

SHARED = "container:"
_RUNTIMES = ("crun", "runc", "bwrap")
_SHIMS = {"io.containerd.runc.v2": "runc", "oci": "runc"}


class ModeInvalid(Invalid):
    """A namespace mode, runtime or group that does not exist, or contradicts another option."""

    exit_code = 125


def check_isolation(request: "CreateRequest") -> None:
    """Refuse what cannot be, in Docker's words. Raises: ModeInvalid."""
    _check_namespaces(request)
    _check_conflicts(request)
    if request.runtime and _SHIMS.get(request.runtime, request.runtime) not in _RUNTIMES:
        raise ModeInvalid(
            f"unknown or invalid runtime name: {request.runtime}",
            hint=f"one of {', '.join(_RUNTIMES)}; `lamina info` says which is the default",
        )
    parts = request.cgroup_parent.strip("/").split("/")
    if {".", ".."} & set(parts) or "\0" in request.cgroup_parent:
        raise ModeInvalid(
            f"invalid cgroup parent: {request.cgroup_parent!r}", hint="--cgroup-parent /jobs/night"
        )


def _check_namespaces(request: "CreateRequest") -> None:
    """Each flag's own grammar."""
    pid, ipc = request.pid_mode, request.ipc_mode
    if pid not in ("", "host") and not _names_container(pid):
        raise ModeInvalid("--pid: invalid PID mode", hint="--pid host or --pid container:NAME")
    if ipc not in ("", "none", "private", "shareable", "host") and not _names_container(ipc):
        raise ModeInvalid(
            f"invalid IPC mode: {ipc}", hint="none, private, shareable, host or container:NAME"
        )
    if request.uts_mode not in ("", "host"):
        raise ModeInvalid("--uts: invalid UTS mode", hint="--uts host, or leave it out")
    if request.userns_mode not in ("", "host"):
        raise ModeInvalid(
            "--userns: invalid USER mode",
            hint="--userns host, or leave it out: a plain user's containers have a user namespace anyway",
        )
    if request.cgroupns_mode not in ("", "host", "private"):
        raise ModeInvalid("--cgroupns: invalid CGROUP mode", hint="private or host")


def _check_conflicts(request: "CreateRequest") -> None:
    if request.hostname and request.uts_mode == "host":
        raise ModeInvalid("conflicting options: hostname and the UTS mode")
    if request.hostname and request.networks.mode.startswith(SHARED):
        raise ModeInvalid("conflicting options: hostname and the network mode")
    if request.ipc_mode.startswith((SHARED, "host")) and request.shm_size:
        raise ModeInvalid(
            "conflicting options: shm-size and the IPC mode",
            hint="shared memory is the other's: its size is set there",
        )


def _names_container(mode: str) -> bool:
    return mode.startswith(SHARED) and len(mode) > len(SHARED)


def with_ids(engine: "Engine", host: "Document") -> "Document":
    """Give HostConfig with the containers it names by ID: names may pass to others.

    Raises: ContainerUnknown, ModeInvalid (the IPC namespace is not shared).
    """
    found = dict(host)
    for key in ("PidMode", "IpcMode"):
        mode = str(host.get(key) or "")
        if not mode.startswith(SHARED):
            continue
        other = engine.containers.record(mode.removeprefix(SHARED))
        if key == "IpcMode" and other.host.get("IpcMode") != "shareable":
            raise ModeInvalid(
                f"can't join IPC of container {other.id}: non-shareable IPC",
                hint="start that one with --ipc shareable",
            )
        found[key] = f"{SHARED}{other.id}"
    return found


def joined_socket(engine: "Engine", record: "ContainerRecord", kind: str) -> str:
    """Give the socket of the shim whose PID or IPC namespace `record` joins, empty for none.

    `kind` is `PID` or `IPC`. Raises: ContainerUnknown, ModeInvalid (it does not run).
    """
    from lamina.engine.run_folders import shim_socket

    mode = str(record.host.get(f"{kind.capitalize()}Mode") or "")
    if not mode.startswith(SHARED):
        return ""
    other = engine.containers.record(mode.removeprefix(SHARED))
    if other.id == record.id:
        raise ModeInvalid(f"cannot join own {kind} namespace")
    if not engine.containers.is_running(other.id):
        raise ModeInvalid(
            f"cannot join {kind} of a non running container: {other.id}",
            hint=f"`lamina start {other.name}` first",
        )
    return shim_socket(engine, other)


def place_of(mode: "str | None") -> str:
    """Give a namespace's mode as the bundle has it; another container's is put in by the shim."""
    words = mode or ""
    if words.startswith("container:"):
        return "container"
    return "" if words == "private" else words


def has_own_cgroups(host: "Document") -> bool:
    """Tell whether the container gets a cgroup namespace: by default where Docker's do."""
    from lamina.runtime.hierarchies import layout

    mode = host.get("CgroupnsMode") or ("private" if layout() == "unified" else "host")
    return mode == "private" and not (host.get("Privileged") and not host.get("CgroupnsMode"))


def runtime_of(engine: "Engine", record: "ContainerRecord") -> "Choice":
    """Give what runs the container: what it was created with, else what runs all here.

    Raises: RuntimeMissing, Invalid.
    """
    from lamina.runtime.runtime import choose

    wanted = str(record.host.get("Runtime") or "")
    return (
        choose(_SHIMS.get(wanted, wanted), by="--runtime") if wanted else engine.containers.runtime
    )
