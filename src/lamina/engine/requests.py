"""What people ask for when they create a container or an exec, as values, and as Docker's documents."""

from collections.abc import Mapping, Sequence

from lamina.engine.confinement import Confinement
from lamina.engine.devices import Device, check_rule
from lamina.engine.isolation import check_isolation
from lamina.engine.limits import Ulimit, check_limits, check_score
from lamina.engine.log_options import check_log_options
from lamina.engine.network_request import (
    Endpoint,
    NetworkRequest,
    check_extra_hosts,
    check_servers,
)
from lamina.engine.restarting import HealthRequest, RestartPolicy
from lamina.engine.volume_mounts import MountInvalid, VolumeMount
from lamina.errors import Invalid
from lamina.spec.bundle import KEEP_GROUPS, capabilities
from lamina.spec.config import check_settings
from lamina.spec.limits import Limits
from lamina.spec.wire import Document
from lamina.values import dataclass, field, replace

__all__ = [
    "CommandMissing",
    "CreateRequest",
    "ExecRequest",
    "MountInvalid",
    "VolumeMount",
    "config_document",
    "host_document",
    "signal_number",
    "words_of",
]

_SHM = 64 << 20


class CommandMissing(Invalid):
    """Neither the image nor the person names a command."""


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A container to make. Empty means: as the image says, or Docker's default.

    `command` replaces the image's Cmd; `entrypoint` None keeps the image's, `()` clears it.
    `stop_timeout_s` None is ten seconds. `network` is default, host, none, bridge, `container:NAME`
    or a network's name; ports, aliases and more than one network stand in `networking`.
    """

    image: str
    command: tuple[str, ...] = ()
    name: str = ""
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    hostname: str = ""
    domainname: str = ""
    terminal: bool = False
    open_stdin: bool = False
    stdin_once: bool = True
    mounts: tuple[VolumeMount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    volumes_from: tuple[str, ...] = ()
    read_only: bool = False
    network: str = "default"
    networking: NetworkRequest = NetworkRequest()
    extra_hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    security: tuple[str, ...] = ()
    init: bool = False
    auto_remove: bool = False
    stop_signal: str = ""
    stop_timeout_s: int | None = None
    shm_size: int = 0
    log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)
    sysctl: Mapping[str, str] = field(default_factory=dict)
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = ""
    userns_mode: str = ""
    cgroupns_mode: str = ""
    cgroup_parent: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    platform: str = ""
    cidfile: str = ""
    limits: Limits = field(default_factory=Limits)
    ulimits: tuple[Ulimit, ...] = ()
    devices: tuple[Device, ...] = ()
    device_rules: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    oom_score_adj: int = 0
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    health: HealthRequest = field(default_factory=HealthRequest)

    @property
    def networks(self) -> NetworkRequest:
        """All that is asked about networks."""
        if self.networking.endpoints or self.network == "default":
            return self.networking
        return replace(self.networking, endpoints=(Endpoint.parse(self.network),))

    def check(self) -> None:
        """Refuse what cannot be. Raises: Invalid and its kin."""
        capabilities(self.cap_add, self.cap_drop)
        Confinement.parse(self.security)
        check_limits(self.limits)
        check_score(self.oom_score_adj)
        check_isolation(self)
        if "io" in self.limits.controllers:
            from lamina.engine.block_io import check_block_io

            check_block_io(self.limits)
        self.health.check()
        if self.auto_remove and self.restart.name != "no":
            raise Invalid("can't create 'AutoRemove' container with restart policy")
        for device in self.devices:
            tuple(device.nodes())
        for rule in self.device_rules:
            check_rule(rule)
        if KEEP_GROUPS in self.group_add and len(self.group_add) > 1:
            raise Invalid(
                "the '--group-add keep-groups' option is not allowed with any other --group-add options"
            )
        self.networks.check()
        check_extra_hosts(self.extra_hosts)
        check_servers(self.dns)
        if "" in self.labels:
            raise Invalid(
                f"invalid label '={self.labels['']}': empty name", hint="write --label name=value"
            )
        check_log_options(self.log_driver, self.log_options)
        if self.stop_signal:
            signal_number(self.stop_signal)
        if self.workdir and not self.workdir.startswith("/"):
            raise Invalid(
                f"the working directory '{self.workdir}' is invalid, it needs to be an absolute path"
            )


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """One more process for a running container. Empty `user` and `workdir`: the container's."""

    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    terminal: bool = False
    stdin: bool = False
    privileged: bool = False

    def check(self) -> None:
        """Refuse what cannot be. Raises: CommandMissing."""
        if not self.command:
            raise CommandMissing("No exec command specified", hint="name a program to run")


def words_of(command: Sequence[str]) -> tuple[str, ...]:
    """Give a command's words. Raises: Invalid (it is one string, which has a word for each letter)."""
    if isinstance(command, str):
        raise Invalid(
            f"a command is a list of words, not one string: {command!r}",
            hint=f"{command.split()}, or ['sh', '-c', {command!r}] for a shell to read it",
        )
    return tuple(command)


def signal_number(text: str) -> int:
    """Read a signal: `KILL`, `SIGKILL`, `kill`, `9`, `RTMIN+1`. Raises: Invalid."""
    import signal

    word = text.strip().upper().removeprefix("SIG")
    if word.isdigit() and 0 < int(word) <= signal.SIGRTMAX:
        return int(word)
    base, plus, offset = word.partition("+")
    found = getattr(signal, f"SIG{base}", None)
    if isinstance(found, int) and not base.startswith("_") and (not plus or offset.isdigit()):
        return int(found) + int(offset or 0)
    raise Invalid(f"Invalid signal: {text}", hint="`kill -l` lists the names")


def config_document(request: CreateRequest, image: Document, container: str) -> Document:
    """Join the request with the image's config into Docker's Config. Raises: CommandMissing, Invalid."""
    check_settings(image)
    entrypoint = list(image.get("Entrypoint") or [])
    command = list(request.command)
    if request.entrypoint is not None:
        entrypoint = [word for word in request.entrypoint if word]
    elif not command:
        command = list(image.get("Cmd") or [])
    if not entrypoint and not command:
        raise CommandMissing("no command specified", hint="add one after the image's name")
    env = _merge_env(image.get("Env") or [], request.env)
    ports = request.networks.all_exposed(image.get("ExposedPorts") or {})
    health = request.health.merged(image.get("Healthcheck") or {})
    return {
        "Hostname": request.hostname or container[:12],
        "Domainname": request.domainname,
        "User": request.user or image.get("User") or "",
        "AttachStdin": request.open_stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        **({"ExposedPorts": ports} if ports else {}),
        "Tty": request.terminal,
        "OpenStdin": request.open_stdin,
        "StdinOnce": request.open_stdin and request.stdin_once,
        "Env": env,
        "Cmd": command or None,
        **({"Healthcheck": health} if health else {}),
        "Image": request.image,
        "Volumes": image.get("Volumes") or None,
        "WorkingDir": request.workdir or image.get("WorkingDir") or "",
        "Entrypoint": entrypoint or None,
        "OnBuild": image.get("OnBuild") or None,
        "Labels": {**(image.get("Labels") or {}), **request.labels},
        **({"StopSignal": s} if (s := request.stop_signal or image.get("StopSignal")) else {}),
        **({} if request.stop_timeout_s is None else {"StopTimeout": request.stop_timeout_s}),
        **({"Shell": image["Shell"]} if image.get("Shell") else {}),
    }


def _merge_env(image: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Put the person's variables first and the image's others after, as Docker keeps them."""
    names = {row.partition("=")[0] for row in wanted}
    kept = [row for row in wanted if "=" in row]
    return kept + [row for row in image if row.partition("=")[0] not in names]


def host_document(request: CreateRequest) -> Document:
    """Give Docker's HostConfig for the request."""
    held = Confinement.parse(request.security)
    binds = [
        f"{m.source}:{m.target}" + (":ro" if m.read_only else "")
        for m in request.mounts
        if m.make and m.source
    ]
    return {
        "Binds": binds or None,
        "ContainerIDFile": request.cidfile,
        "LogConfig": {"Type": request.log_driver, "Config": dict(request.log_options)},
        **request.networks.host_values(),
        "RestartPolicy": request.restart.to_json(),
        "AutoRemove": request.auto_remove,
        "CapAdd": list(request.cap_add) or None,
        "CapDrop": list(request.cap_drop) or None,
        "Dns": list(request.dns),
        "ExtraHosts": list(request.extra_hosts) or None,
        "IpcMode": request.ipc_mode or "private",
        "PidMode": request.pid_mode,
        "UTSMode": request.uts_mode,
        "UsernsMode": request.userns_mode,
        "CgroupnsMode": request.cgroupns_mode,
        "CgroupParent": request.cgroup_parent,
        "Runtime": request.runtime,
        **({"Annotations": dict(request.annotations)} if request.annotations else {}),
        "Privileged": request.privileged,
        "ReadonlyRootfs": request.read_only,
        "SecurityOpt": list(request.security) or None,
        "MaskedPaths": list(held.masked) if not request.privileged else None,
        "ReadonlyPaths": list(held.read_only) if not request.privileged else None,
        "Tmpfs": dict(request.tmpfs),
        "VolumesFrom": list(request.volumes_from) or None,
        "ShmSize": request.shm_size or _SHM,
        "Sysctls": dict(request.sysctl),
        "Init": request.init,
        **request.limits.to_host(),
        "OomScoreAdj": request.oom_score_adj,
        "Ulimits": [ulimit.to_json() for ulimit in request.ulimits] or None,
        "GroupAdd": list(request.group_add) or None,
        "DeviceCgroupRules": list(request.device_rules) or None,
        "Devices": [device.to_json() for device in request.devices] or None,
    }
