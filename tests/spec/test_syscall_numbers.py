import pytest
from tests.filters import call_number, known_numbers

from lamina.spec.syscall_numbers import numbers

MACHINES = ("x86_64", "x86", "aarch64", "arm")


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_is_the_one_that_libseccomp_has(machine: str):
    ours = numbers(machine)
    theirs = {name: call_number(name, machine) for name in ours}
    # Negative: unknown to it, or its own number for what i386 may also ask through socketcall and ipc.
    wrong = {name: n for name, n in theirs.items() if n >= 0 and n != ours[name]}
    assert not wrong


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_that_libseccomp_knows_is_missing(machine: str):
    ours = set(numbers(machine))
    missing = {name for name in known_numbers(machine).values() if name not in ours}
    assert not missing


def test_the_newest_calls_have_one_number_everywhere():
    assert {numbers(machine)["mseal"] for machine in MACHINES} == {462}
    assert len(set(numbers("x86_64").values())) == len(numbers("x86_64"))
