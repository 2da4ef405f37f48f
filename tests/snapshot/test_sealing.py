"""Sealed layers that nobody waited for: what a power failure may leave of them is never believed."""

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal
from tests.store.processes import killed_after, together

from lamina.layer.sealed import SealedLayer
from lamina.snapshot import unsynced
from lamina.snapshot.layers import Layers, LayerUnknown
from lamina.store.disk import make

if TYPE_CHECKING:
    from lamina.spec.digest import Digest

ROOT = Piece("./", directory=True, mode=0o755)
BASE = tar([ROOT, *(Piece(f"f{i}", os.urandom(3000)) for i in range(60))])
IMPLIED = tar([Piece("etc/b", b"two")])


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


@pytest.fixture
def reboot(tmp_path, monkeypatch):
    """Give what starts the machine anew, as far as marks can tell."""
    path = tmp_path / "boot_id"

    def again():
        path.write_bytes(os.urandom(18).hex().encode() + b"\n")
        monkeypatch.setattr(unsynced, "_BOOT", str(path))

    return again


def held(layers, *tars):
    """Seal a pile as a pull does: a blob has the same bytes."""
    pile: list[Digest] = []
    for data in tars:
        with layers.writer_new(pile, held=True) as writer:
            writer.write(data)
            writer.commit()
        pile.append(writer.diff_id)
    return pile


def remaking(layers, *tars):
    """Give the same layers to an engine that has their blobs."""
    return Layers(layers.root, lambda pile: seal(layers, *tars[: len(pile)]))


def test_only_a_layer_that_a_blob_holds_is_marked(layers):
    (pile, other) = held(layers, BASE), seal(layers, IMPLIED)
    assert unsynced.is_marked(layers.path(pile))
    assert not unsynced.is_marked(layers.path(other))


def test_after_a_restart_a_whole_layer_is_read_once_and_believed_from_then_on(layers, reboot):
    pile = held(layers, BASE)
    reboot()
    assert unsynced.trust(layers.find(pile)) is unsynced.DOUBTFUL
    path = layers.path(pile)
    assert not unsynced.is_marked(path)
    reboot()
    assert unsynced.trust(path) is unsynced.WHOLE
    with layers.open(pile) as layer:
        assert b"".join(layer.tar()) == BASE


def _flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def _zero(path, start, end):
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(bytes(end - start))


HARM = {
    "empty": lambda path: os.truncate(path, 0),
    "cut within the tar": lambda path: os.truncate(path, 65536),
    "cut by one page": lambda path: os.truncate(path, os.stat(path).st_size - 4096),
    "a page of the tar never written": lambda path: _zero(path, 81920, 86016),
    "the index never written": lambda path: _zero(
        path, 4096 + len(BASE), os.stat(path).st_size
    ),
    "the superblock never written": lambda path: _zero(path, 0, 4096),
    "a bit of the tar": lambda path: _flip(path, 9001),
    "a bit of the index": lambda path: _flip(path, 4096 + len(BASE) + 70),
    "gone": os.unlink,
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_layer_that_was_cut_short_is_made_again_or_missing_never_wrong(layers, reboot, harm):
    pile = held(layers, BASE)
    before = Path(layers.path(pile)).read_bytes()
    harm(layers.path(pile))
    reboot()
    assert not layers.has(pile)
    assert layers.find(pile) is None
    with pytest.raises(LayerUnknown, match="is not here"):
        layers.open(pile)
    with remaking(layers, BASE).open(pile) as layer:
        layer.verify()
        assert not unsynced.is_marked(layer.path)
        assert Path(layer.path).read_bytes() == before


def test_a_layer_that_needs_its_parents_is_made_again_with_them(layers, reboot):
    pile = held(layers, BASE, IMPLIED)
    paths = [layers.path(pile[:1]), layers.path(pile)]
    assert "/chain/" in paths[1]
    for path in paths:
        os.truncate(path, 5000)
    reboot()
    with remaking(layers, BASE, IMPLIED).opened(pile) as opened:
        assert [layer.path for layer in opened] == paths
        for layer in opened:
            layer.verify()


def test_another_layer_in_its_place_is_not_believed(layers, reboot):
    pile = held(layers, BASE)
    (other,) = held(layers, tar([ROOT, Piece("other", b"2")]))
    os.replace(layers.path([other]), layers.path(pile))
    reboot()
    assert not layers.has(pile)


def test_within_a_minute_the_mark_stays_and_later_it_goes_without_reading(layers):
    pile = held(layers, BASE)
    assert unsynced.is_marked(layers.path(pile))
    found = os.stat(layers.path(pile))
    os.utime(layers.path(pile), ns=(found.st_atime_ns, found.st_mtime_ns - 120 * 10**9))
    assert not unsynced.is_marked(layers.path(pile))


def test_a_layer_that_the_disk_could_not_write_is_made_again(layers, monkeypatch):
    pile = held(layers, BASE)
    path = layers.path(pile)
    os.utime(path, (1, 1))

    def refuse(_):
        raise OSError(errno.EIO, "the disk is broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        assert not layers.has(pile)
    assert remaking(layers, BASE).path(pile) == path


def test_a_layer_made_anew_takes_the_place_of_one_in_doubt(layers, reboot):
    pile = held(layers, BASE)
    _zero(layers.path(pile), 81920, 86016)
    reboot()
    assert held(layers, BASE) == pile
    with SealedLayer.open(layers.find(pile)) as layer:
        layer.verify()


def test_a_layer_that_no_blob_holds_is_waited_for_though_the_same_is_there(layers):
    pile = held(layers, BASE)
    inode = os.stat(layers.path(pile)).st_ino
    with layers.writer_new([]) as writer:
        writer.write(BASE)
        writer.commit()
    assert not unsynced.is_marked(layers.path(pile))
    assert os.stat(layers.path(pile)).st_ino == inode  # containers keep one page cache


def test_settling_takes_the_marks_of_the_named_layers(layers):
    pile, other = held(layers, BASE), held(layers, tar([ROOT, Piece("x", b"1")]))
    layers.settle(pile)
    assert not unsynced.is_marked(layers.find(pile))
    assert unsynced.is_marked(layers.find(other))


def test_where_boots_cannot_be_told_apart_every_layer_is_waited_for(layers, tmp_path, monkeypatch):
    monkeypatch.setattr(unsynced, "_BOOT", str(tmp_path / "absent"))
    pile = held(layers, BASE)
    assert not unsynced.is_marked(layers.path(pile))


def test_where_files_have_no_attributes_every_layer_is_waited_for(layers, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    with monkeypatch.context() as patch:
        patch.setattr(os, "setxattr", refuse)
        pile = held(layers, BASE)
    assert not unsynced.is_marked(layers.path(pile))


def test_many_processes_look_at_a_doubtful_layer_at_once(layers, reboot):
    pile = held(layers, BASE)
    os.truncate(layers.path(pile), 65536)
    reboot()

    def run(_):
        with remaking(layers, BASE).open(pile) as layer:
            layer.verify()

    together(run, *[(number,) for number in range(5)])
    assert os.listdir(f"{layers.root}/layers/new") == []


def test_kill_9_before_it_has_its_name_leaves_nothing_to_be_believed(layers):
    def run(told):
        with layers.writer_new([], held=True) as writer:
            writer.write(BASE)
            writer.finish()
            told()
            os.read(os.pipe()[0], 1)

    killed_after(run, sign="finished, not settled")
    assert list(layers.files()) == []
    pile = held(layers, BASE)
    assert layers.has(pile)
