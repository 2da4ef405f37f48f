"""Directories read as entries."""

import os
import socket
from pathlib import Path

import pytest

from lamina.layer.entry import Entry, Kind
from lamina.layer.upper import Upper, carried_xattrs, is_whiteout


def test_files_links_and_pipes_become_entries(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"body")
    (tmp_path / "f").chmod(0o4711)
    (tmp_path / "l").symlink_to("nowhere")
    os.mkfifo(tmp_path / "p")
    with socket.socket(socket.AF_UNIX) as listener, Upper(str(tmp_path)) as upper:
        listener.bind(str(tmp_path / "s"))
        found: dict[bytes, Entry | None] = {}
        for name in upper.names(b""):
            status = upper.status(name)
            assert status is not None
            found[name] = upper.entry(name, status)
        assert list(found) == [b"f", b"l", b"p", b"s"]
        assert found[b"s"] is None
        kinds = [entry.kind for entry in found.values() if entry]
        assert kinds == [Kind.FILE, Kind.SYMLINK, Kind.FIFO]
        file, link = found[b"f"], found[b"l"]
        assert file is not None
        assert link is not None
        assert (file.mode, file.size) == (0o4711, 4)
        assert (link.mode, link.link) == (0o777, b"nowhere")
        assert b"".join(upper.body(b"f")) == b"body"


def test_what_went_away_meanwhile_is_nothing(tmp_path: Path):
    with Upper(str(tmp_path)) as upper:
        assert upper.status(b"gone") is None
        assert upper.names(b"gone") == []
        assert list(upper.body(b"gone")) == []


def test_a_file_that_became_a_symlink_or_pipe_is_not_read(tmp_path: Path):
    (tmp_path / "l").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "p")
    with Upper(str(tmp_path)) as upper:
        with pytest.raises(OSError, match="ymbolic"):
            list(upper.body(b"l"))
        assert list(upper.body(b"p")) == []


def test_labels_of_this_machine_are_not_carried():
    kept = (("security.capability", b"c"), ("user.k", b"v"))
    marks = (("security.selinux", b"x"), ("trusted.overlay.origin", b"y"), ("user.overlay.x", b""))
    assert carried_xattrs(tuple(sorted(kept + marks))) == kept


@pytest.mark.root
def test_opaque_marks_of_both_kinds_and_whiteouts_are_known(tmp_path: Path):
    for prefix in ("trusted", "user", "other"):
        (tmp_path / prefix).mkdir()
    os.setxattr(tmp_path / "trusted", "trusted.overlay.opaque", b"y")
    os.setxattr(tmp_path / "user", "user.overlay.opaque", b"y")
    os.mknod(tmp_path / "white", 0o020000, 0)
    with Upper(str(tmp_path), owners=lambda uid, gid: (uid + 1, gid + 2)) as upper:
        assert [upper.is_opaque(name) for name in (b"trusted", b"user", b"other")] == [
            True, True, False,
        ]  # fmt: skip
        status = upper.status(b"white")
        assert status is not None
        assert is_whiteout(status)
        entry = upper.entry(b"white", status)
        assert entry is not None
        assert (entry.uid, entry.gid) == (1, 2)
