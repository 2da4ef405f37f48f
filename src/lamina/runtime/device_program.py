"""Which devices a container may open, in the unified layout: a program on its control group.

The legacy layouts have the files `devices.allow` and `devices.deny`; there the kernel asks a BPF
program instead. Spec: the kernel's admin-guide/cgroup-v2.rst (device controller) and bpf(2).
"""

import os
import struct
from collections.abc import Iterable

from lamina.runtime import syscalls

__all__ = ["attach", "compile_rules"]

_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = 7
# Opcodes of eBPF: 64-bit moves, 32-bit loads, jumps that compare with a constant.
_LOAD, _MOVE, _MOVE_K, _AND_K, _SHIFT_K, _UNEQUAL_K, _EXIT = (
    0x61, 0xBF, 0xB7, 0x57, 0x77, 0x55, 0x95,
)  # fmt: skip
_TYPE, _WANTED, _MAJOR, _MINOR, _SPARE = 2, 3, 4, 5, 6  # registers


def compile_rules(rules: Iterable[str]) -> bytes:
    """Compile rules (`c 1:3 rwm`, `b *:* m`, `a *:* rwm`) to eBPF; what none allows is refused."""
    code = [
        _row(_LOAD, _TYPE, 1, 0, 0),  # (access << 16) | type
        _row(_MOVE, _WANTED, _TYPE, 0, 0),
        _row(_AND_K, _TYPE, 0, 0, 0xFFFF),
        _row(_SHIFT_K, _WANTED, 0, 0, 16),
        _row(_LOAD, _MAJOR, 1, 4, 0),
        _row(_LOAD, _MINOR, 1, 8, 0),
    ]
    for rule in rules:
        code += _rule(*rule.split())
    code += [_row(_MOVE_K, 0, 0, 0, 0), _row(_EXIT, 0, 0, 0, 0)]
    return b"".join(code)


def _rule(kind: str, numbers: str, access: str) -> list[bytes]:
    major, _, minor = numbers.partition(":")
    wanted: list[tuple[int, int]] = []
    if kind != "a":
        wanted.append((_TYPE, _KINDS[kind]))
    wanted += [
        (register, int(word))
        for register, word in ((_MAJOR, major), (_MINOR, minor))
        if word != "*"
    ]
    code: list[bytes] = []
    others = _ALL & ~sum(_ACCESS[letter] for letter in set(access))
    left = len(wanted) + (3 if others else 0)
    for register, value in wanted:
        left -= 1
        code.append(_row(_UNEQUAL_K, register, 0, left + 2, value))
    if others:  # what is wanted beyond what the rule gives
        code.append(_row(_MOVE, _SPARE, _WANTED, 0, 0))
        code.append(_row(_AND_K, _SPARE, 0, 0, others))
        code.append(_row(_UNEQUAL_K, _SPARE, 0, 2, 0))
    return [*code, _row(_MOVE_K, 0, 0, 0, 1), _row(_EXIT, 0, 0, 0, 0)]


def _row(operation: int, target: int, source: int, offset: int, value: int) -> bytes:
    return struct.pack("<BBhi", operation, target | source << 4, offset, value)


def attach(folder: str, rules: Iterable[str]) -> None:
    """Keep the processes in the control group `folder` to `rules`. Raises: OSError (not root, no BPF)."""
    program = syscalls.load_device_program(compile_rules(rules))
    try:
        group = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.attach_device_program(group, program)
        finally:
            os.close(group)
    finally:
        os.close(program)
