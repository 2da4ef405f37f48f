"""What a container may take of the machine is what it was given, whatever it tries."""

import pytest
from tests.containers import RUNTIMES, eventually, world

from lamina.runtime.cgroups import limitable

FLAGS = ("--ulimit=nofile=64:128", "--oom-score-adj=900", "--device=/dev/full:/dev/voll")
SEEN = "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; echo x > /dev/voll"


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), runtime=request.param) as lamina:
        yield lamina


@pytest.mark.root
def test_a_memory_hog_ends_and_a_fork_bomb_stays_small(lamina):
    # Each copy of the bomb starts two more. What then takes all memory is one of few.
    words = "b() { b | b & }; b 2>/dev/null; tail /dev/zero"
    limits = ("-m=16m", "--pids-limit=24", "--cpuset-cpus=0", "--cpus=0.9")
    hog = lamina.attempt("run", "--name=hog", *limits, "tiny", "sh", "-c", words)
    assert hog.code in (137, 2)  # 2: the bomb left no room for `tail`
    state = "{{.State.OOMKilled}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}"
    known = lamina("inspect", f"-f={state}", "hog").split()
    assert known in (["true", "24", "900000000"], ["false", "24", "900000000"])
    assert hog.code != 137 or known[0] == "true"
    lamina("rm", "hog")


@pytest.mark.root
def test_one_process_too_many_is_refused(lamina):
    words = "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; true"
    told = lamina.attempt("run", "--rm", "--pids-limit=5", "tiny", "sh", "-c", words)
    assert "can't fork" in told.err


def test_limits_of_a_process_and_its_devices_hold_in_execs_as_well(lamina):
    lamina("run", "-d", "--name=box", *FLAGS, "tiny", "sh", "-c", f"({SEEN}) 2>&1; sleep 1000")
    told = lamina.attempt("exec", "box", "sh", "-c", SEEN)
    soft, *others = told.out.split()
    assert others == ["128", "900"]
    assert soft == "64" or lamina.settings.runtime == "runc"  # Go raises its own, and passes it on
    assert "No space left" in told.err
    assert eventually(lambda: "No space left" in lamina("logs", "box"))
    told = lamina.attempt("logs", "box")
    assert told.out.split()[:3] == ["64", "128", "900"]
    lamina("rm", "-f", "box")


def test_whoever_may_not_limit_is_told_so(lamina):
    told = lamina.attempt("run", "--rm", "--pids-limit=100", "tiny", "true")
    assert told.code == 0
    assert bool(told.err) == (not limitable(("pids",)))
