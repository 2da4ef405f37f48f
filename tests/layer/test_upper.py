"""Directories read as entries."""

import os
import socket
from pathlib import Path

import pytest

from lamina.layer.entry import Entry, Kind
from lamina.layer.upper import Marks, Upper, carried_xattrs, is_whiteout


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


@pytest.mark.parametrize(
    "runs",
    [
        [(0, 5)],
        [(5_000_000, 3)],
        [(0, 4096), (3 << 20, 4096), (3 << 20 | 8192, 1)],
        [(4096, 4096)],
        [(0, 2 << 20), (9 << 20, 300_000)],
        [],
    ],
)
def test_a_file_with_holes_is_read_as_it_reads(tmp_path: Path, runs: list[tuple[int, int]]):
    path = tmp_path / "f"
    with path.open("wb") as file:
        for start, length in runs:
            file.seek(start)
            file.write(os.urandom(length))
        file.truncate(12 << 20)
    with Upper(str(tmp_path)) as upper:
        assert b"".join(upper.body(b"f")) == path.read_bytes()


def test_holes_are_not_read(tmp_path: Path):
    size = 4 << 30
    with (tmp_path / "f").open("wb") as file:
        file.seek(size // 2)
        file.write(b"data")
        file.truncate(size)
    with Upper(str(tmp_path)) as upper:
        before = read_by_this_process()
        pieces = {id(piece): piece for piece in upper.body(b"f")}  # one and the same for holes
        assert read_by_this_process() - before < 1 << 20
        assert sum(map(len, upper.body(b"f"))) == size
    assert len(pieces) < 10
    assert b"".join(piece.strip(b"\0") for piece in pieces.values()) == b"data"


def read_by_this_process() -> int:
    return int(Path("/proc/thread-self/io").read_text().split()[1])


def test_a_file_that_shrinks_or_grows_in_its_holes_ends(tmp_path: Path):
    path = tmp_path / "f"
    for size in (0, 1 << 20, 3 << 20, 40 << 20):
        with path.open("wb") as file:
            file.write(b"begin")
            file.truncate(20 << 20)
        with Upper(str(tmp_path)) as upper:
            body = upper.body(b"f")
            read = next(body)
            os.truncate(path, size)
            read += b"".join(body)
        assert read.startswith(b"begin")
        assert not read[5:].strip(b"\0")
        assert min(size, 20 << 20) <= len(read) <= max(size, 20 << 20)


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
def test_marks_count_only_where_the_kernel_keeps_them(tmp_path: Path):
    names = (b"trusted", b"user", b"other")
    for name in names:
        (tmp_path / name.decode()).mkdir()
    for space in ("trusted", "user"):
        os.setxattr(tmp_path / space, f"{space}.overlay.opaque", b"y")
        os.setxattr(tmp_path / space, f"{space}.overlay.redirect", b"/x")
        os.setxattr(tmp_path / space, f"{space}.overlay.metacopy", b"")
    whole, none = Marks(opaque=True, metacopy=True, redirect=b"/x"), Marks()
    for space, found in (
        ("trusted", [whole, none, none]), ("user", [none, whole, none]), ("", [none] * 3),
    ):  # fmt: skip
        with Upper(str(tmp_path), marks=space) as upper:  # type: ignore[arg-type]
            assert [upper.marks(name) for name in names] == found
            assert [upper.xattrs(name) for name in names] == [(), (), ()]


@pytest.mark.root
def test_whiteouts_are_known_and_owners_translated(tmp_path: Path):
    os.mknod(tmp_path / "white", 0o020000, 0)
    with Upper(str(tmp_path), owners=lambda uid, gid: (uid + 1, gid + 2)) as upper:
        status = upper.status(b"white")
        assert status is not None
        assert is_whiteout(status)
        entry = upper.entry(b"white", status)
        assert entry is not None
        assert (entry.uid, entry.gid) == (1, 2)
