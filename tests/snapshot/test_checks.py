"""What was checked once is not checked again, and what changed since is."""

import os

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.errors import Corrupt
from lamina.snapshot.checks import Checks
from lamina.snapshot.layers import Layers
from lamina.store.disk import make


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


@pytest.fixture
def notes(tmp_path):
    return str(tmp_path / "run" / "checked")


def flip(path: str, at: int) -> None:
    """Change one bit of a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_a_layer_with_an_opaque_root_is_known_by_note_too(layers, notes):
    plain = tar([Piece("./", directory=True), Piece("a", b"1")])
    wipe = tar([Piece("./", directory=True), Piece(".wh..wh..opq"), Piece("b", b"1")])
    pile = seal(layers, plain, wipe)
    paths = [layers.path(pile[:1]), layers.path(pile)]
    for checks in (Checks(notes), Checks(notes)):
        for _ in range(2):
            assert [checks.is_opaque(path) for path in paths] == [False, True]
    assert sorted(os.listdir(notes)) == sorted(os.path.basename(path) for path in paths)


def test_a_noted_layer_is_not_read_again(layers, notes):
    """Its note may say what is not so, and is believed: nothing else would be quicker."""
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", b"1")]))
    path = layers.path(pile)
    assert Checks(notes).is_opaque(path) is False
    note = os.path.join(notes, os.path.basename(path))
    with open(note, "rb") as file:
        text = file.read()
    with open(note, "wb") as file:
        file.write(text.replace(b"plain", b"opaque"))
    assert Checks(notes).is_opaque(path) is True


def test_a_file_changed_since_is_checked_again(layers, notes):
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", b"1")]))
    path = layers.path(pile)
    checks = Checks(notes)
    checks.check(path)
    with layers.open(pile) as layer:
        where = layer.root.data_at + 20
    flip(path, where)
    for again in (checks, Checks(notes)):
        with pytest.raises(Corrupt):
            again.check(path)
    flip(path, where)
    checks.check(path)


def test_notes_of_another_boot_or_none_at_all_are_void(layers, notes):
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", b"1")]))
    path = layers.path(pile)
    Checks(notes).check(path)
    note = os.path.join(notes, os.path.basename(path))
    with open(note, "rb") as file:
        whole = file.read()
    for text in (b"", b"x", whole.replace(whole[:8], b"00000000"), whole[:-6]):
        with open(note, "wb") as file:
            file.write(text)
        assert Checks(notes).is_opaque(path) is False
        with open(note, "rb") as file:
            assert file.read() == whole


def test_a_run_folder_that_cannot_be_written_costs_time_only(layers, tmp_path):
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", b"1")]))
    (tmp_path / "file").write_text("x", encoding="ascii")
    Checks(str(tmp_path / "file" / "checked")).check(layers.path(pile))


def test_notes_do_not_grow_without_end(layers, notes):
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", b"1")]))
    os.makedirs(notes)
    for number in range(4096):
        with open(f"{notes}/{number}", "w", encoding="ascii"):
            pass
    Checks(notes).check(layers.path(pile))
    assert len(os.listdir(notes)) == 1
