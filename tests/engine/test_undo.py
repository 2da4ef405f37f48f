"""Taking back: what was removed is kept for a while, comes back whole, and goes when room is short."""

import errno
import os
from dataclasses import replace

import pytest
from tests.engine.worlds import import_image, merged
from tests.images import Piece

from lamina.engine import undo
from lamina.engine.engine import Engine
from lamina.engine.undo import ChangeGone, ChangeOvertaken, ChangeUnknown
from lamina.errors import Unavailable
from lamina.store import leases


def content(engine):
    return sorted(engine.store.blobs), sorted(engine.layers)


def names(engine):
    return {name for row in engine.images.list() for name in row.names}


def states(engine):
    return [(row.command, row.state) for row in undo.listing(engine)]


def later(engine, seconds):
    """The same root, to whom what was done is `seconds` older than the span of keeping."""
    return Engine(replace(engine.settings, undo_s=engine.settings.undo_s - seconds))


def test_a_removed_image_comes_back_with_every_byte(engine):
    image_id = import_image(engine, "a:1")
    engine.images.tag("a:1", "b:2")
    before, tree = content(engine), merged(engine, "a:1")
    engine.images.remove(str(image_id), force=True)
    assert engine.images.list() == ()
    done = undo.undo(engine)
    assert {row.name for row in done.back} == {"docker.io/library/a:1", "docker.io/library/b:2"}
    assert content(engine) == before
    assert merged(engine, "b:2") == tree
    assert states(engine) == [(f"rmi {image_id}", "back")]


def test_a_moved_tag_goes_back_and_can_be_moved_again(engine):
    old = import_image(engine, "a:1")
    new = import_image(engine, "a:1", [Piece("f", b"new")])
    undo.undo(engine)
    assert engine.images.resolve("a:1").id == old
    assert {row.id for row in engine.images.list()} == {old, new}
    with pytest.raises(ChangeUnknown, match="nothing to undo"):
        undo.undo(engine)  # what undo did is not taken back unasked
    number = undo.listing(engine)[0].number
    undo.undo(engine, number)
    assert engine.images.resolve("a:1").id == new
    assert states(engine)[1:] == [("undo 1", "back"), ("import - a:1", "kept")]


def test_one_undo_after_another_goes_further_back(engine):
    for name in ("a:1", "b:1"):
        import_image(engine, name, [Piece(name[0], b"x")])
        engine.images.remove(name)
    assert undo.undo(engine).command == "rmi b:1"
    assert undo.undo(engine).command == "rmi a:1"
    assert names(engine) == {"docker.io/library/a:1", "docker.io/library/b:1"}


def test_a_prune_comes_back_as_one(engine):
    for letter in "abc":
        import_image(engine, f"{letter}:1", [Piece(letter, b"x" * 9000)])
    import_image(engine, "", [Piece("dangling", b"y")])
    before = content(engine)
    engine.images.prune(all_unused=True)
    assert engine.images.list() == ()
    assert content(engine) == before
    assert len(undo.undo(engine).back) == 4
    assert len(engine.images.list()) == 4


def test_now_keeps_nothing(engine):
    import_image(engine, "a:1")
    engine.images.remove("a:1", now=True)
    assert content(engine) == ([], [])
    assert undo.listing(engine) == ()
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    assert content(engine) != ([], [])
    _, freed = engine.images.prune(now=True)
    assert freed > 0
    assert content(engine) == ([], [])
    assert states(engine) == [("rmi a:1", "gone")]
    with pytest.raises(ChangeGone, match="rmi a:1") as error:
        undo.undo(engine)
    assert "lamina pull a@sha256:" in error.value.hint


def test_what_was_kept_long_enough_goes_with_the_next_change(engine):
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    engine.images.prune()
    assert content(engine) != ([], []), "still within the hour"
    off = later(engine, engine.settings.undo_s)
    other = import_image(off, "other:1", [Piece("f", b"1")])
    assert [row.image for row in map(engine.layers.path, [])] == []
    assert len(list(engine.layers)) == 1
    assert engine.images.resolve("other:1").id == other
    assert states(off)[-1] == ("rmi a:1", "gone")


def test_switched_off_a_removal_frees_at_once(engine):
    off = later(engine, engine.settings.undo_s)
    import_image(off, "a:1")
    off.images.remove("a:1")
    assert content(off) == ([], [])


def test_kept_is_what_nothing_else_needs_and_it_is_counted_once(engine):
    shared = [Piece("f", b"x" * 50_000)]
    import_image(engine, "a:1", shared)
    import_image(engine, "b:1", shared, "LABEL b=1")
    import_image(engine, "c:1", shared, "LABEL c=1")
    engine.images.remove("a:1")
    assert undo.listing(engine)[0].size < 20_000, "documents only: the layer is in use"
    engine.images.remove("b:1")
    engine.images.remove("c:1")
    sizes = {row.command: row.size for row in undo.listing(engine)}
    layer = os.stat(next(path for _, path in engine.layers.files())).st_blocks * 512
    assert sizes["rmi c:1"] >= layer
    assert sizes["rmi b:1"] < layer


def test_names_given_away_since_are_not_taken_without_force(engine):
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    other = import_image(engine, "a:1", [Piece("f", b"other")])
    with pytest.raises(ChangeOvertaken, match="a:1 was given to another image") as error:
        undo.undo(engine)
    assert error.value.hint == "`lamina undo --force 1` moves it back"
    assert engine.images.resolve("a:1").id == other
    undo.undo(engine, force=True)
    assert engine.images.resolve("a:1").id != other
    assert other in {row.id for row in engine.images.list()}


def test_an_unknown_change_is_refused(engine):
    with pytest.raises(ChangeUnknown, match="nothing to undo"):
        undo.undo(engine)
    with pytest.raises(ChangeUnknown, match="no change 7"):
        undo.undo(engine, 7)


def test_of_a_prune_comes_back_what_is_still_here(engine):
    for letter in "ab":
        import_image(engine, f"{letter}:1", [Piece(letter, b"x")])
    layer = engine.layers.path(engine.images.resolve("a:1").config.diff_ids)
    engine.images.prune(all_unused=True)
    os.unlink(layer)
    done = undo.undo(engine)
    assert [row.name for row in done.back] == ["docker.io/library/b:1"]
    assert [row.name for row in done.gone] == ["docker.io/library/a:1"]


def test_a_disk_that_fails_is_told_and_not_taken_for_an_image_that_is_gone(engine, monkeypatch):
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    written = []

    def fails(fd, data):  # the start of a lease and the manifest's digest are written
        written.append(data)
        if len(written) > 2:
            raise OSError(errno.EIO, "no")
        os.write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(leases, "write_all", fails)
        with pytest.raises(Unavailable, match="the disk failed while writing a lease"):
            undo.undo(engine)
    assert names(engine) == set()
    undo.undo(engine)
    assert names(engine) == {"docker.io/library/a:1"}
