"""A file's content in lines: text without what moves a cursor, bytes in hexadecimal."""

from pathlib import Path

from tests.layer.test_view import ROOT, file
from tests.study.piles import pile

from lamina.cli.explorer.content import LIMIT, content_lines, is_text
from lamina.cli.explorer.lines import text_of


def lines(
    folder: Path, data: bytes, *, as_bytes: bool | None = None, columns: int = 80
) -> list[str]:
    with pile(folder, [ROOT, file(b"f", data)]) as (layer,):
        node = layer.lookup(b"f")
        assert node is not None
        found = content_lines(node, as_bytes=as_bytes, columns=columns, unicode=True)
        return [text_of(line) for line in found]


def test_a_text_has_its_lines_and_nothing_that_moves_the_cursor(tmp_path: Path):
    assert lines(tmp_path, b"one\r\n\ttwo\n\x1b[2Jthree\x0c\xc2\x85four\n") == [
        "one", "        two", "?[2Jthree??four",
    ]  # fmt: skip


def test_other_content_comes_as_bytes_narrower_on_a_narrow_terminal(tmp_path: Path):
    data = bytes(range(20))
    assert lines(tmp_path, data)[0] == (
        "00000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    )
    assert lines(tmp_path / "n", data, columns=50)[2] == "00000010  10 11 12 13              ...."
    assert lines(tmp_path / "t", b"text", as_bytes=True) == [
        "00000000  74 65 78 74                                      text"
    ]


def test_only_the_beginning_of_a_long_file_is_read_and_that_is_said(tmp_path: Path):
    found = lines(tmp_path, b"a\n" * LIMIT)
    assert len(found) == LIMIT // 2 + 1
    assert found[-1] == "(the first 262,144 of 524,288 bytes; lamina cat shows all)"
    assert lines(tmp_path / "e", b"") == ["(empty)"]


def test_a_letter_cut_in_two_at_the_end_of_the_probe_is_still_text():
    assert is_text(b"a" * 8191 + "é".encode() * 4)
    assert not is_text(b"a\xff")
    assert not is_text(b"a\0")
