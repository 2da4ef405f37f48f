from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.filters import (
    ALLOW,
    ENOSYS,
    EPERM,
    Decider,
    arguments,
    call_number,
    compiled_by_libseccomp,
)

from lamina.spec.bundle import CAPABILITIES, DEFAULT_CAPABILITIES
from lamina.spec.filter_program import FilterUnsupported, compile_filter
from lamina.spec.seccomp import profile
from lamina.spec.syscall_numbers import numbers
from lamina.spec.wire import Document

KNOWN = 447  # the newest call of the oldest libseccomp that is met
OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")


def rule(name: str, action: str = "ALLOW", **facts: object) -> Document:
    return {"names": [name], "action": f"SCMP_ACT_{action}", **facts}


def arg(index: int, op: str, value: int, two: int = 0) -> Document:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": two}


def newer(machine: str) -> set[int]:
    """The calls that this machine's libseccomp does not know yet."""
    ours = numbers(machine).items()
    return {number for name, number in ours if call_number(name, machine) == -1}


def filter_of(*rules: Document, default: str = "ERRNO") -> Document:
    return {"defaultAction": f"SCMP_ACT_{default}", "syscalls": list(rules)}


@pytest.mark.parametrize(
    "held", [DEFAULT_CAPABILITIES, CAPABILITIES, ()], ids=["some", "all", "none"]
)
@pytest.mark.parametrize(
    ("machine", "sections"), [("x86_64", ("x86_64", "x86")), ("aarch64", ("aarch64", "arm"))]
)
def test_every_call_is_decided_as_libseccomp_decides_it(
    machine: str, sections: tuple[str, ...], held: tuple[str, ...]
):
    document = profile(held, machine)
    ours = Decider(compile_filter(document, machine))
    theirs = Decider(compiled_by_libseccomp(document, sections))
    special = {
        numbers(name)[call] for name in sections for call in ("socket", "clone", "personality")
    }
    different = [
        (section, number, args)
        for section in sections
        for number in set(range(KNOWN)) - newer(section)
        for args in (arguments() if number in special else [()])
        if ours(number, section, args) != theirs(number, section, args)
    ]
    assert not different


VALUES = st.sampled_from([0, 1, 2, 40, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, (1 << 64) - 1])
ARGS = st.tuples(st.integers(0, 2), st.sampled_from(OPERATORS), VALUES, VALUES)


@given(ARGS, VALUES)
def test_a_condition_means_what_libseccomp_takes_it_for(row: tuple[int, str, int, int], value: int):
    index, op, compared, two = row
    masked = two & compared if op == "MASKED_EQ" else 0
    document = filter_of(rule("read", args=[arg(index, op, compared, masked)]), rule("close"))
    args = (*[0] * index, value)
    ours = Decider(compile_filter(document, "x86_64"))
    theirs = Decider(compiled_by_libseccomp(document, ("x86_64",)))
    assert ours(0, "x86_64", args) == theirs(0, "x86_64", args)


COMPARE: dict[str, Callable[[int, int, int], bool]] = {
    "NE": lambda a, b, _: a != b, "LT": lambda a, b, _: a < b, "LE": lambda a, b, _: a <= b,
    "EQ": lambda a, b, _: a == b, "GE": lambda a, b, _: a >= b, "GT": lambda a, b, _: a > b,
    "MASKED_EQ": lambda a, mask, b: a & mask == b,
}  # fmt: skip


@given(
    st.lists(st.lists(ARGS, min_size=1, max_size=3), max_size=4),
    st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8),
)
def test_rules_are_tried_in_turn_and_conditions_on_one_argument_are_alternatives(
    rules: list[list[tuple[int, str, int, int]]], asked: list[tuple[int, int, int]]
):
    # Not libseccomp's to judge: it merges such rules into one tree, and 2.5 goes wrong at times.
    fixed = [
        [(i, op, value, two & value if op == "MASKED_EQ" else two) for i, op, value, two in rows]
        for rows in rules
    ]
    document = filter_of(*(rule("read", args=[arg(*row) for row in rows]) for rows in fixed))
    ask = Decider(compile_filter(document, "x86_64"))
    for values in asked:
        holds = [[COMPARE[op](values[i], v, two) for i, op, v, two in rows] for rows in fixed]
        distinct = [len({row[0] for row in rows}) == len(rows) for rows in fixed]
        allowed = any(
            all(row) if apart else any(row) for row, apart in zip(holds, distinct, strict=True)
        )
        assert (ask(0, "x86_64", values) == ALLOW) == allowed


def test_what_is_newer_than_the_filter_is_unknown_and_not_refused():
    ask = Decider(compile_filter(filter_of(rule("read"), rule("statx")), "x86_64"))
    assert ask(0) == ALLOW
    assert ask(1) == EPERM
    assert ask(numbers("x86_64")["statx"]) == ALLOW
    assert ask(numbers("x86_64")["statx"] + 1) == ENOSYS
    assert ask(5000) == ENOSYS


def test_a_lenient_default_stays_lenient_for_newer_calls():
    ask = Decider(compile_filter(filter_of(rule("read", "ERRNO"), default="ALLOW"), "x86_64"))
    assert ask(0) == EPERM
    assert ask(5000) == ALLOW


def test_other_architectures_kill_and_the_numbers_of_x32_do_not_exist():
    ask = Decider(compile_filter(filter_of(rule("read")), "x86_64"))
    assert ask(3, "x86") == 0
    assert ask(0, "aarch64") == 0
    assert ask(0x40000000) == ENOSYS


def test_arm_keeps_its_own_numbers_far_above_the_others():
    document = {**filter_of(rule("breakpoint"), rule("read")), "architectures": ["SCMP_ARCH_ARM"]}
    ask = Decider(compile_filter(document, "aarch64"))
    assert ask(0xF0001, "arm") == ALLOW
    assert ask(3, "arm") == ALLOW
    assert ask(4, "arm") == EPERM


def test_actions_have_the_kernels_values():
    document = filter_of(
        rule("read", "ERRNO", errnoRet=13), rule("write", "KILL_PROCESS"), rule("open", "LOG"),
        rule("close", "TRAP"), rule("stat", "TRACE", errnoRet=7), default="ALLOW",
    )  # fmt: skip
    ask = Decider(compile_filter(document, "x86_64"))
    assert [ask(n) for n in range(5)] == [0x5000D, 0x80000000, 0x7FFC0000, 0x30000, 0x7FF00007]


@pytest.mark.parametrize(
    ("document", "machine"),
    [(filter_of(), "vax"), (filter_of(rule("read", "NOTIFY")), "x86_64")],
)
def test_what_cannot_be_compiled_is_refused(document: Document, machine: str):
    with pytest.raises(FilterUnsupported):
        compile_filter(document, machine)
