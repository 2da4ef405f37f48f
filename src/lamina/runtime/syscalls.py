"""The kernel calls that Python does not offer, by ctypes. Nothing outside `runtime` calls the kernel.

Each function raises OSError with the call's errno. Numbers of newer calls are the same on every
architecture (424 and above); older ones that have no libc wrapper are listed per architecture.
"""

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = [
    "CLONE_FS",
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MNT_DETACH",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "MS_SLAVE",
    "attach_device_program",
    "become_subreaper",
    "drop_bounding",
    "exchange",
    "file_system",
    "forbid_dumps",
    "forbid_new_privileges",
    "fsconfig_create",
    "fsconfig_flag",
    "fsconfig_string",
    "fsmount",
    "fsopen",
    "has_keyrings",
    "install_filter",
    "keep_capabilities",
    "load_device_program",
    "mount",
    "move_mount",
    "name_process",
    "open_tree",
    "openat2",
    "own_capabilities",
    "pivot_root",
    "private_folder",
    "set_capabilities",
    "setns",
    "umount",
    "unshare",
]

CLONE_FS: "Final" = 0x00000200
CLONE_NEWNS: "Final" = 0x00020000
CLONE_NEWCGROUP: "Final" = 0x02000000
CLONE_NEWUTS: "Final" = 0x04000000
CLONE_NEWIPC: "Final" = 0x08000000
CLONE_NEWUSER: "Final" = 0x10000000
CLONE_NEWPID: "Final" = 0x20000000
CLONE_NEWNET: "Final" = 0x40000000

MS_RDONLY: "Final" = 1
MS_NOSUID: "Final" = 2
MS_NODEV: "Final" = 4
MS_NOEXEC: "Final" = 8
MS_REMOUNT: "Final" = 32
MS_BIND: "Final" = 4096
MS_REC: "Final" = 16384
MS_PRIVATE: "Final" = 1 << 18
MS_SLAVE: "Final" = 1 << 19
MNT_DETACH: "Final" = 2

_OPEN_TREE: "Final" = 428
_MOVE_MOUNT: "Final" = 429
_FSOPEN: "Final" = 430
_FSCONFIG: "Final" = 431
_FSMOUNT: "Final" = 432
_OPENAT2: "Final" = 437
_BPF: "Final" = {"x86_64": 321, "aarch64": 280}
_BPF_LOAD, _BPF_ATTACH = 5, 8
_CGROUP_DEVICE_PROGRAM, _CGROUP_DEVICE_ATTACH, _ALLOW_MULTI = 15, 6, 2
_KEYCTL: "Final" = {"x86_64": 250, "aarch64": 219}
_CAPSET: "Final" = {"x86_64": 126, "aarch64": 91}

_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CREATE = 0, 1, 6
_AT_FDCWD: "Final" = -100
_RENAMEAT2: "Final" = {"x86_64": 316, "aarch64": 276}
_RENAME_EXCHANGE: "Final" = 2

_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 15, 8, 24
_PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 22, 36, 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`; `data` is at most one page."""
    text = data.encode() if data else None
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), text
    )
    _check(result, target)


def umount(target: str, flags: int = 0) -> None:
    """Take the topmost mount off `target`."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` for new ones; CLONE_NEWUSER wants a single thread."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int = 0) -> None:
    """Enter the namespace(s) that `fd` names: a /proc/PID/ns file, or a pidfd with `flags`."""
    _check(_libc.setns(fd, flags), "setns")


def pivot_root(new: str, old: str) -> None:
    """Make the mount `new` the root of this mount namespace; what was goes to `old`."""
    _check(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), new)


def fsopen(kind: str) -> int:
    """Begin a mount of file system `kind`; give its configuration descriptor. Kernel 5.2."""
    return _check(_libc.syscall(_FSOPEN, kind.encode(), 1), kind)


def fsconfig_string(fd: int, key: str, value: str) -> None:
    """Set one option; `lowerdir+` may be given many times (kernel 6.8)."""
    result = _libc.syscall(_FSCONFIG, fd, _FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0)
    _check(result, f"{key}={value}")


def fsconfig_flag(fd: int, key: str) -> None:
    """Set one option that has no value."""
    _check(_libc.syscall(_FSCONFIG, fd, _FSCONFIG_SET_FLAG, key.encode(), None, 0), key)


def fsconfig_create(fd: int) -> None:
    """Make the superblock from the options given."""
    _check(_libc.syscall(_FSCONFIG, fd, _FSCONFIG_CREATE, None, None, 0), "superblock")


def fsmount(fd: int, attributes: int = 0) -> int:
    """Give the mount itself, attached nowhere: it lives as long as the descriptor."""
    return _check(_libc.syscall(_FSMOUNT, fd, 1, attributes), "fsmount")


def private_folder() -> int:
    """Give a descriptor of an empty folder that is nowhere in the tree of files, and ends with it.

    Whoever inherits it cannot climb out: a container's WORKDIR may be /proc/self/fd/N, which some
    runtimes enter before they close what they hold (CVE-2024-21626).
    """
    made = fsopen("tmpfs")
    try:
        fsconfig_create(made)
        return fsmount(made)
    finally:
        os.close(made)


def move_mount(fd: int, target: str) -> None:
    """Attach a detached mount at `target`."""
    result = _libc.syscall(_MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), 4)
    _check(result, target)


def open_tree(path: str) -> int:
    """Give a copy of the mount at `path`, attached nowhere. Kernel 5.2."""
    flags = 1 | os.O_CLOEXEC  # OPEN_TREE_CLONE
    return _check(_libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags), path)


def file_system(fd: int) -> int:
    """Give the magic number of the file system that an open file is on. Spec: statfs(2)."""
    answer = (ctypes.c_long * 64)()  # twice what any machine's struct has; the number comes first
    _check(_libc.fstatfs(fd, answer), "fstatfs")
    return int(answer[0])


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def openat2(directory: int, path: str, flags: int, *, mode: int = 0, resolve: int = 0x10) -> int:
    """Open below `directory`; by default it is the root for `..` and symlinks (RESOLVE_IN_ROOT)."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    while True:
        result: int = _libc.syscall(
            _OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        # EAGAIN: someone renamed a folder meanwhile, so the kernel could not be sure.
        if result >= 0 or ctypes.get_errno() != 11:  # noqa: PLR2004 - EAGAIN
            return _check(result, path)


def exchange(one: str, other: str) -> None:
    """Let two paths of one file system change places, at once. Raises: OSError."""
    here, there = ctypes.c_char_p(os.fsencode(one)), ctypes.c_char_p(os.fsencode(other))
    number = _RENAMEAT2[os.uname().machine]
    _check(_libc.syscall(number, _AT_FDCWD, here, _AT_FDCWD, there, _RENAME_EXCHANGE), "renameat2")


def _prctl(option: int, *values: object) -> None:
    filled = [*values, *[ctypes.c_ulong(0)] * (4 - len(values))]
    _check(_libc.prctl(option, *filled), f"prctl {option}")


def name_process(name: str) -> None:
    """Show `name` (15 bytes) as this process's name in `ps`."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def become_subreaper() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def forbid_new_privileges() -> None:
    """Make set-uid bits and file capabilities count for nothing from here on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))


def forbid_dumps() -> None:
    """Let no one look at this process until it executes something: not into its descriptors either."""
    _prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0))


def keep_capabilities() -> None:
    """Keep the permitted set across the change of user that follows."""
    _prctl(_PR_SET_KEEPCAPS, ctypes.c_ulong(1))


def drop_bounding(capability: int) -> None:
    """Take one capability out of the bounding set for good."""
    _prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability))


def install_filter(program: bytes) -> None:
    """Install a seccomp filter, an array of classic BPF instructions of 8 bytes each."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    value = Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(value))


def has_keyrings() -> bool:
    """Tell whether this process may use key rings: the filter of a container it runs in forbids them."""
    number = _KEYCTL.get(os.uname().machine, -1)
    session = -3
    return bool(_libc.syscall(number, 0, session, 0) >= 0) or ctypes.get_errno() not in (1, 38)


def own_capabilities() -> int:
    """Give this process's permitted capabilities, a bit mask."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's capability sets, each a bit mask of 64."""
    number = _CAPSET[os.uname().machine]
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    words = []
    for shift in (0, 32):
        words += [(mask >> shift) & 0xFFFFFFFF for mask in (effective, permitted, inheritable)]
    _check(_libc.syscall(number, header, (ctypes.c_uint32 * 6)(*words)), "capset")


def _bpf(command: int, attributes: bytes) -> int:
    number = _BPF[os.uname().machine]
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _check(_libc.syscall(number, command, buffer, len(attributes)), "bpf")


def load_device_program(code: bytes) -> int:
    """Have the kernel check an eBPF program for a control group's devices; give its descriptor."""
    rows = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    places = (ctypes.addressof(rows), ctypes.addressof(licence))
    return _bpf(_BPF_LOAD, struct.pack("<IIQQ", _CGROUP_DEVICE_PROGRAM, len(code) // 8, *places))


def attach_device_program(group: int, program: int) -> None:
    """Attach it to a group of the unified hierarchy, beside those that are there already."""
    values = (group, program, _CGROUP_DEVICE_ATTACH, _ALLOW_MULTI)
    _bpf(_BPF_ATTACH, struct.pack("<4I", *values))
