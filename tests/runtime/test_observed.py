"""The first process is seen in its namespaces before it becomes its program, however short it lives."""

import os
import re

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, world

from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest
from lamina.events import Deed, Event, Running, Starting
from lamina.runtime.observed import NAMESPACES, Look, observe
from lamina.runtime.process import NOT_FOUND, StartFailed

CONFIG = {"linux": {"seccomp": {"syscalls": [
    {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["clone"], "action": "SCMP_ACT_ERRNO"},
]}, "namespaces": []}}  # fmt: skip


def test_a_process_is_seen_as_proc_shows_it_and_the_long_list_is_counted():
    seen = observe(os.getpid(), CONFIG)
    assert seen["namespaces"] == {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES}
    assert seen["pids"][0] == os.getpid()
    assert any(line.split()[4] == "/" for line in seen["mounts"])
    assert seen["allowed_calls"] == 2
    assert seen["config"] == {"linux": {"namespaces": []}}


def test_what_is_gone_is_empty_and_the_first_look_counts():
    look = Look(CONFIG)
    assert look.seen(os.getpid())["pids"]
    assert look.seen(-1)["pids"]
    assert not observe(-1, CONFIG)["mounts"]


@pytest.mark.root
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name != "bwrap"])
def test_the_shortest_program_is_seen_whole_and_one_that_is_not_there_fails_as_ever(
    tmp_path, runtime: str
):
    with world(tmp_path, runtime=runtime) as lamina:
        told: list[Event | Deed] = []
        with Engine(lamina.settings) as engine:
            engine.witness = told.append
            record = engine.containers.create(CreateRequest("tiny", ("true",)))
            with engine.containers.start(record.id) as attachment:
                assert attachment.wait() == 0
            check(told, record.id, lamina)
            lost = engine.containers.create(CreateRequest("tiny", ("/nosuch",)))
            with pytest.raises(StartFailed) as caught:
                engine.containers.start(lost.id)
            assert caught.value.exit_code == NOT_FOUND
            assert not engine.containers.is_running(lost.id)


def check(told: list[Event | Deed], container: str, lamina: Lamina) -> None:
    [starting] = [each for each in told if isinstance(each, Starting)]
    [running] = [each for each in told if isinstance(each, Running)]
    assert starting.container == running.container == container
    root = next(line for line in running.seen["mounts"] if line.split()[4] == "/")
    assert re.search(r" - overlay overlay .*lowerdir", root), root
    below = [mount.target for mount in starting.mounts if mount.type == "erofs"]
    assert below
    assert all(path in root for path in below)
    for kind in ("mnt", "net", "pid", "uts", "ipc"):
        assert running.seen["namespaces"][kind] != os.readlink(f"/proc/self/ns/{kind}")
    assert running.seen["pids"][-1] == 1
    assert any(container in line for line in running.seen["cgroups"])
    assert running.seen["config"]["process"]["args"] == ["true"]
    assert lamina.settings.run_root in running.seen["config"]["root"]["path"]
