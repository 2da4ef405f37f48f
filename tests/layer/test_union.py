"""What marks in an upper directory lead to: what the kernel shows, and nowhere else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.layer.trees import erofs, overlay, sealed, tar_of

from lamina.layer.changeset import changeset
from lamina.layer.diff import changes
from lamina.layer.entry import Entry, Kind
from lamina.layer.flat import write_tree
from lamina.layer.sealed import SealedLayer
from lamina.layer.union import UpperCorrupt
from lamina.layer.view import Tree

LOW: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o755),
    (Entry(b"a/f", Kind.FILE), b"one"),
    Entry(b"link", Kind.SYMLINK, 0o777, link=b"/a"),
    (Entry(b"hidden", Kind.FILE), b"secret"),
    Entry(b"shut", Kind.DIRECTORY, 0o700),
    (Entry(b"shut/f", Kind.FILE), b"inner"),
]
HIGH: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b".wh.hidden", Kind.FILE),
    Entry(b"shut", Kind.DIRECTORY, 0o700),
    Entry(b"shut/.wh..wh..opq", Kind.FILE),
]
PLACES = [b"/etc/passwd", b"/link/f", b"/hidden", b"/shut/f", b"/a", b"/nothing", b"f"]
"""Outside the image, through a symlink, under a whiteout and an opaque mark, no file, nothing."""
BROKEN = [b"/../etc", b"..", b"a/f", b"/a/", b"//a", b"/", b"", b"/a/./f"]


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[list[SealedLayer]]:
    with (
        sealed(tmp_path / "low", tar_of(LOW)) as low,
        sealed(tmp_path / "high", tar_of(HIGH), [low]) as high,
    ):
        yield [low, high]


def hostile(tmp_path: Path, name: str, place: bytes, *, file: bool) -> Path:
    """Make an upper directory by hand, as someone who may write to it could."""
    upper = tmp_path / name
    upper.mkdir()
    if file:
        (upper / "x").write_bytes(bytes(3))
        os.setxattr(upper / "x", "trusted.overlay.metacopy", b"")
    else:
        (upper / "x").mkdir()
    os.setxattr(upper / "x", "trusted.overlay.redirect", place)
    return upper


@pytest.mark.root
@pytest.mark.parametrize("place", PLACES)
def test_a_redirect_shows_no_content_but_what_the_image_shows(
    tmp_path: Path, layers: list[SealedLayer], place: bytes
):
    upper = hostile(tmp_path, "upper", place, file=True)
    for attempt in (
        lambda: list(changeset(str(upper), layers)),
        lambda: write_tree(Tree.of(layers), lambda _: None, upper=str(upper)),
    ):
        with pytest.raises(UpperCorrupt, match="/x"):
            attempt()
    with (
        erofs(layers[0], tmp_path / "m0") as one,
        erofs(layers[1], tmp_path / "m1") as two,
        overlay([one, two], tmp_path / "root", upper=upper, marks=True) as root,
        pytest.raises(OSError, match=r"Input/output|Operation not|Invalid"),
    ):
        (root / "x").read_bytes()


@pytest.mark.root
@pytest.mark.parametrize("place", PLACES)
def test_a_directory_moved_from_where_there_is_none_is_empty(
    tmp_path: Path, layers: list[SealedLayer], place: bytes
):
    upper = hostile(tmp_path, "upper", place, file=False)
    found = [change.path for change in changes(str(upper), layers)]
    with (
        erofs(layers[0], tmp_path / "m0") as one,
        erofs(layers[1], tmp_path / "m1") as two,
        overlay([one, two], tmp_path / "root", upper=upper, marks=True) as root,
    ):
        shown = [b"x", *(b"x/" + os.fsencode(name) for name in os.listdir(root / "x"))]
    assert found == shown == ([b"x", b"x/f"] if place == b"/a" else [b"x"])


@pytest.mark.root
@pytest.mark.parametrize("place", BROKEN)
@pytest.mark.parametrize("file", [True, False])
def test_a_redirect_that_is_no_path_is_corrupt(
    tmp_path: Path, layers: list[SealedLayer], place: bytes, file: bool
):
    upper = hostile(tmp_path, "upper", place, file=file)
    with pytest.raises(UpperCorrupt, match="leads to") as error:
        changes(str(upper), layers) if not file else list(changeset(str(upper), layers))
    assert "lamina cp" in error.value.hint


@pytest.mark.root
def test_programs_cannot_give_the_union_orders(tmp_path: Path, layers: list[SealedLayer]):
    with (
        erofs(layers[0], tmp_path / "m0") as one,
        erofs(layers[1], tmp_path / "m1") as two,
        overlay([one, two], tmp_path / "root", upper=tmp_path / "upper", marks=True) as root,
    ):
        for name in ("trusted.overlay.redirect", "user.overlay.redirect"):
            os.setxattr(root / "a", name, b"/shut")
        os.setxattr(root / "a", "user.overlay.opaque", b"y")
        os.setxattr(root / "a", "trusted.overlay.opaque", b"y")
        os.setxattr(root / "a" / "f", "user.overlay.metacopy", b"")
        assert os.listdir(root / "a") == ["f"]
    upper = str(tmp_path / "upper")
    assert changes(upper, layers) == []
    assert list(changeset(upper, layers)) == []
