"""The bundle: from a container's settings to the runtime-spec `config.json`. Pure.

Spec: runtime-spec config.md, config-linux.md. The defaults (capabilities, masked and read-only
paths, mounts, devices) are those that Docker gives its containers.
"""

from collections.abc import Iterator, Mapping, Sequence

from lamina.errors import Invalid
from lamina.spec.limits import Limits, resources
from lamina.spec.seccomp import profile
from lamina.spec.wire import Document
from lamina.values import NamedTuple

__all__ = [
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "DEFAULT_PATH",
    "KEEPING",
    "KEEP_GROUPS",
    "MASKED",
    "READ_ONLY",
    "Account",
    "Bundle",
    "CapabilityUnknown",
    "ProcessSettings",
    "UserUnknown",
    "capabilities",
    "environment",
    "resolve_user",
    "runtime_config",
    "runtime_process",
]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CAPABILITIES = tuple(
    "CAP_" + name
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ]
)
"""Every capability, in the kernel's order: the position is the number."""

DEFAULT_CAPABILITIES = tuple(
    "CAP_" + name
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
)

MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
"""What a container cannot look into."""
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""What a container cannot write to."""
KEEP_GROUPS = "keep-groups"
"""Among added groups: whoever starts the container lets it have the groups that they have."""
KEEPING = "run.oci.keep_original_groups"
"""The annotation that says so: crun's."""
_NOTHING: Mapping[str, str] = {}
_TTY_GROUP = 5
_MOST_ID = (1 << 31) - 1
_GROUPS = "/sys/fs/cgroup"
_DEFAULT_SHM = 64 << 20


class UserUnknown(Invalid):
    """The container has no such user or group."""


class CapabilityUnknown(Invalid):
    """The kernel has no such capability."""


class Account(NamedTuple):
    """Who a process runs as, in numbers of the container, and where that user lives."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def resolve_user(text: str, passwd: str, group: str, added: Sequence[str] = ()) -> Account:
    """Look up `user`, `uid`, `user:group` in the container's own /etc/passwd and /etc/group.

    An unknown number is taken as it is; an unknown name is an error, in Docker's words. `added` are
    groups, by name or number, that the process is a member of as well.
    Raises: UserUnknown.
    """
    user, _, wanted = (text or "0").partition(":")
    user = user or "0"
    rows = [row for line in passwd.splitlines() if len(row := line.split(":")) >= 7]  # noqa: PLR2004
    row = next((r for r in rows if r[0] == user), [])
    if not row and user.isdigit():
        row = next((r for r in rows if r[2] == user), [user, "", user, "0", "", "/", ""])
    if not row:
        raise UserUnknown(
            f"unable to find user {user}: no matching entries in passwd file",
            hint="add the user to the image, or give a number: -u 1000",
        )
    numbers = [word for word in (user, wanted) if word.isdigit()]
    if any(int(word) > _MOST_ID for word in numbers):
        raise UserUnknown(
            f"unable to find user {text}: uids and gids must be in range 0-{_MOST_ID}"
        )
    groups = [g for line in group.splitlines() if len(g := line.split(":")) >= 4]  # noqa: PLR2004
    gid = int(row[3] or 0)
    extra: tuple[int, ...] = ()
    if wanted:
        gid = _group_number(wanted, groups)
    else:
        extra = tuple(
            sorted({int(g[2]) for g in groups if row[0] in g[3].split(",") and g[2].isdigit()})
        )
    more = (_group_number(name, groups) for name in added if name != KEEP_GROUPS)
    return Account(int(row[2]), gid, tuple(dict.fromkeys((*extra, *more))), row[5] or "/")


def _group_number(wanted: str, groups: Sequence[Sequence[str]]) -> int:
    found = next((g[2] for g in groups if g[0] == wanted and g[2].isdigit()), wanted)
    if not (found.isascii() and found.isdigit() and int(found) < 1 << 31):
        raise UserUnknown(
            f"unable to find group {wanted}: no matching entries in group file",
            hint="add the group to the image, or give a number",
        )
    return int(found)


def capabilities(
    add: Sequence[str], drop: Sequence[str], *, privileged: bool = False
) -> tuple[str, ...]:
    """Give the capabilities that remain, in the kernel's order. Raises: CapabilityUnknown."""
    added, dropped = _capability_names(add), _capability_names(drop)
    chosen = set(CAPABILITIES if privileged or "ALL" in added else DEFAULT_CAPABILITIES)
    if "ALL" in dropped:
        chosen = set(CAPABILITIES) if "ALL" in added else set()
    chosen -= dropped
    chosen |= added
    return tuple(name for name in CAPABILITIES if name in chosen)


def _capability_names(names: Sequence[str]) -> set[str]:
    chosen = set()
    for name in names:
        full = name.upper()
        if full != "ALL" and not full.startswith("CAP_"):
            full = f"CAP_{full}"
        if full != "ALL" and full not in CAPABILITIES:
            raise CapabilityUnknown(
                f'invalid capability "{name}"',
                hint="`man 7 capabilities` lists them; ALL is every one",
            )
        chosen.add(full)
    return chosen


def environment(
    image: Sequence[str], wanted: Sequence[str], *, hostname: str, terminal: bool
) -> tuple[str, ...]:
    """Join the variables as Docker does: defaults, the image's, the person's; the later wins."""
    values = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if terminal:
        values["TERM"] = "xterm"
    for row in (*image, *wanted):
        name, equals, value = row.partition("=")
        if equals:
            values[name] = value
        else:
            values.pop(name, None)
    return tuple(f"{name}={value}" for name, value in values.items())


class ProcessSettings(NamedTuple):
    """One process to start, first or exec. `user` and `groups` are as people write them.

    `rlimits` are (name as `--ulimit` has it, soft, hard), -1 for no end.
    """

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    groups: tuple[str, ...] = ()
    terminal: bool = False
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    no_new_privileges: bool = False
    rlimits: tuple[tuple[str, int, int], ...] = ()
    oom_score_adj: int = 0

    @classmethod
    def from_json(cls, document: Document) -> "ProcessSettings":
        """Read what `to_json` gave."""
        return cls(
            args=tuple(document["args"]),
            env=tuple(document["env"]),
            cwd=document["cwd"],
            user=document["user"],
            groups=tuple(document["groups"]),
            terminal=document["terminal"],
            capabilities=tuple(document["capabilities"]),
            no_new_privileges=document["no_new_privileges"],
            rlimits=tuple(tuple(row) for row in document["rlimits"]),
            oom_score_adj=document["oom_score_adj"],
        )

    def to_json(self) -> Document:
        """Give the settings as a document, for the shim."""
        return self._asdict()


class Bundle(NamedTuple):
    """What a container is, beyond its first process.

    `network` is `host`, `none` or the path of a network namespace. `pid`, `ipc` and `uts` are empty
    for namespaces of its own, `host`, or the path of one to join; `ipc` may be `shareable`, or `none`
    for no /dev/shm. `own_cgroups` gives it a cgroup namespace. `binds` are finished
    runtime-spec mounts, in order. `tmpfs` maps a path to its mount options. `device_rules` are what
    may be opened beyond Docker's devices, as the devices controller writes it: `c 10:229 rwm`.
    `seccomp` is empty for the default filter, `unconfined`, or the JSON of a profile.
    """

    hostname: str = ""
    network: str = "none"
    read_only: bool = False
    privileged: bool = False
    seccomp: str = ""
    init: bool = False
    shm_size: int = _DEFAULT_SHM
    cgroup: str = ""
    cgroup_parent: str = ""
    own_cgroups: bool = False
    pid: str = ""
    ipc: str = ""
    uts: str = ""
    annotations: Mapping[str, str] = _NOTHING
    masked: tuple[str, ...] = MASKED
    readonly_paths: tuple[str, ...] = READ_ONLY
    apparmor: str = ""
    binds: tuple[Document, ...] = ()
    tmpfs: Mapping[str, str] = _NOTHING
    sysctl: Mapping[str, str] = _NOTHING
    limits: Limits = Limits()
    device_rules: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Document) -> "Bundle":
        """Read what `to_json` gave."""
        values = {name: document[name] for name in cls._fields}
        for name in ("binds", "device_rules", "masked", "readonly_paths"):
            values[name] = tuple(values[name])
        values["limits"] = Limits.from_json(values["limits"])
        return cls(**values)

    def to_json(self) -> Document:
        """Give the bundle as a document, for the shim."""
        return self._asdict()


def runtime_process(process: ProcessSettings, account: Account) -> Document:
    """Give the runtime-spec `process` object; HOME comes from the account unless set."""
    env = list(process.env)
    if not any(row.startswith("HOME=") for row in env):
        env.append(f"HOME={account.home}")
    held = list(process.capabilities)
    # Only root's processes hold capabilities; other users may gain them by set-uid files.
    effective = held if account.uid == 0 else []
    return {
        "terminal": process.terminal,
        "user": {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)},
        "args": list(process.args),
        "env": env,
        "cwd": process.cwd or "/",
        "capabilities": {
            "bounding": held,
            "effective": effective,
            "permitted": effective,
            "inheritable": [],
            "ambient": [],
        },
        "noNewPrivileges": process.no_new_privileges,
        **({"rlimits": [_rlimit(*row) for row in process.rlimits]} if process.rlimits else {}),
        **({"oomScoreAdj": process.oom_score_adj} if process.oom_score_adj else {}),
    }


def _rlimit(name: str, soft: int, hard: int) -> Document:
    endless = (1 << 64) - 1
    return {
        "type": f"RLIMIT_{name.upper()}",
        "soft": endless if soft < 0 else soft,
        "hard": endless if hard < 0 else hard,
    }


def runtime_config(
    bundle: Bundle,
    process: ProcessSettings,
    account: Account,
    *,
    rootfs: str,
    machine: str,
    kernel: str,
    known_groups: int = 1 << 32,
    rootless: bool = False,
    groups: Sequence[tuple[str, str]] = (),
) -> Document:
    """Give the whole `config.json`. `known_groups` is how many group IDs the namespace maps.

    `groups` are the container's own control groups: the folder here, and where it is shown. `machine`
    and `kernel` are what `uname -m` and `uname -r` say. Raises: ProfileInvalid.
    """
    annotations = {
        **bundle.annotations,
        **({KEEPING: "1"} if KEEP_GROUPS in process.groups else {}),
    }
    linux: Document = {
        "namespaces": list(_namespaces(bundle)),
        "maskedPaths": [] if bundle.privileged else list(bundle.masked),
        "readonlyPaths": [] if bundle.privileged else list(bundle.readonly_paths),
    }
    if bundle.cgroup:
        linux["cgroupsPath"] = bundle.cgroup
    if any({"rslave", "slave"} & set(bind["options"]) for bind in bundle.binds):
        linux["rootfsPropagation"] = "rslave"  # else there is nothing that a bind could follow
    if bundle.sysctl:
        linux["sysctl"] = dict(bundle.sysctl)
    if seccomp := _seccomp(bundle, process.capabilities, machine=machine, kernel=kernel):
        linux["seccomp"] = seccomp
    if not rootless:
        rules: list[Document] = [{"allow": bundle.privileged, "access": "rwm"}]
        rules += [_device_rule(text) for text in bundle.device_rules]
        linux["resources"] = {"devices": rules, **resources(bundle.limits)}
    return {
        "ociVersion": "1.0.2",
        **({} if bundle.uts == "host" else {"hostname": bundle.hostname}),
        **({"annotations": annotations} if annotations else {}),
        "root": {"path": rootfs, "readonly": bundle.read_only},
        "process": {
            **runtime_process(process, account),
            **({"apparmorProfile": bundle.apparmor} if bundle.apparmor else {}),
        },
        "mounts": _mounts(bundle, known_groups=known_groups, rootless=rootless, groups=groups),
        "linux": linux,
    }


def _namespaces(bundle: Bundle) -> Iterator[Document]:
    yield {"type": "mount"}
    places = {"uts": bundle.uts, "pid": bundle.pid, "ipc": bundle.ipc, "network": bundle.network}
    for kind, place in places.items():
        if place.startswith("/"):
            yield {"type": kind, "path": place}
        elif place != "host":
            yield {"type": kind}
    if bundle.own_cgroups:
        yield {"type": "cgroup"}


def _seccomp(
    bundle: Bundle, capabilities: Sequence[str], *, machine: str, kernel: str
) -> Document | None:
    """Give the filter; a privileged container has none but one that was asked for."""
    if bundle.seccomp == "unconfined" or (bundle.privileged and not bundle.seccomp):
        return None
    if not bundle.seccomp:
        return profile(capabilities, machine)
    from lamina.spec.seccomp_file import read_profile, resolve

    return resolve(read_profile(bundle.seccomp), capabilities, machine=machine, kernel=kernel)


def _device_rule(text: str) -> Document:
    kind, numbers, access = text.split()
    major, _, minor = numbers.partition(":")
    rule: Document = {"allow": True, "type": kind, "access": access}
    return rule | {
        key: int(word) for key, word in (("major", major), ("minor", minor)) if word != "*"
    }


def _mount(target: str, kind: str, source: str, *options: str) -> Document:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _mounts(
    bundle: Bundle, *, known_groups: int, rootless: bool, groups: Sequence[tuple[str, str]]
) -> list[Document]:
    """List the mounts parents first, so that a mount on /a never hides one on /a/b."""
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if known_groups > _TTY_GROUP:
        pts.append(f"gid={_TTY_GROUP}")
    access = "rw" if bundle.privileged else "ro"
    if bundle.network == "host" and rootless:
        # A new sysfs belongs to the network namespace's owner: the host's can only be bound.
        # Its own mounts, /sys/fs/cgroup among them, would stay writable with a plain `ro`.
        every = "rw" if bundle.privileged else "rro"
        sysfs = _mount("/sys", "bind", "/sys", "rbind", "nosuid", "noexec", "nodev", every)
    else:
        sysfs = _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access)
    shm = f"size={bundle.shm_size}"
    if bundle.pid == "host" and rootless:  # a new proc belongs to the PID namespace's owner
        proc = _mount("/proc", "bind", "/proc", "rbind", "nosuid", "noexec", "nodev")
    else:
        proc = _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev")
    fixed = [
        proc,
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", *pts),
        sysfs,
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", shm),  # noqa: S108 - the container's own
    ]
    if bundle.ipc == "none":
        fixed.pop()
    elif bundle.ipc == "host":
        fixed[-1] = _mount("/dev/shm", "bind", "/dev/shm", "rbind")  # noqa: S108 - asked for
        if rootless:  # message queues may only be shown by the IPC namespace's owner
            fixed.pop(-2)
    fixed += _group_mounts(groups, access)
    chosen = [
        _mount(path, "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", *_tmpfs_options(options))
        for path, options in bundle.tmpfs.items()
    ]
    chosen += bundle.binds
    chosen.sort(key=lambda mount: str(mount["destination"]).count("/"))
    taken = {str(mount["destination"]).rstrip("/") for mount in chosen}
    return [mount for mount in fixed if mount["destination"] not in taken] + chosen


def _group_mounts(groups: Sequence[tuple[str, str]], access: str) -> list[Document]:
    """Show the container its own groups, as programs look there for their limits."""
    common = ("nosuid", "noexec", "nodev")
    found = []
    if groups and groups[0][1] != _GROUPS:  # one folder for each hierarchy
        found.append(_mount(_GROUPS, "tmpfs", "tmpfs", *common, "mode=755", "size=64k"))
    return found + [
        _mount(target, "bind", folder, "bind", *common, access) for folder, target in groups
    ]


def _tmpfs_options(text: str) -> list[str]:
    return [option for option in text.split(",") if option]
