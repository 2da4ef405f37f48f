import pytest

from lamina.engine.updating import joined
from lamina.errors import Invalid
from lamina.spec.limits import Limits

MB = 1 << 20


def test_only_what_is_named_changes():
    old = Limits(memory=64 * MB, pids=5)
    assert joined(old, Limits()) == old
    assert joined(old, Limits(pids=-1)) == Limits(memory=64 * MB, pids=-1)


def test_processors_by_number_and_by_quota_drive_each_other_out():
    quota = Limits(cpu_period=5000, cpu_quota=2000)
    number = Limits(nano_cpus=10**9)
    assert joined(quota, number) == number
    assert joined(number, quota) == quota


def test_memory_beyond_the_limit_with_swap_needs_both():
    old = Limits(memory=64 * MB, memory_swap=64 * MB)
    with pytest.raises(Invalid, match="update the memoryswap at the same time"):
        joined(old, Limits(memory=128 * MB))
    assert joined(old, Limits(memory=128 * MB, memory_swap=-1)).memory == 128 * MB
