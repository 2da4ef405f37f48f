import pytest

from lamina.spec.limits import Limits, legacy_files, resources, unified_files

ALL = Limits(
    memory=64 << 20,
    memory_swap=-1,
    memory_reservation=32 << 20,
    nano_cpus=500_000_000,
    cpu_shares=1024,
    cpuset_cpus="0-1",
    cpuset_mems="0",
    pids=20,
)


def test_host_config_and_back_is_the_same():
    assert Limits.from_host(ALL.to_host()) == ALL
    assert Limits.from_host(Limits().to_host()) == Limits()
    assert Limits.from_host({"Memory": 0, "PidsLimit": None}) == Limits()


def test_each_limit_is_a_file_of_cgroup_2():
    assert {name: text for _, name, text in unified_files(ALL)} == {
        "memory.max": "67108864",
        "memory.swap.max": "max",
        "memory.low": "33554432",
        "cpu.max": "50000 100000",
        "cpu.weight": "39",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": "20",
    }


def test_each_limit_is_a_file_of_cgroup_1():
    assert {name: text for _, name, text in legacy_files(ALL)} == {
        "memory.limit_in_bytes": "67108864",
        "memory.memsw.limit_in_bytes": "-1",
        "memory.soft_limit_in_bytes": "33554432",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
        "cpu.shares": "1024",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": "20",
    }


def test_memory_alone_lets_as_much_again_be_swapped():
    (_, _, memory), (_, _, swap) = unified_files(Limits(memory=100))
    assert (memory, swap) == ("100", "100")
    assert [text for _, _, text in legacy_files(Limits(memory=100))] == ["100", "200"]


@pytest.mark.parametrize(("shares", "weight"), [(2, "1"), (1, "1"), (262_144, "10000")])
def test_shares_become_weights_at_both_ends(shares, weight):
    assert [text for _, _, text in unified_files(Limits(cpu_shares=shares))] == [weight]


def test_a_quota_of_ones_own_is_taken_and_a_period_alone_leaves_it_endless():
    assert Limits(cpu_quota=5000, cpu_period=20_000).quota == (5000, 20_000)
    assert [text for _, _, text in unified_files(Limits(cpu_period=20_000))] == ["max 20000"]


def test_only_what_is_limited_needs_a_controller():
    assert Limits().controllers == ()
    assert Limits(pids=-1).controllers == ()
    assert Limits(memory=1, pids=1).controllers == ("memory", "pids")
    assert ALL.controllers == ("memory", "cpu", "cpuset", "pids")


def test_a_runtime_that_writes_limits_itself_gets_the_same():
    assert resources(Limits()) == {}
    assert resources(ALL) == {
        "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": -1},
        "cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "cpus": "0-1", "mems": "0"},
        "pids": {"limit": 20},
    }
