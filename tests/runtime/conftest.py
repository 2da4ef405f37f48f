import pytest

from lamina.runtime import hierarchies


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
    monkeypatch.setattr(hierarchies, "ROOT", str(root))
    monkeypatch.setattr(hierarchies, "_OWN", str(own))
    return root
