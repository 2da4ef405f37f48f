import os

import pytest
from tests.containers import RUNTIMES, world

from lamina.engine.isolation import ModeInvalid, check_isolation, has_own_cgroups, place_of
from lamina.engine.network_request import Endpoint, NetworkRequest
from lamina.engine.requests import CreateRequest
from lamina.runtime.hierarchies import layout

JOINED = NetworkRequest(endpoints=(Endpoint("container:x"),))


@pytest.fixture(scope="module")
def lamina(tmp_path_factory):
    with world(tmp_path_factory.mktemp("isolation")) as command:
        yield command


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pid_mode": "bogus"}, "--pid: invalid PID mode"),
        ({"pid_mode": "container:"}, "--pid: invalid PID mode"),
        ({"ipc_mode": "bogus"}, "invalid IPC mode: bogus"),
        ({"uts_mode": "private"}, "--uts: invalid UTS mode"),
        ({"userns_mode": "keep-id"}, "--userns: invalid USER mode"),
        ({"cgroupns_mode": "x"}, "--cgroupns: invalid CGROUP mode"),
        ({"cgroup_parent": "/a/../.."}, "invalid cgroup parent"),
        ({"runtime": "kata"}, "unknown or invalid runtime name: kata"),
        ({"hostname": "h", "uts_mode": "host"}, "conflicting options: hostname and the UTS mode"),
        ({"hostname": "h", "networking": JOINED}, "hostname and the network mode"),
        ({"ipc_mode": "host", "shm_size": 1}, "conflicting options: shm-size and the IPC mode"),
    ],
)
def test_each_mode_that_does_not_exist_is_refused_in_dockers_words(values, words):
    with pytest.raises(ModeInvalid, match=words) as caught:
        check_isolation(CreateRequest("i", **values))
    assert caught.value.exit_code == 125


def test_what_docker_takes_is_taken_and_given_to_the_bundle_in_its_words():
    request = CreateRequest(
        "i", pid_mode="host", ipc_mode="shareable", runtime="io.containerd.runc.v2"
    )
    check_isolation(request)
    assert [place_of(mode) for mode in ("", None, "private", "host", "container:x")] == [
        "", "", "", "host", "container",
    ]  # fmt: skip
    assert has_own_cgroups({}) == (layout() == "unified")
    assert has_own_cgroups({"CgroupnsMode": "private", "Privileged": True})
    assert not has_own_cgroups({"CgroupnsMode": "host"})


def test_a_container_to_join_must_be_there_run_and_share(lamina):
    missing = lamina.attempt("create", "--pid", "container:nobody", "tiny")
    assert (missing.code, "No such container: nobody" in missing.err) == (1, True)
    lamina("create", "--name", "private", "tiny")
    closed = lamina.attempt("create", "--ipc", "container:private", "tiny")
    assert (closed.code, "non-shareable IPC" in closed.err) == (125, True)
    stopped = lamina.attempt("run", "--pid", "container:private", "tiny", "true")
    assert stopped.code == 125
    assert "cannot join PID of a non running container" in stopped.err


def test_the_runtime_that_is_asked_for_is_the_one_that_runs_it(lamina):
    if "runc" in RUNTIMES:
        lamina("run", "-d", "--name", "by-runc", "--runtime", "runc", "tiny", "sleep", "1000")
        folder = next(
            name
            for name in os.listdir(f"{lamina.settings.run_root}/c")
            if os.path.exists(f"{lamina.settings.run_root}/c/{name}/state")
        )
        state = f"{lamina.settings.run_root}/c/{folder}/state"
        assert "state.json" in str([names for _, _, names in os.walk(state)])
        lamina("rm", "-f", "by-runc")
    assert lamina.attempt("run", "--runtime", "kata", "tiny").code == 125
