import os
import secrets
import subprocess

import pytest
from tests.containers import eventually

from lamina.runtime import cgroups
from lamina.spec.limits import Limits


def test_the_layout_is_one_of_four():
    assert cgroups.layout() in ("unified", "hybrid", "legacy", "none")


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


@pytest.fixture
def unified(tmp_path, monkeypatch):
    """A cgroup2 hierarchy of plain files, in which this process is at /ours/leaf."""
    root = tmp_path / "cgroup"
    for folder in (root, root / "ours", root / "ours/leaf"):
        folder.mkdir()
        (folder / "cgroup.controllers").write_text("memory pids\n")
        (folder / "cgroup.subtree_control").write_text("")
        (folder / "cgroup.procs").write_text("")
    (root / "ours/leaf/cgroup.procs").write_text("1\n")
    own = tmp_path / "self"
    own.write_text("0::/ours/leaf\n")
    monkeypatch.setattr(cgroups, "_ROOT", str(root))
    monkeypatch.setattr(cgroups, "_OWN", str(own))
    return root


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


def test_a_group_that_was_handed_over_is_found_above_ones_own(unified, monkeypatch):
    may = f"{unified}/ours"
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path).startswith(may) and access(path, mode)
    )
    assert cgroups._bases()["memory"] == may
    (unified / "ours/cgroup.procs").write_text("1\n")  # holds processes: its children get no limits
    assert cgroups._bases() == {}


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


def test_memory_is_counted_without_cached_files(unified):
    _ready(unified / "lamina/box", "memory.current", "memory.stat")
    assert cgroups.memory_used("none") is None
    (unified / "lamina/box/memory.current").write_text("1000\n")
    (unified / "lamina/box/memory.stat").write_text("anon 600\ninactive_file 300\n")
    assert cgroups.memory_used("box") == 700
