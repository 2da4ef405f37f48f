import pytest

from lamina.engine.limits import (
    LimitInvalid,
    Ulimit,
    check_limits,
    check_score,
    discarded,
)
from lamina.spec.limits import Limits

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "soft", "hard"),
    [("nofile=5", 5, 5), ("nofile=5:9", 5, 9), ("core=-1", -1, -1), ("core=3:-1", 3, -1)],
)
def test_ulimits_are_read(text, soft, hard):
    assert Ulimit.parse(text)[1:] == (soft, hard)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nofile", "invalid ulimit argument: nofile"),
        ("files=4", "invalid ulimit type: files"),
        ("nofile=a", "invalid ulimit argument: nofile=a"),
        (
            "nofile=5:4",
            "ulimit soft limit must be less than or equal to hard limit: 5 > 4",
        ),
    ],
)
def test_bad_ulimits_are_refused_in_dockers_words(text, words):
    with pytest.raises(LimitInvalid) as error:
        Ulimit.parse(text)
    assert (str(error.value.message), error.value.exit_code) == (words, 125)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(memory=4096), "Minimum memory limit allowed is 6MB"),
        (Limits(memory_swap=64 * MB), "You should always set the Memory limit"),
        (Limits(memory=64 * MB, memory_swap=32 * MB), "Minimum memoryswap limit should be larger"),
        (Limits(memory_reservation=1), "Minimum memory reservation allowed is 6MB"),
        (Limits(memory=8 * MB, memory_reservation=9 * MB), "can not be less than memory reserv"),
        (Limits(nano_cpus=1), "range of CPUs is from 0.01 to "),
        (Limits(nano_cpus=10**15), "range of CPUs is from 0.01 to "),
        (Limits(nano_cpus=10**9, cpu_period=5000), "Nano CPUs and CPU Period cannot both be set"),
        (Limits(nano_cpus=10**9, cpu_quota=5000), "Nano CPUs and CPU Quota cannot both be set"),
        (Limits(cpu_period=5), "CPU cfs period can not be less than 1ms"),
        (Limits(cpu_quota=5), "CPU cfs quota can not be less than 1ms"),
        (Limits(cpuset_cpus="x"), "Invalid value x for cpuset cpus"),
        (Limits(cpuset_cpus="3-1"), "Invalid value 3-1 for cpuset cpus"),
        (Limits(cpuset_cpus="0,9999"), "Requested CPUs are not available - requested 0,9999, av"),
    ],
)
def test_limits_that_make_no_sense_are_refused_in_dockers_words(limits, words):
    with pytest.raises(LimitInvalid) as error:
        check_limits(limits)
    assert words in error.value.message


def test_good_limits_pass():
    check_limits(Limits(memory=64 * MB, memory_swap=-1, nano_cpus=10**7, cpuset_cpus="0"))
    check_score(-1000)
    with pytest.raises(LimitInvalid, match="Invalid value 1001, range for oom score adj"):
        check_score(1001)


def test_limits_that_cannot_be_kept_are_named(monkeypatch):
    from lamina.runtime import hierarchies

    monkeypatch.setattr(hierarchies, "bases", dict)
    monkeypatch.setattr(hierarchies, "layout", lambda: "hybrid")
    assert [text.partition(" capab")[0] for text in discarded(Limits(memory=64 * MB))] == [
        "Your kernel does not support memory limit"
    ]
    assert discarded(Limits()) == ()
