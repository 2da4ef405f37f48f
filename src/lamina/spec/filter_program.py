"""From a system call filter as documents say it to the classic BPF that the kernel runs. Pure.

Spec: runtime-spec config-linux.md (seccomp); the kernel's userspace-api/seccomp_filter.rst. What crun
and runc leave to libseccomp is done here for bubblewrap, and for crun's own start, which this makes
14 ms of CPU cheaper. A call's number is looked up by halving, so that the list's length costs little.
"""

import struct
from collections.abc import Iterable

from lamina.errors import Unsupported
from lamina.spec.syscall_numbers import numbers
from lamina.spec.wire import Document

__all__ = ["FilterUnsupported", "compile_filter"]

_AUDIT = {
    "x86_64": 0xC000003E, "x86": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028,
}  # fmt: skip
_NATIVE = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_NAMES = {f"SCMP_ARCH_{name.upper()}": name for name in _AUDIT}
_X32 = 0x40000000
_PRIVATE = 0xF0000  # from here on arm has calls of its own
_BEYOND = 1 << 32
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_ACTIONS = {
    "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_ERRNO": _ERRNO, "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": _ALLOW,
}  # fmt: skip
_ACTION_MASK = 0xFFFF0000
_LENIENT = (_ALLOW, _ACTIONS["SCMP_ACT_LOG"], _ACTIONS["SCMP_ACT_TRACE"])
_EPERM, _ENOSYS = 1, 38
_LD, _JA, _JEQ, _JGT, _JGE, _AND, _RET = 0x20, 0x05, 0x15, 0x25, 0x35, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data
_LONGEST = 255  # instructions that a conditional jump can pass over
_NEXT, _PASS, _FAIL = 0, -1, -2

# What becomes of a call: a kernel's return value, or alternatives (conditions, value) tried in turn.
_Row = tuple[int, int, int, int]
_Chain = tuple[tuple[tuple[tuple[int, str, int, int], ...], int], ...]


class FilterUnsupported(Unsupported):
    """A filter that cannot be compiled for this machine."""


def compile_filter(document: Document, machine: str) -> bytes:
    """Compile a runtime-spec `linux.seccomp` for `machine` (`uname -m`), 8 bytes an instruction.

    Calls that are newer than all that the document names give ENOSYS rather than a refusal, as with
    runc: the C library then takes the older way. Calls of an architecture that is not listed kill.
    Costs about a millisecond for the default filter. Raises: FilterUnsupported.
    """
    native = _NATIVE.get(machine)
    if native is None:
        raise FilterUnsupported(
            f"no system call filter can be made for {machine} here",
            hint="install crun or runc, or say --security-opt seccomp=unconfined",
        )
    listed = [_NAMES[a] for a in document.get("architectures") or () if a in _NAMES]
    default = _value(document["defaultAction"], document.get("defaultErrnoRet"))
    code = [_row(_LD, 0, 0, _ARCH)]
    for name in dict.fromkeys([native, *listed]):
        body = _section(document.get("syscalls") or (), name, default)
        code += [_row(_JEQ, 1, 0, _AUDIT[name]), _row(_JA, 0, 0, len(body)), *body]
    code.append(_row(_RET, 0, 0, 0))
    return struct.pack(f"<{len(code)}Q", *code)


def _row(operation: int, yes: int, no: int, k: int) -> int:
    """Give one instruction (struct sock_filter) as a number of 64 bits."""
    return operation | yes << 16 | no << 24 | k << 32


def _value(action: str, errno: int | None) -> int:
    """Give what the kernel calls an action."""
    if action not in _ACTIONS:
        raise FilterUnsupported(f"the seccomp action {action!r} cannot be compiled here")
    value = _ACTIONS[action]
    if value == _ERRNO or action == "SCMP_ACT_TRACE":
        value |= (_EPERM if errno is None else errno) & 0xFFFF
    return value


def _section(rules: Iterable[Document], machine: str, default: int) -> list[int]:
    """Compile for one architecture; begins with any register, always ends in a return."""
    known = numbers(machine)
    always: dict[int, int] = {}
    chains: dict[int, _Chain] = {}
    last = -1
    for rule in rules:
        found = [known[name] for name in rule["names"] if name in known]
        last = max(last, *found) if found else last
        value = _value(rule["action"], rule.get("errnoRet"))
        if value == default:
            continue
        alternatives = _alternatives(rule.get("args") or ())
        if alternatives:
            rows = tuple((row, value) for row in alternatives)
            chains.update({number: chains.get(number, ()) + rows for number in found})
        else:
            always = {**dict.fromkeys(found, value), **always}
    if last >= _PRIVATE:
        last = max(number for number in known.values() if number < _PRIVATE)
    spans = _spans({**chains, **always}, last, default)
    code = [_row(_LD, 0, 0, _NR)]
    if machine == "x86_64":  # the numbers of x32 would go round every rule below
        code += [_row(_JGE, 0, 1, _X32), _row(_RET, 0, 0, _ERRNO | _ENOSYS)]
    _tree(code, spans, default, wide=machine in ("x86_64", "aarch64"))
    return code


def _alternatives(args: Iterable[Document]) -> list[tuple[tuple[int, str, int, int], ...]]:
    """Give the conditions that are tried in turn; each is met when all its parts are.

    Two conditions on the same argument are alternatives, as runc has it.
    """
    rows = [(a["index"], a["op"], a["value"], a.get("valueTwo") or 0) for a in args]
    if len({row[0] for row in rows}) < len(rows):
        return [(row,) for row in rows]
    return [tuple(rows)] if rows else []


def _spans(
    decided: dict[int, int | _Chain], last: int, default: int
) -> list[tuple[int, int | _Chain]]:
    """Give where each run of like numbers begins, ascending, the first at 0."""
    lenient = default & _ACTION_MASK in _LENIENT
    newer = default if lenient else _ERRNO | _ENOSYS
    spans: list[tuple[int, int | _Chain]] = []
    before: int | _Chain = -1
    start = 0
    for number in [*sorted(decided), _BEYOND]:
        if start < number and start <= last:
            if before != default:
                spans.append((start, default))
                before = default
            start = last + 1
        if start < number and before != newer:
            spans.append((start, newer))
            before = newer
        what = decided.get(number, before)
        if what != before:
            spans.append((number, what))
            before = what
        start = number + 1
    return spans


def _tree(
    code: list[int], spans: list[tuple[int, int | _Chain]], default: int, *, wide: bool
) -> None:
    """Append what finds a number's span by halving, and what becomes of it."""
    if len(spans) == 1:
        what = spans[0][1]
        if isinstance(what, int):
            code.append(_RET | what << 32)
        else:
            code += _leaf(what, default, wide=wide)
        return
    middle = len(spans) // 2
    at = len(code)
    code.append(0)
    _tree(code, spans[:middle], default, wide=wide)
    length = len(code) - at - 1
    if length <= _LONGEST:
        code[at] = _row(_JGE, length, 0, spans[middle][0])
    else:
        code[at : at + 1] = [_row(_JGE, 0, 1, spans[middle][0]), _row(_JA, 0, 0, length)]
    _tree(code, spans[middle:], default, wide=wide)


def _leaf(chain: _Chain, default: int, *, wide: bool) -> list[int]:
    code: list[int] = []
    for conditions, value in chain:
        parts = [_condition(*row, wide=wide) for row in conditions]
        length = sum(map(len, parts))
        at = end = 0
        for part in parts:
            end += len(part)
            for operation, yes, no, k in part:
                where = {_NEXT: 0, _PASS: end - at - 1, _FAIL: length - at}
                code.append(_row(operation, where[yes], where[no], k))
                at += 1
        code.append(_row(_RET, 0, 0, value))
    return [*code, _row(_RET, 0, 0, default)]


def _condition(index: int, op: str, value: int, two: int, *, wide: bool) -> list[_Row]:
    """Compare one argument; the jumps of each row say where to go on."""
    low, high = _ARGS + 8 * index, _ARGS + 8 * index + 4
    if op == "SCMP_CMP_MASKED_EQ":
        code = [(_LD, 0, 0, low), (_AND, 0, 0, value & 0xFFFFFFFF)]
        code.append((_JEQ, _NEXT, _FAIL, two & 0xFFFFFFFF))
        if wide and value >> 32:
            code += [(_LD, 0, 0, high), (_AND, 0, 0, value >> 32)]
            code.append((_JEQ, _NEXT, _FAIL, two >> 32))
        return code
    yes, no = _NEXT, _FAIL
    if op in ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE"):  # the contrary of another
        yes, no = _FAIL, _NEXT
    compare = {
        "SCMP_CMP_EQ": _JEQ, "SCMP_CMP_NE": _JEQ, "SCMP_CMP_GE": _JGE, "SCMP_CMP_LT": _JGE,
        "SCMP_CMP_GT": _JGT, "SCMP_CMP_LE": _JGT,
    }[op]  # fmt: skip
    last: _Row = (compare, yes, no, value & 0xFFFFFFFF)
    if not wide:
        return [(_LD, 0, 0, low), last]
    out = _PASS if no == _NEXT else no  # where to go from the upper half, already decided
    sure = _PASS if yes == _NEXT else yes
    code = [(_LD, 0, 0, high)]
    if compare != _JEQ:
        code.append((_JGT, sure, _NEXT, value >> 32))
    return [*code, (_JEQ, _NEXT, out, value >> 32), (_LD, 0, 0, low), last]
