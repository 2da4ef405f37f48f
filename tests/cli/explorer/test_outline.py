"""The tree's lines: opened here and there, kinds left out, sorted."""

from lamina.cli.explorer.comparison import Mark
from lamina.cli.explorer.outline import Order, Outline
from lamina.cli.explorer.session import Session
from lamina.errors import Corrupt


def names(outline: Outline) -> list[str]:
    return [
        "  " * branch.depth + branch.item.name.decode("utf-8", "replace")
        for branch in outline.branches
        if branch.item is not None
    ]


def test_only_what_is_opened_has_lines_and_it_stays_open_in_other_layers(session: Session):
    outline = session.outline
    session.look(2)
    assert names(outline) == ["a", "etc", "later", "odd"]
    assert outline.open(1)
    assert not outline.open(1)
    assert names(outline) == ["a", "etc", "  conf", "  id_rsa", "  kept", "  same", "later", "odd"]
    session.look(1)
    assert names(outline) == ["a", "etc", "  conf", "  id_rsa", "  kept", "  same", "odd"]
    assert outline.close(1)
    assert names(outline) == ["a", "etc", "odd"]


def test_a_closed_directory_takes_what_is_open_in_it_along_and_brings_it_back(session: Session):
    outline = session.outline
    session.look(1)
    at = outline.index(b"odd")
    outline.open(at)
    outline.open(outline.index(b"odd/deep"))
    assert names(outline)[at:] == ["odd", "  deep", "    needle.txt", "  ev\x1b[31mil\nname"]
    assert outline.parent(outline.index(b"odd/deep/needle.txt")) == outline.index(b"odd/deep")
    outline.close(at)
    assert names(outline)[at:] == ["odd"]
    outline.open(at)
    assert len(names(outline)[at:]) == 4
    outline.close_all()
    assert not outline.open_paths


def test_kinds_are_left_out_with_the_directories_that_have_nothing_else(session: Session):
    outline = session.outline
    session.look(2)
    outline.toggle(Mark.UNCHANGED)
    assert names(outline) == ["a", "etc", "later"]
    outline.open_paths |= {b"a", b"etc"}
    outline.rebuild()
    assert names(outline) == ["a", "  two", "etc", "  conf", "  id_rsa", "  same", "later"]
    outline.toggle(Mark.ADDED)
    outline.toggle(Mark.CHANGED)
    assert names(outline) == ["a", "  two", "etc", "  id_rsa"]
    for kind in (Mark.UNCHANGED, Mark.REMOVED):
        outline.toggle(kind)
    assert names(outline) == ["a", "  one", "etc", "  kept", "odd"]


def test_only_what_later_layers_hide_is_shown_where_that_is_asked_for(session: Session):
    outline = session.outline
    session.look(1)
    outline.only_hidden = True
    outline.open_paths |= {b"a", b"etc", b"odd"}
    outline.rebuild()
    assert names(outline) == ["a", "  one", "  two", "etc", "  conf", "  id_rsa", "  same"]


def test_sizes_and_waste_come_with_the_most_first(session: Session):
    outline = session.outline
    session.look(1)
    outline.open(0)
    outline.sizes = {b"a": 3300, b"etc": 80, b"odd": 6}
    outline.order = Order.SIZE
    outline.rebuild()
    assert names(outline) == ["a", "  one", "  two", "etc", "odd"]
    outline.waste = {b"odd": 5, b"etc": 6}
    outline.order = Order.WASTE
    outline.rebuild()
    assert names(outline) == ["etc", "odd", "a", "  one", "  two"]


def test_a_path_is_revealed_whatever_hid_it(session: Session):
    outline = session.outline
    session.look(2)
    outline.toggle(Mark.REMOVED)
    assert outline.reveal(b"etc/id_rsa")
    assert outline.path(outline.index(b"etc/id_rsa")) == b"etc/id_rsa"
    assert not outline.reveal(b"no/such")
    assert outline.index(b"etc/kept/below") == outline.index(b"etc/kept")
    assert outline.path(99) == b""


def test_a_directory_that_cannot_be_read_says_so_and_the_rest_is_there(session: Session):
    outline = session.outline
    session.look(1)
    real = outline.comparison.items

    def items(folder: bytes):
        if folder == b"etc":
            raise Corrupt("directory 7 is damaged")
        return real(folder)

    outline.comparison.items = items  # type: ignore[method-assign]
    outline.open(1)
    assert outline.branches[2].error == "directory 7 is damaged"
    assert outline.path(2) == b""
    assert names(outline) == ["a", "etc", "odd"]


def test_where_everything_is_left_out_there_is_nothing_to_open(session: Session):
    outline = session.outline
    for kind in list(outline.shown):
        outline.toggle(kind)
    assert outline.branches == []
    assert not outline.open(0)
    assert not outline.close(0)
    assert outline.parent(0) == 0
    assert outline.path(0) == b""
