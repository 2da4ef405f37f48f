"""The default system call filter: what a container may not ask the kernel, said once.

A list of what is refused rather than of what is allowed: it names the calls that Docker's default
profile keeps from containers too (kernel modules, mounts, clocks, key rings, tracing by address,
new namespaces). CAP_SYS_ADMIN and its kin give back what they are for. `profile` is the form for
OCI runtimes, `program` the same as classic BPF for bubblewrap.
"""

import struct
from collections.abc import Collection

from lamina.spec.wire import Document

__all__ = ["profile", "program"]

# name: (x86_64 number, aarch64 number); -1 where the architecture has no such call.
_ALWAYS = {
    "add_key": (248, 217), "keyctl": (250, 219), "request_key": (249, 218),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "iopl": (172, -1), "ioperm": (173, -1), "uselib": (134, -1), "ustat": (136, -1),
    "sysfs": (139, -1), "_sysctl": (156, -1), "nfsservctl": (180, 42),
    "create_module": (174, -1), "get_kernel_syms": (177, -1), "query_module": (178, -1),
    "userfaultfd": (323, 282), "swapon": (167, 224), "swapoff": (168, 225),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
_BY_CAPABILITY = {
    "CAP_SYS_ADMIN": {
        "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "setns": (308, 268),
        "unshare": (272, 97), "bpf": (321, 280), "perf_event_open": (298, 241),
        "quotactl": (179, 60), "lookup_dcookie": (212, 18), "fanotify_init": (300, 262),
        "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
        "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
        "mount_setattr": (442, 442), "quotactl_fd": (443, 443),
    },
    "CAP_SYS_MODULE": {
        "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    },
    "CAP_SYS_BOOT": {"reboot": (169, 142)},
    "CAP_SYS_PACCT": {"acct": (163, 89)},
    "CAP_SYS_TIME": {
        "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    },
    "CAP_SYS_NICE": {
        "mbind": (237, 235), "set_mempolicy": (238, 237), "get_mempolicy": (239, 236),
        "move_pages": (279, 239), "migrate_pages": (256, 238),
    },
    "CAP_SYS_PTRACE": {
        "kcmp": (312, 272), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    },
    "CAP_DAC_READ_SEARCH": {"open_by_handle_at": (304, 265)},
    "CAP_SYSLOG": {"syslog": (103, 116)},
}  # fmt: skip
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_NEW_NAMESPACES = (
    0x00020000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_EPERM, _ENOSYS = 1, 38
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def _refused(capabilities: Collection[str]) -> dict[str, tuple[int, int]]:
    refused = dict(_ALWAYS)
    for capability, calls in _BY_CAPABILITY.items():
        if capability not in capabilities:
            refused |= calls
    return refused


def profile(capabilities: Collection[str]) -> Document:
    """Give the filter as runtime-spec `linux.seccomp` for a container with `capabilities`."""
    rules: list[Document] = [
        {"names": sorted(_refused(capabilities)), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}
    ]
    if "CAP_SYS_ADMIN" not in capabilities:
        # clone3 hides its flags behind a pointer; ENOSYS makes the C library use clone instead.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
        rules.extend(
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": _EPERM,
                "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}],
            }
            for flag in _NEW_NAMESPACES
        )
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}


def program(capabilities: Collection[str], machine: str) -> bytes:
    """Give the filter as BPF instructions for `machine` (`uname -m`); empty where it has no table."""
    if machine not in _AUDIT:
        return b""
    column = 0 if machine == "x86_64" else 1
    code: list[tuple[int, int, int, int]] = []
    ld, jeq, jge, jset, ret = 0x20, 0x15, 0x35, 0x45, 0x06
    code += [(ld, 0, 0, 4), (jeq, 1, 0, _AUDIT[machine]), (ret, 0, 0, _ERRNO | _EPERM)]
    code.append((ld, 0, 0, 0))
    if machine == "x86_64":  # the x32 numbers would go round every rule below
        code += [(jge, 0, 1, 0x40000000), (ret, 0, 0, _ERRNO | _ENOSYS)]
    for number in sorted(pair[column] for pair in _refused(capabilities).values()):
        if number >= 0:
            code += [(jeq, 0, 1, number), (ret, 0, 0, _ERRNO | _EPERM)]
    if "CAP_SYS_ADMIN" not in capabilities:
        code += [(jeq, 0, 1, _CLONE3[column]), (ret, 0, 0, _ERRNO | _ENOSYS)]
        code += [(jeq, 0, 3, _CLONE[column]), (ld, 0, 0, 16)]
        code += [(jset, 0, 1, sum(_NEW_NAMESPACES)), (ret, 0, 0, _ERRNO | _EPERM)]
    code.append((ret, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *row) for row in code)
