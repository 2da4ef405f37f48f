import os

from lamina.runtime import hierarchies


def test_the_layout_is_one_of_four():
    assert hierarchies.layout() in ("unified", "hybrid", "legacy", "none")


def test_a_group_that_was_handed_over_is_found_above_ones_own(unified, monkeypatch):
    may = f"{unified}/ours"
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path).startswith(may) and access(path, mode)
    )
    assert hierarchies.bases()["memory"] == may
    (unified / "ours/cgroup.procs").write_text("1\n")  # holds processes: its children get no limits
    assert hierarchies.bases() == {}


def test_a_scope_of_systemds_is_where_groups_are_made(unified, monkeypatch):
    place = "/user.slice/user-7.slice/user@7.service/app.slice/lamina-box.scope"
    os.makedirs(f"{unified}{place}/shim")
    own = unified / "own"
    own.write_text(f"0::{place}/shim\n")
    monkeypatch.setattr(hierarchies, "_OWN", str(own))
    assert set(hierarchies.bases().values()) == {f"{unified}{place}"}


def test_the_groups_of_a_process_are_read_by_controller(tmp_path):
    table = tmp_path / "cgroup"
    table.write_text("5:cpu,cpuacct:/a\n4:memory:/b:c\n0::/d\n")
    found = {"cpu": "/a", "cpuacct": "/a", "memory": "/b:c", "": "/d"}
    assert hierarchies.groups_of(str(table)) == found
    assert hierarchies.groups_of(str(tmp_path / "none")) == {}
    assert hierarchies.own_groups() == hierarchies.groups_of("/proc/self/cgroup")


def test_words_of_a_file_that_is_not_there_are_none(tmp_path):
    (tmp_path / "some").write_text("cpu memory\n")
    assert hierarchies.words(str(tmp_path / "some")) == ["cpu", "memory"]
    assert hierarchies.words(str(tmp_path / "none")) == []
