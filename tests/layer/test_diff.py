"""What a container changed, as a list, on real mounted unions."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.layer.trees import tar_of
from tests.layer.unions import BASE, Union, union

from lamina.layer.diff import Change, changes


@pytest.fixture(params=[True, False], ids=["marks", "copies"])
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Union]:
    with union(tmp_path, tar_of(BASE), marks=request.param) as made:
        yield made


@pytest.mark.root
def test_the_list_is_dockers(box: Union):
    (box.root / "a" / "b" / "c").write_bytes(b"changed")
    (box.root / "a" / "new").mkdir()
    (box.root / "a" / "new" / "file").touch()
    (box.root / "c").unlink()
    (box.root / "d").chmod(0o755)
    assert box.changes() == [
        "C /a", "C /a/b", "C /a/b/c", "A /a/new", "A /a/new/file", "D /c", "C /d",
    ]  # fmt: skip


@pytest.mark.root
def test_content_changed_under_the_same_size_and_time_is_a_change(box: Union):
    (box.root / "a" / "a").write_bytes(b"ONE")
    os.utime(box.root / "a" / "a", ns=(2, 2))
    assert box.changes() == ["C /a", "C /a/a"]


def test_a_plain_directory_over_nothing_is_all_added(tmp_path: Path):
    upper = tmp_path / "upper"
    (upper / "x").mkdir(parents=True)
    (upper / "x" / "y").write_text("z")
    assert changes(str(upper), []) == [Change(b"x", "A"), Change(b"x/y", "A")]
