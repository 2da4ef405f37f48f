"""Choose the driver that serves this machine best, and say why."""

import os

from lamina.errors import Invalid, Unsupported
from lamina.snapshot.checks import Checks
from lamina.snapshot.snapshotter import Snapshotter, Surroundings
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.settings import Settings
    from lamina.snapshot.layers import Layers
    from lamina.snapshot.snapshotter import Driver

__all__ = ["Probe", "Survey", "choose", "survey"]

_SMALL_BLOCKS = (6, 4)
_FILE_BACKED = (6, 12)
_DIRECT = (6, 13)
_LOOP_CONTROL = "/dev/loop-control"
_METACOPY = (4, 19)
_IN_NAMESPACES = (5, 11)
_SYS_ADMIN = 1 << 21
_NO_FILES = ("tmpfs", "ramfs")  # EROFS reads a file by its pages on a disk: there are none
_NO_UPPER = ("overlay", "fuse.fuse-overlayfs", "nfs", "nfs4", "9p", "vfat", "ecryptfs")
_SUFFIXES = ("", ".xz", ".zst", ".gz")


@dataclass(frozen=True, slots=True)
class Probe:
    """What this process may do, what this kernel has, and what the root folder lies on.

    `no_loop` says what keeps this process from using loop devices; empty when nothing does.
    """

    kernel: tuple[int, int]
    file_systems: frozenset[str]
    may_mount: bool
    root_user: bool
    in_namespace: bool
    one_owner: bool = False
    disk_type: str = ""
    no_loop: str = ""

    @classmethod
    def of_this_machine(cls, root: str) -> "Probe":
        """Look at /proc; some 100 microseconds."""
        release = os.uname().release
        status = _read("/proc/self/status")
        capabilities = next(
            (int(row.split()[1], 16) for row in status.splitlines() if row.startswith("CapEff")), 0
        )
        return cls(
            kernel=_version(release),
            file_systems=frozenset(
                [row.split()[-1] for row in _read("/proc/filesystems").splitlines() if row]
                + [name for name in ("erofs", "overlay") if _has_module(release, name)]
            ),
            may_mount=bool(capabilities & _SYS_ADMIN),
            root_user=os.geteuid() == 0,
            in_namespace=not _is_whole(_read("/proc/self/uid_map")),
            one_owner=_read("/proc/self/uid_map").split()[2:] == ["1"],
            disk_type=_disk_type(root, _read("/proc/self/mountinfo")),
            no_loop=_no_loop(),
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """Which driver serves and why; what speaks against each (best first, empty: nothing); how.

    `by_loop` and `directio` are about mounts of sealed layers.
    """

    name: str
    reason: str
    against: dict[str, str]
    by_loop: bool
    directio: bool


def survey(settings: "Settings", probe: Probe) -> Survey:
    """Decide on what `settings` or else the machine ask for.

    A choice that cannot work here is refused, with the reason.
    Raises: Invalid (no such driver), Unsupported (not on this machine).
    """
    by_loop = _is_by_loop(settings, probe)
    against = _against(settings, probe, by_loop=by_loop)
    wanted = settings.storage_driver
    if wanted and wanted not in against:
        raise Invalid(f"unknown storage driver {wanted!r}", hint=f"use one of {', '.join(against)}")
    if wanted and against[wanted]:
        raise Unsupported(
            f"storage driver {wanted!r} cannot work here: {against[wanted]}",
            hint="leave out --storage-driver and unset LAMINA_STORAGE_DRIVER: lamina chooses then",
        )
    name = wanted or next(name for name, problem in against.items() if not problem)
    reason = (
        "asked for by --storage-driver or LAMINA_STORAGE_DRIVER"
        if wanted
        else _reason(name, against, by_loop=by_loop)
    )
    directio = settings.directio and (by_loop or probe.kernel >= _DIRECT)
    return Survey(name, reason, against, by_loop, directio)


def choose(settings: "Settings", layers: "Layers", probe: Probe | None = None) -> Snapshotter:
    """Give the snapshotter that `settings` or else this machine ask for. Raises: as `survey`."""
    if probe is None:
        probe = Probe.of_this_machine(settings.root)
    found = survey(settings, probe)
    reason, most = found.reason, settings.max_lowers
    rootless = probe.in_namespace or not probe.root_user
    checks = Checks(f"{settings.run_root}/checked")

    def driver(name: str) -> "Driver":
        if name == "sealed":
            from lamina.snapshot.sealed import SealedDriver

            return SealedDriver(layers, checks, reason, most)
        if name == "unpacked":
            from lamina.snapshot.unpacked import UnpackedDriver

            return UnpackedDriver(layers, checks, reason, rootless, not probe.one_owner, most)
        if name == "copied":
            from lamina.snapshot.copied import CopiedDriver

            return CopiedDriver(layers, reason, rootless, not probe.one_owner)
        raise KeyError(name)

    surroundings = Surroundings(
        settings.run_root,
        userxattr=rootless,
        owners=not probe.one_owner,
        directio=found.directio,
        by_loop=found.by_loop,
        metacopy=probe.kernel >= _METACOPY and not rootless,
    )
    return Snapshotter(layers, surroundings, driver(found.name), driver, checks)


def _is_by_loop(settings: "Settings", probe: Probe) -> bool:
    unfit = probe.kernel < _FILE_BACKED or probe.disk_type in _NO_FILES
    return settings.erofs == "loop" or (not settings.erofs and unfit)


def _against(settings: "Settings", probe: Probe, *, by_loop: bool) -> dict[str, str]:
    """Say for each driver, best first, what speaks against it; nothing where it works."""
    overlay = ""
    if "overlay" not in probe.file_systems:
        overlay = "the kernel has no overlayfs"
    elif probe.root_user and not probe.may_mount:
        overlay = "this process may not mount (no CAP_SYS_ADMIN)"
    elif (probe.in_namespace or not probe.root_user) and probe.kernel < _IN_NAMESPACES:
        overlay = f"kernel {_dotted(probe.kernel)} mounts overlayfs for real root only (5.11 does in user namespaces)"
    elif probe.disk_type in _NO_UPPER:
        overlay = f"the root folder lies on {probe.disk_type}, which overlayfs cannot write to"
    sealed = overlay
    if not probe.root_user or probe.in_namespace:
        sealed = "the kernel mounts EROFS for real root only"
    elif not sealed:
        sealed = _against_erofs(settings, probe, by_loop=by_loop)
    return {"sealed": sealed, "unpacked": overlay, "copied": ""}


def _against_erofs(settings: "Settings", probe: Probe, *, by_loop: bool) -> str:
    """Say why real root cannot mount sealed layers here; nothing where it can."""
    kernel = f"kernel {_dotted(probe.kernel)}"
    if settings.erofs == "none":
        return "the storage option erofs=none says not to"
    if "erofs" not in probe.file_systems:
        return "the kernel has no EROFS"
    if probe.kernel < _SMALL_BLOCKS:
        return f"{kernel} cannot mount EROFS with blocks of 512 bytes (6.4 can)"
    if not by_loop and probe.kernel < _FILE_BACKED:
        return f"{kernel} cannot mount EROFS from a file (6.12 can)"
    if by_loop and probe.no_loop:
        return f"{kernel} mounts EROFS from loop devices only, and {probe.no_loop}"
    return ""


def _reason(name: str, against: dict[str, str], *, by_loop: bool) -> str:
    if name == "sealed":
        by = ", by loop devices" if by_loop else ""
        return f"the kernel mounts sealed layers as they are{by}"
    if name == "unpacked":
        return f"layers are unpacked once: {against['sealed']}"
    return f"every container gets a copy of its image: {against['unpacked']}"


def _no_loop() -> str:
    """Say what keeps this process from setting up loop devices; nothing where it can."""
    try:
        os.close(os.open(_LOOP_CONTROL, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{_LOOP_CONTROL} cannot be opened ({error.strerror})"
    return ""


def _is_whole(uid_map: str) -> bool:
    """Tell whether every user of the machine has a place: no user namespace, or one that is as good."""
    return not uid_map or uid_map.split() == ["0", "0", "4294967295"]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _version(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    minor = "".join(character if character.isdigit() else " " for character in rest).split()
    return (int(major) if major.isdigit() else 0, int(minor[0]) if minor else 0)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _has_module(release: str, name: str) -> bool:
    """Tell whether the kernel would load `name` by itself at the first mount."""
    folder = {"overlay": "overlayfs"}.get(name, name)
    path = f"/lib/modules/{release}/kernel/fs/{folder}/{name}.ko"
    return any(os.path.exists(path + suffix) for suffix in _SUFFIXES)


def _disk_type(root: str, mounts: str) -> str:
    """Give the type of the file system that `root` is on, or will be."""
    root = os.path.realpath(root)
    best, found = "", ""
    for row in mounts.splitlines():
        fields, _, rest = row.partition(" - ")
        place = fields.split()[4].replace("\\040", " ") if rest else ""
        inside = root == place or root.startswith(place.rstrip("/") + "/")
        if place and inside and len(place) >= len(best):  # the last of equals lies on top
            best, found = place, rest.split()[0]
    return found
