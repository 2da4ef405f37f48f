"""Several upper directories read as one: marks among them, as the kernel follows them.

Here the directories are written by hand; tests/contracts/test_frozen.py lets the kernel write them.
"""

import os
from pathlib import Path

import pytest

from lamina.layer.upper import Marks, Upper
from lamina.layer.uppers import Uppers, opened


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    paths = tmp_path / "top", tmp_path / "middle", tmp_path / "low"
    for path in paths:
        path.mkdir()
    return paths


def mark(path: Path, **marks: str) -> None:
    for name, value in marks.items():
        os.setxattr(path, f"user.overlay.{name}", value.encode())


def over(*folders: Path) -> Uppers:
    return Uppers([str(path) for path in folders], marks="user")


def test_one_directory_is_read_the_plain_way(tmp_path: Path):
    with opened(str(tmp_path)) as upper:
        assert type(upper) is Upper
    with opened((str(tmp_path), str(tmp_path))) as upper:
        assert type(upper) is Uppers


def test_names_come_from_all_and_files_from_the_topmost(folders: tuple[Path, Path, Path]):
    top, middle, low = folders
    for path, body in ((top, b"1"), (middle, b"22"), (low, b"333")):
        (path / "d").mkdir()
        (path / "d" / path.name).write_bytes(body)
        (path / "d" / "same").write_bytes(body)
    with over(*folders) as upper:
        assert upper.names(b"d") == [b"low", b"middle", b"same", b"top"]
        assert b"".join(upper.body(b"d/same")) == b"1"
        assert b"".join(upper.body(b"d/low")) == b"333"
        assert upper.status(b"d/none") is None
        assert upper.names(b"none") == []
        rows = [(path, is_file) for _, path, _, is_file in upper.fresh(b"", ())]
        assert rows == [
            (b"d", False), (b"d/low", True), (b"d/middle", True), (b"d/same", True), (b"d/top", True),
        ]  # fmt: skip


def test_an_opaque_directory_and_a_file_hide_what_is_below(folders: tuple[Path, Path, Path]):
    top, middle, low = folders
    (top / "d").mkdir()
    (top / "e").mkdir()
    (middle / "d").mkdir()
    (middle / "e").write_bytes(b"a file")
    mark(middle / "d", opaque="y")
    for name in ("d", "e"):
        (low / name).mkdir()
        (low / name / "hidden").touch()
    with over(*folders) as upper:
        assert upper.names(b"d") == []
        assert upper.names(b"e") == []
        assert upper.marks(b"d") == upper.marks(b"e") == Marks(opaque=True)


def test_redirects_lead_on_among_the_directories_and_then_to_the_layers(
    folders: tuple[Path, Path, Path],
):
    top, middle, low = folders
    (top / "third").mkdir()
    mark(top / "third", redirect="/second/in")
    (middle / "second").mkdir()
    mark(middle / "second", redirect="first")
    (low / "first/in").mkdir(parents=True)
    (low / "first/in/file").write_bytes(b"found")
    with over(*folders) as upper:
        assert upper.names(b"third") == [b"file"]
        assert b"".join(upper.body(b"third/file")) == b"found"
        assert upper.marks(b"third").redirect == b"/first/in"
        assert upper.marks(b"second").redirect == b"/first"
        assert upper.marks(b"second/in").redirect is None  # of that name, in what shows through


def test_content_is_borrowed_from_below_and_else_from_the_layers(
    folders: tuple[Path, Path, Path],
):
    top, middle, low = folders
    (top / "moved").touch()
    mark(top / "moved", metacopy="", redirect="/file")
    (low / "file").write_bytes(b"content")
    (top / "other").touch()
    mark(top / "other", metacopy="")
    (middle / "other").touch()
    mark(middle / "other", metacopy="", redirect="/old")
    with over(*folders) as upper:
        assert upper.marks(b"moved") == Marks()
        assert b"".join(upper.body(b"moved")) == b"content"
        assert upper.marks(b"other") == Marks(metacopy=True, redirect=b"/old")
