"""Tables are laid out as docker's (Go's tabwriter, ten wide, three apart)."""

from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.table import align, flat, render


def test_a_listing_looks_as_dockers_does():
    rows = [
        ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"),
        ("mysql", "latest", "ebd894d780bb", "3 years ago", "4.19MB"),
    ]
    assert render(rows) == (
        "REPOSITORY   TAG       IMAGE ID       CREATED       SIZE\n"
        "mysql        latest    ebd894d780bb   3 years ago   4.19MB\n"
    )


def test_headers_alone_keep_the_least_width():
    assert render([("IMAGE ID", "SIZE")]) == "IMAGE ID   SIZE\n"
    assert render([("ID", "SIZE")]) == "ID        SIZE\n"


def test_an_empty_last_cell_leaves_the_blanks_of_the_one_before():
    assert render([("a", "b", "")]) == "a         b         \n"


def test_lines_with_fewer_cells_begin_the_columns_below_them_anew():
    text = "a\tb\nlong word in the first\tc\nalone\nx\ty\n"
    assert align(text) == (
        "a                        b\nlong word in the first   c\nalone\nx         y\n"
    )


def test_the_last_line_need_not_end():
    assert align("a\tb") == "a         b"
    assert align("") == ""


def test_a_cell_cannot_move_the_cursor_or_begin_another():
    assert flat("a\tb\nc\x1b[31md\x07") == "a b c?[31md?"
    assert flat("héllo …") == "héllo …"


CELLS = st.text(st.characters(whitelist_categories=["Lu", "Ll", "Nd", "Po"]), max_size=20)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1))
def test_every_column_begins_at_the_same_place_in_every_line(rows: list[list[str]]):
    lines = render(rows).splitlines()
    first = max(10, *(len(row[0]) + 3 for row in rows))
    second = max(10, *(len(row[1]) + 3 for row in rows))
    for line, row in zip(lines, rows, strict=True):
        assert line == row[0].ljust(first) + row[1].ljust(second) + row[2]
