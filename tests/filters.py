"""Judges of system call filters: libseccomp itself, and an interpreter of what it and we compile."""

import ctypes
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lamina.spec.wire import Document

__all__ = [
    "ALLOW",
    "ENOSYS",
    "EPERM",
    "Decider",
    "arguments",
    "call_number",
    "compiled_by_libseccomp",
    "installed_profile",
    "known_numbers",
]  # fmt: skip

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
AUDIT = {"x86_64": 0xC000003E, "x86": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
_ACTIONS = {
    "KILL": 0, "KILL_PROCESS": 0x80000000, "TRAP": 0x30000, "ERRNO": 0x50000, "LOG": 0x7FFC0000,
    "ALLOW": ALLOW,
}  # fmt: skip
_OPERATORS = ("", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
_INSTALLED = Path("/usr/share/containers/seccomp.json")  # golang-github-containers-common

_library = ctypes.CDLL("libseccomp.so.2")  # crun and runc need it too
_library.seccomp_init.restype = ctypes.c_void_p
_library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("index", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("one", ctypes.c_uint64),
        ("two", ctypes.c_uint64),
    )


def installed_profile() -> Document:
    """Podman's default profile, as this machine's package has it."""
    found: Document = json.loads(_INSTALLED.read_bytes())
    return found


def call_number(name: str, machine: str) -> int:
    """What libseccomp takes for the number of a call; negative where it knows none."""
    number: int = _library.seccomp_syscall_resolve_name_arch(AUDIT[machine], name.encode())
    return number


def known_numbers(machine: str) -> dict[int, str]:
    """The calls that libseccomp knows on `machine`, by number."""
    found = {}
    for number in range(600):
        text = _library.seccomp_syscall_resolve_num_arch(AUDIT[machine], number)
        if text:
            found[number] = ctypes.string_at(text).decode()
    return found


def compiled_by_libseccomp(document: Document, machines: tuple[str, ...]) -> bytes:
    """Compile a runtime-spec filter as crun and runc do, for `machines`."""
    default = _value(document["defaultAction"], document.get("defaultErrnoRet"))
    context = ctypes.c_void_p(_library.seccomp_init(ctypes.c_uint32(default)))
    assert context.value
    _library.seccomp_arch_remove(context, AUDIT["x86_64"])
    for machine in machines:
        assert _library.seccomp_arch_add(context, AUDIT[machine]) == 0
    for rule in document["syscalls"]:
        value = _value(rule["action"], rule.get("errnoRet"))
        if value == default:
            continue
        for name in rule["names"]:
            number = _library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                continue  # newer than this libseccomp
            for row in _comparisons(rule.get("args") or []):
                array = (_Comparison * len(row))(*(_Comparison(*one) for one in row))
                code = _library.seccomp_rule_add_array(
                    context, ctypes.c_uint32(value), number, len(row), array
                )
                assert code == 0, (name, os.strerror(-code))
    fd = os.memfd_create("filter")
    assert _library.seccomp_export_bpf(context, fd) == 0
    _library.seccomp_release(context)
    data = os.pread(fd, 1 << 20, 0)
    os.close(fd)
    return data


def _value(action: str, errno: int | None) -> int:
    value = _ACTIONS[action.removeprefix("SCMP_ACT_")]
    return value | (1 if errno is None else errno) if action == "SCMP_ACT_ERRNO" else value


def _comparisons(args: list[Document]) -> list[list[tuple[Any, ...]]]:
    rows = [
        (a["index"], _OPERATORS.index(a["op"].removeprefix("SCMP_CMP_")), a["value"], a["valueTwo"])
        for a in args
    ]
    if len({row[0] for row in rows}) < len(rows):
        return [[row] for row in rows]
    return [rows]


class Decider:
    """A compiled filter, asked as the kernel asks it."""

    def __init__(self, code: bytes) -> None:
        self._rows = list(struct.iter_unpack("<HBBI", code))

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, number: int, machine: str = "x86_64", args: tuple[int, ...] = ()) -> int:
        values = [*args, *[0] * (6 - len(args))]
        data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, AUDIT.get(machine, 0), 0, *values)
        return self._run(data)

    def _run(self, data: bytes) -> int:
        a = at = 0
        store: dict[int, int] = {}
        while True:
            op, yes, no, k = self._rows[at]
            at += 1
            if op == 0x06:
                return int(k)
            if op == 0x20:
                (a,) = struct.unpack_from("<I", data, k)
            elif op == 0x54:
                a &= k
            elif op == 0x05:
                at += k
            elif op == 0x02:
                store[k] = a
            elif op == 0x60:
                a = store[k]
            else:
                holds = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: bool(a & k)}[op]
                at += yes if holds else no


def arguments() -> Iterator[tuple[int, ...]]:
    """Some arguments on both sides of what filters compare with."""
    firsts = (
        0, 1, 7, 8, 9, 11, 12, 13, 16, 38, 40, 45, 46, 0x20000, 0x20008, 0x7E020000, 0x10000000,
        0x00000100, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF_FFFFFFFF, 1 << 32, (1 << 32) + 8,
    )  # fmt: skip
    for first in firsts:
        yield (first, 0, 0)
        yield (first, 5, 9)
