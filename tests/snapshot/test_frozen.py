"""Frozen states on disk: made, named, led to, and removed when nothing leads to them."""

import os

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.errors import Corrupt, Invalid, Unsupported
from lamina.runtime.syscalls import exchange
from lamina.settings import Settings
from lamina.snapshot.choose import choose
from lamina.snapshot.frozen import StateExists, StateUnknown
from lamina.snapshot.layers import Layers
from lamina.store.disk import make

TOP = tar([Piece("./", directory=True, mode=0o755), Piece("f", b"1")])


@pytest.fixture
def snapshotter(tmp_path):
    # Nothing is mounted here, so that it serves a plain user as well.
    settings = Settings(str(tmp_path / "root"), str(tmp_path / "run"), "")
    layers = Layers(make(settings.root).root)
    found = choose(settings, layers)
    found.prepare("box", seal(layers, TOP))
    return found


@pytest.fixture
def path(snapshotter):
    found = snapshotter.path("box")
    os.makedirs(f"{found}/work", exist_ok=True)  # as overlayfs has it, whatever there is here
    return found


def write(path, name, body="x"):
    with open(f"{path}/upper/{name}", "w", encoding="utf-8") as file:
        file.write(body)


def test_freezing_moves_what_was_written_and_nothing_twice(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")
    os.chmod(f"{path}/upper", 0o701)
    inode = os.stat(f"{path}/upper/one").st_ino
    state = frozen.freeze(path, exchange)
    (below,) = frozen.chain(path)
    assert os.stat(f"{below}/one").st_ino == inode
    assert os.listdir(f"{path}/upper") == []
    assert os.stat(f"{path}/upper").st_mode & 0o7777 == 0o701
    assert frozen.freeze(path, exchange) == state
    os.chmod(f"{path}/upper", 0o755)  # the root's own mode is something, too
    assert frozen.freeze(path, exchange) != state
    assert len(frozen.chain(path)) == 2


def test_rolling_back_keeps_what_was_or_not(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")
    state = frozen.freeze(path, exchange)
    write(path, "two")
    before = frozen.roll_back(path, state, exchange, keep=True)
    assert os.listdir(f"{path}/upper") == []
    assert len(frozen.chain(path)) == 1
    assert frozen.roll_back(path, before, exchange, keep=True) == state  # nothing new to keep
    assert [os.listdir(one) for one in frozen.chain(path)] == [["two"], ["one"]]
    write(path, "three")
    assert frozen.roll_back(path, state, exchange, keep=False) == ""
    frozen.collect()
    assert os.listdir(f"{os.path.dirname(path)}/../frozen") == [state]
    assert os.listdir(f"{os.path.dirname(path)}/../new") == []


def test_names_are_given_once_and_lead_to_states(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")
    state = frozen.freeze(path, exchange)
    frozen.name("box", "good", state)
    with pytest.raises(StateExists, match="'good' already"):
        frozen.name("box", "good", state)
    frozen.name("box", "good", state, replacing=True)
    assert [(row.name, row.state) for row in frozen.named("box")] == [("good", state)]
    with pytest.raises(StateUnknown, match="no snapshot 'bad'"):
        frozen.state("box", "bad")
    for name in ("", ".", "..", "a/b", "-a", "é", "x" * 129):
        with pytest.raises(Invalid, match="invalid snapshot name"):
            frozen.name("box", name, state)


def test_a_state_goes_with_the_last_that_leads_to_it(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")
    state = frozen.freeze(path, exchange)
    frozen.fork(path, state, snapshotter.forked("other"))
    assert frozen.users() == {state: {"box", "other"}}
    snapshotter.remove("box")
    assert frozen.chain(snapshotter.path("other"))
    with frozen.kept():  # somebody is making one: nothing is collected now
        snapshotter.remove("other")
        assert frozen.unused() == ()
        assert frozen.collect() == 0
    assert frozen.unused() == (state,)
    assert frozen.collect() == 1
    assert frozen.unused() == ()


def test_a_lost_state_is_told(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")
    state = frozen.freeze(path, exchange)
    os.rename(f"{path}/../../frozen/{state}", f"{path}/../../frozen/lost")
    assert frozen.missing() == (("box", state),)
    with pytest.raises(Corrupt, match=f"frozen state {state} of a container is gone"):
        frozen.chain(path)


def test_a_file_system_that_cannot_exchange_is_told_and_nothing_changes(snapshotter, path):
    frozen = snapshotter.frozen
    write(path, "one")

    def refuse(_one, _other):
        raise OSError(22, "Invalid argument")

    with pytest.raises(Unsupported, match="cannot change places"):
        frozen.freeze(path, refuse)
    assert os.listdir(f"{path}/upper") == ["one"]
    assert frozen.unused() == ()
    assert frozen.chain(path) == ()


@pytest.mark.root
def test_frozen_states_leave_less_room_for_the_image_and_at_last_none(tmp_path):
    settings = Settings(str(tmp_path / "root"), str(tmp_path / "run"), "", max_lowers=8)
    layers = Layers(make(settings.root).root)
    snapshotter = choose(settings, layers)
    tars = [tar([Piece("./", directory=True), Piece(f"f{n}", b"%d" % n)]) for n in range(7)]
    assert len(snapshotter.prepare("box", seal(layers, *tars)).lowers) == 7
    for number in range(7):
        write(snapshotter.path("box"), f"new{number}")
        snapshotter.frozen.freeze(snapshotter.path("box"), exchange)
        assert len(snapshotter.stack("box").lowers) <= 8
    write(snapshotter.path("box"), "more")
    snapshotter.frozen.freeze(snapshotter.path("box"), exchange)
    with pytest.raises(Unsupported, match="frozen 8 times"):
        snapshotter.stack("box")
