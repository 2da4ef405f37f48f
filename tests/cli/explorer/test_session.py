"""What the explorer shows, without a terminal: the image's line, layers together, jumps, containers."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from tests.archives import archive
from tests.consoles import console
from tests.images import Piece, tar, write_layout

from lamina.cli.explorer.comparison import Mark
from lamina.cli.explorer.lines import Signs, text_of
from lamina.cli.explorer.questions import deeds, directory_sizes, found_names, waste_by_path
from lamina.cli.explorer.session import Session, tree_at
from lamina.engine.engine import Engine
from lamina.engine.partial_study import partly_studied
from lamina.layer.entry import Kind
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer


class _Wanted:
    is_over = False


WANTED: Any = _Wanted()
"""The turn of a question whose answer is wanted to its end."""


def test_the_first_line_has_the_parts_and_as_many_facts_as_there_is_room_for(session: Session):
    line, ends = session.head(80, "Files")
    assert text_of(line).endswith("three  4.83kB")
    assert ends[0] == (9, "tab('Files')")
    session.learn_waste(session.study.waste())
    assert text_of(session.head(80, "Files")[0]).endswith("three  4.83kB  efficiency 0.300")
    assert text_of(session.head(52, "Files")[0]).endswith("three")
    assert len(text_of(session.head(10, "Files")[0])) < 60


def test_the_stack_is_topmost_first_with_each_layers_share(session: Session):
    stack, signs = session.stack, Signs(unicode=False)
    assert [text_of(stack.line(at, 40, signs)).rstrip() for at in range(3)] == [
        "*3  1.41kB  29% RUN step-3", " 2     38B   1% RUN step-2", " 1  3.38kB  70% RUN step-1",
    ]  # fmt: skip
    assert "##" in text_of(stack.line(2, 60, signs))
    session.look(2, since=1)
    assert [text_of(stack.line(at, 40, signs))[0] for at in range(3)] == [" ", "*", "*"]


def test_layers_are_looked_at_alone_or_with_all_above_the_first(session: Session):
    assert session.span == (3, 3)
    session.widen()
    assert session.span == (2, 3)
    session.look(1)
    assert session.span == (1, 1)
    session.widen()
    session.look(2)
    assert session.span == (2, 2)


def test_a_jump_shows_a_path_where_it_is_or_was(session: Session):
    at = session.show(b"odd/deep/needle.txt", 1)
    assert session.outline.path(at) == b"odd/deep/needle.txt"
    assert session.span == (1, 1)
    item = session.outline.branches[at].item
    assert item is not None
    assert session.origin(item.node) == 1
    at = session.show(b"a/two", 2)  # the layer that removed it
    assert text_of(session.tree_line(at, 60)).strip().startswith("R")


def test_names_that_could_move_the_cursor_are_quoted(session: Session):
    session.show(b"odd/deep", 1)
    texts = [text_of(session.tree_line(at, 70)) for at in range(len(session.outline.branches))]
    assert any(r"'ev'$'\033''[31mil'$'\n''name'" in text for text in texts)
    assert all(text.isprintable() for text in texts)


def test_sizes_and_waste_of_directories_are_sums_of_what_is_below(session: Session):
    study = session.study
    sizes = directory_sizes(tree_at(study, 1), WANTED)
    assert (sizes[b"a"], sizes[b"odd"], sizes[b"odd/deep"]) == (3300, 6, 5)
    assert sizes[b""] == study.layers[0].content_size
    wasted = waste_by_path(study.waste().files)
    assert wasted[b"a"] == 3300
    assert wasted[b""] == study.waste().size
    session.look(1)
    session.learn_sizes((1, 1), sizes)
    assert "3.3kB" in text_of(session.tree_line(0, 60))


def test_a_search_looks_into_every_layer_the_nearest_names_first(session: Session):
    found = found_names(session.study, "co", WANTED)
    assert [(one.path, one.numbers) for one in found] == [(b"etc/conf", (1, 2))]
    paths = [one.path for one in found_names(session.study, "o", WANTED)]
    assert paths == [b"a/one", b"odd", b"a/two", b"etc/conf"]
    assert found_names(session.study, "CONF", _Wanted()) == []  # type: ignore[arg-type]
    assert [one.path for one in found_names(session.study, "/deep/n", WANTED)] == [
        b"odd/deep/needle.txt"
    ]


def test_a_layers_deeds_are_counted(session: Session):
    found = {one.what: (one.count, one.size) for one in deeds(session.study, 2, _Wanted())}  # type: ignore[arg-type]
    assert found == {
        "added": (1, 14), "changed": (1, 20), "repeated": (1, 4), "removed": (2, 341), "hidden later": (1, 14),
    }  # fmt: skip


def test_a_file_of_two_names_has_its_bytes_once_and_is_hidden_with_the_last(engine: Engine):
    low = tar(
        [Piece("a", b"x" * 30), Piece("b", hard="a"), Piece("c", b"y" * 4), Piece("d", hard="c")]
    )
    high = tar([Piece(".wh.a"), Piece(".wh.c"), Piece(".wh.d")])
    engine.images.load(io.BytesIO(archive("two:1", layers=(low, high))))
    with partly_studied(engine, "two:1") as opened:
        found = {one.what: (one.count, one.size) for one in deeds(opened.study, 1, WANTED)}
    assert found == {"added": (4, 34), "hidden later": (3, 4)}


@pytest.mark.root
def test_what_a_container_wrote_is_its_topmost_layer(world: Engine, tmp_path: Path):
    run = console(world.settings)
    (tmp_path / "conf").write_text("mine\n")
    run("create", "--name", "it", "three")
    run("cp", str(tmp_path / "conf"), "it:/etc/conf")
    with partly_studied(world, "it") as opened:
        session = Session(opened, Signs(unicode=True))
        assert session.span == (4, 4)
        assert "not committed" in text_of(session.stack.line(0, 80, session.signs))
        at = session.show(b"etc/conf", 4)
        assert text_of(session.tree_line(at, 60)).split()[0] == "C"


def test_a_layer_that_is_lost_is_told_and_the_others_are_there(world: Engine):
    image = world.images.resolve("three")
    lost = world.layers.path(image.config.diff_ids[:2])
    os.truncate(lost, 100)
    os.unlink(world.store.blobs.path(image.manifest.layers[1].digest))
    with partly_studied(world, "three") as opened:
        assert set(opened.lost) == {2}
        session = Session(opened, Signs(unicode=True))
        assert "1 DAMAGED" in text_of(session.head(80, "Files")[0])
        assert "cannot be read" in text_of(session.stack.line(1, 80, session.signs))
        at = session.show(b"etc/id_rsa", 1)
        assert session.outline.path(at) == b"etc/id_rsa"
        session.look(2)
        items = [branch.item for branch in session.outline.branches]
        assert {item.mark for item in items if item} == {Mark.UNCHANGED}
        assert opened.study.waste().total < 5000
        assert opened.study.secrets()
        assert opened.study.packages() == ()
        assert [event.number for event in opened.study.life(b"etc/conf")] == [1]


def test_a_layer_whose_index_is_damaged_is_told_and_the_others_are_there(world: Engine):
    image = world.images.resolve("three")
    damaged = Path(world.layers.path(image.config.diff_ids[:1]))
    data = bytearray(damaged.read_bytes())
    with SealedLayer.open(str(damaged)) as layer:
        at = layer.meta_at
    data[at : at + 512] = bytes(512)
    damaged.write_bytes(data)
    with partly_studied(world, "three") as opened:  # its blob is read
        assert {number: damage.extent for number, damage in opened.lost.items()} == {1: "all"}
        session = Session(opened, Signs(unicode=True))
        assert opened.study.layers[0].content_size
    os.unlink(world.store.blobs.path(image.manifest.layers[0].digest))
    with partly_studied(world, "three") as opened:
        assert {number: damage.extent for number, damage in opened.lost.items()} == {1: "nothing"}
        session = Session(opened, Signs(unicode=True))
        assert [branch.item.name for branch in session.outline.branches if branch.item] == [
            b"a", b"etc", b"later", b"new",
        ]  # fmt: skip


def test_a_name_whose_inode_is_damaged_has_a_line_all_the_same(session: Session):
    session.look(1)
    item = session.outline.branches[0].item
    assert item is not None
    item.node = Node(item.node.layer, item.node.nid, Kind.SYMLINK)  # it is listed as what it is not
    assert "! cannot be read: " in text_of(session.tree_line(0, 80))


def test_an_image_without_layers_is_called_that(engine: Engine, tmp_path: Path):
    write_layout(tmp_path / "layout", [], tag="v1")
    assert console(engine.settings).run("copy", f"oci:{tmp_path}/layout:v1", "none").code == 0
    with partly_studied(engine, "none") as opened:
        (title, _style), *_ = Session(opened, Signs(unicode=True)).tree_title(0, 80)
    assert title.startswith("No layers · ")
    assert "nothing to show" in title
