"""Directories that a power failure may have cut short are known by the boot they were made in."""

import os

from lamina.snapshot import unsynced
from lamina.snapshot.layers import Layers
from lamina.store.disk import make


def test_what_was_made_in_this_boot_is_not_doubtful(tmp_path):
    path = str(tmp_path / "d")
    assert not unsynced.is_doubtful(path)
    assert unsynced.mark(path)
    assert not unsynced.is_doubtful(path)


def test_what_was_made_in_another_boot_is_doubtful_until_it_is_cleared(tmp_path):
    path = str(tmp_path / "d")
    unsynced.mark(path)
    with open(path + unsynced.SUFFIX, "w", encoding="ascii") as file:
        file.write("00000000-0000-0000-0000-000000000000\n")
    assert unsynced.is_doubtful(path)
    unsynced.clear(path)
    unsynced.clear(path)
    assert not unsynced.is_doubtful(path)
    assert os.listdir(tmp_path) == []


def test_a_mark_that_was_cut_short_is_doubtful(tmp_path):
    path = str(tmp_path / "d")
    with open(path + unsynced.SUFFIX, "wb"):
        pass
    assert unsynced.is_doubtful(path)


def test_where_boots_cannot_be_told_apart_nothing_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(unsynced, "_BOOT", str(tmp_path / "absent"))
    assert not unsynced.mark(str(tmp_path / "d"))
    assert os.listdir(tmp_path) == []


def test_a_mark_that_was_being_written_when_its_process_was_killed_is_swept(tmp_path):
    layers = Layers(make(str(tmp_path / "root")).root)
    folder = tmp_path / "root" / "snapshots" / "unpacked"
    for name in ("a" * 64, "merged-" + "b" * 32 + "-" + "c" * 64):
        (folder / f"{name}{unsynced.SUFFIX}~").write_text("half")
    layers.sweep(())
    assert os.listdir(folder) == []
