import itertools
import os
import secrets
import subprocess
import time

import pytest
from tests.containers import eventually

from lamina.runtime import cgroups, hierarchies, scope
from lamina.spec.limits import Limits


def test_no_group_cannot_be_frozen_and_is_removed_at_once():
    group = cgroups.Cgroup()
    assert not group.freeze(frozen=True)
    group.remove()


def test_nobody_there_is_nobody_signalled():
    import signal

    cgroups.signal_all([2**22 + 1], signal.SIGTERM)


@pytest.mark.root
def test_a_frozen_group_stands_still_and_is_gone_after():
    name = secrets.token_hex(8)
    group = cgroups.create(name, privileged=False)
    assert group.folders
    child = subprocess.Popen(["sleep", "100"], preexec_fn=group.enter)  # noqa: PLW1509
    with open(f"{group.freezer}/cgroup.procs", encoding="ascii") as file:
        assert str(child.pid) in file.read().split()
    assert group.freeze(frozen=True)
    assert group.freeze(frozen=False)
    child.kill()
    child.wait()
    cgroups.discard(name)
    assert eventually(lambda: not any(map(os.path.exists, group.folders)))


@pytest.mark.root
def test_a_group_keeps_the_hosts_disks_shut():
    name = secrets.token_hex(8)
    group = cgroups.create(name, privileged=False)
    try:
        if group.confined:
            devices = next(folder for folder in group.folders if "/devices/" in folder)
            with open(f"{devices}/devices.list", encoding="ascii") as file:
                rules = file.read()
            assert "a *:* rwm" not in rules
            assert "c 1:3 rwm" in rules
    finally:
        group.remove()


def _ready(folder, *names):
    os.makedirs(folder)
    for name in ("cgroup.procs", *names):
        (folder / name).write_text("")


def test_in_the_unified_layout_limits_are_files_of_one_folder(unified):
    (unified / "lamina").mkdir()
    (unified / "lamina/cgroup.subtree_control").write_text("")
    _ready(unified / "lamina/box", "memory.max", "pids.max")
    group = cgroups.create("box", privileged=False, limits=Limits(memory=7 << 20, pids=5))
    assert group.folders == (f"{unified}/lamina/box",)
    assert not group.confined
    assert (unified / "lamina/box/memory.max").read_text() == str(7 << 20)
    assert (unified / "lamina/box/pids.max").read_text() == "5"
    assert (unified / "cgroup.subtree_control").read_text().startswith("+pids")


def test_without_a_group_nothing_can_be_limited_and_that_is_said(unified, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cgroups.limitable(("memory",)) == frozenset()
    assert cgroups.create("box", privileged=False, limits=Limits(memory=7 << 20)).folders == ()


def test_a_controller_that_cannot_be_handed_down_is_not_counted_on(unified):
    (unified / "lamina").mkdir()
    (unified / "lamina/cgroup.subtree_control").mkdir()
    assert cgroups.limitable(("memory",)) == frozenset()


def test_out_of_memory_is_read_from_the_group(unified):
    (unified / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    group = cgroups.Cgroup(places=(("memory", str(unified)),))
    assert group.out_of_memory()
    assert not cgroups.Cgroup().out_of_memory()


@pytest.mark.root
def test_memory_may_grow_beyond_the_old_limit_with_swap_and_shrink_again():
    name = secrets.token_hex(8)
    group = cgroups.create(name, privileged=False, limits=Limits(memory=16 << 20))
    try:
        for size in (64 << 20, 8 << 20):
            group.limit(Limits(memory=size))
            folder = dict(group.places)["memory"]
            files = {"memory.max", "memory.limit_in_bytes"} & set(os.listdir(folder))
            with open(f"{folder}/{files.pop()}", encoding="ascii") as file:
                assert int(file.read()) == size
        with pytest.raises(cgroups.LimitRefused, match="failed to write"):
            group.extended(name, Limits(cpuset_cpus="0"), ()).limit(Limits(cpuset_cpus="9999"))
    finally:
        cgroups.discard(name)
    assert not any(map(os.path.exists, group.folders))


def test_where_systemd_can_be_asked_what_it_was_given_can_be_limited(unified, monkeypatch):
    monkeypatch.setattr(hierarchies, "_base", lambda _root, _own: "")
    monkeypatch.setattr(scope, "manager", lambda uid: str(unified) if uid == 7 else "")
    assert cgroups.limitable(("memory", "cpuset"), 7) == {"memory"}
    assert cgroups.limitable(("memory",), 8) == frozenset()
    monkeypatch.delenv("LAMINA_ROOTLESS_UID", raising=False)
    asked: list[object] = []
    monkeypatch.setattr(scope, "enter", lambda *words: asked.append(words))
    assert not cgroups.take_scope("box", Limits(pids=5), [1]), "root needs none"
    monkeypatch.setenv("LAMINA_ROOTLESS_UID", "7")
    assert not cgroups.take_scope("box", Limits(), [1]), "nothing is asked for"
    assert cgroups.take_scope("box", Limits(pids=5), [1])
    assert asked == [("lamina-box.scope", 7, [1])]


@pytest.mark.root
def test_a_group_is_removed_though_what_was_killed_in_it_takes_its_time(monkeypatch):
    """After fifty looks it was left for good: a busy machine's processes take longer to end."""
    group = cgroups.create(secrets.token_hex(8), privileged=False)
    child = subprocess.Popen(["sleep", "100"], preexec_fn=group.enter)  # noqa: PLW1509
    looks = itertools.count(1)

    def rest(_: float) -> None:
        if next(looks) == 80:
            child.kill()
            child.wait()

    monkeypatch.setattr(time, "sleep", rest)
    group.remove()
    assert not any(map(os.path.exists, group.folders))
    assert child.poll() is not None
