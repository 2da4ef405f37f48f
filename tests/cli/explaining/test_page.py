"""What is written fits its width, explains a term once, and cannot move the cursor."""

import io
import os
import pty
import threading

import pytest
from tests.consoles import Console
from tests.containers import eventually

from lamina.cli.explaining.page import Page

EVIL = "evil\x1b[31m\x07\rname"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def page(width: int = 60, **facts) -> tuple[Page, io.StringIO]:
    out = io.StringIO()
    return Page(Console().context(), out, width=width, **facts), out


def everything(made: Page) -> None:
    made.step("A title")
    made.say("A paragraph about a layer and its digest, long enough to be broken somewhere. " * 3)
    made.rows([("label", "x" * 150), ("another", DIGEST, "note"), ("last", "")])
    made.rows([("a", "b", f"words and {EVIL} " * 9)], mark=0)
    made.exchange("→", f"GET http://registry.example/v2/some/repository/blobs/{DIGEST}  (with)")
    made.document({"digest": DIGEST, "name": EVIL, "long": "word " * 60, "list": list(range(50))})
    made.tree(f"├─ config  {DIGEST}", "300B, the image ID")
    made.value("A value", DIGEST)
    made.value("A path", "/somewhere" * 20)
    made.trouble("It did not work")
    made.fact("unbreakable" * 30)


@pytest.mark.parametrize("width", [40, 53, 80, 100])
def test_no_line_is_wider_than_the_page_and_none_has_control_characters(width: int):
    made, out = page(width)
    everything(made)
    lines = out.getvalue().split("\n")
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)
    assert "evil\\x1b[31m" in out.getvalue().replace("\n", "")


def test_a_width_below_the_narrowest_is_the_narrowest_and_without_a_terminal_it_is_80():
    made, _ = page(7)
    assert made.width == 40
    assert Page(Console().context(), io.StringIO()).width == 80


def test_a_term_is_explained_once_after_the_paragraph_that_has_it_first():
    made, out = page(80)
    made.step("The manifest")
    made.say("A layer.")
    made.fact("The layers again, and a digest.")
    assert out.getvalue() == (
        "1  The manifest\n"
        "   A layer.\n"
        "   · layer: one changeset as a (compressed) tar blob\n"
        "   The layers again, and a digest.\n"
        "   · digest: name of bytes, `sha256:<hex>`\n"
    )


def test_brief_leaves_out_paragraphs_documents_and_terms():
    made, out = page(80, brief=True)
    made.step("One")
    made.say("A layer.")
    made.document({"a": 1})
    made.fact("A fact about a layer.")
    made.step("Two")
    assert out.getvalue() == "1  One\n   A fact about a layer.\n\n2  Two\n"


def test_a_long_document_is_cut_and_says_by_how_much():
    made, out = page(80)
    made.document({"list": list(range(100))})
    lines = out.getvalue().splitlines()
    assert len(lines) == 25
    assert lines[-1].strip() == f"… {104 - 24} more lines"


def test_a_digest_stands_whole_where_there_is_room_and_by_twelve_letters_elsewhere():
    made, out = page(100)
    made.rows([("digest", DIGEST)])
    made.exchange("→", DIGEST)
    assert out.getvalue().count(DIGEST) == 2
    made, out = page(60)
    made.rows([("digest", DIGEST)])
    made.exchange("→", DIGEST)
    assert out.getvalue() == "     digest  sha256:0123456789ab…\n     → sha256:0123456789ab…\n"
    made.value("Digest", DIGEST)  # what is to be compared is never cut, but broken
    assert DIGEST in out.getvalue().replace("\n", "").replace(" ", "")


def test_columns_stand_below_each_other_and_an_empty_last_one_takes_no_line():
    made, out = page(80)
    made.rows([("a", "bb", "c"), ("aaa", "b", ""), ("a", "", "")])
    assert out.getvalue() == "     a    bb  c\n     aaa  b\n     a\n"


def test_a_stream_of_another_alphabet_gets_ascii():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    made = Page(Console().context(), out, width=60)
    everything(made)
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    text = buffer.getvalue().decode("ascii")
    assert "-> GET" in text
    assert "   * layer: one changeset" in text


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], coloured: bool):
    theirs, ours = pty.openpty()
    with (
        os.fdopen(ours, "w", encoding="utf-8") as stream,
        os.fdopen(theirs, "rb", buffering=0) as end,
    ):
        made = Page(Console(environ).context(), stream)
        made.step("A title")
        assert (b"\x1b[1m" in end.read(100)) is coloured


def test_pauses_wait_for_a_line_on_a_terminal_until_somebody_has_enough():
    theirs, ours = pty.openpty()
    seen = b""

    def look() -> None:
        nonlocal seen
        while True:
            try:
                piece = os.read(theirs, 1000)
            except OSError:
                return
            seen += piece

    reader = threading.Thread(target=look)
    reader.start()
    context = Console().context()
    with os.fdopen(os.dup(ours), "w", encoding="utf-8") as stream, os.fdopen(ours, "r") as keys:
        context.stdin = keys
        made = Page(context, stream, pause=True)

        def tell() -> None:
            for number in range(5):
                made.step(f"step {number}")

        teller = threading.Thread(target=tell)
        teller.start()
        eventually(lambda: seen.count(b"-- Enter") == 1)
        assert b"step 0" in seen
        assert b"step 1" not in seen
        os.write(theirs, b"\n")
        eventually(lambda: seen.count(b"-- Enter") == 2)
        assert b"step 2" not in seen
        os.write(theirs, b"q\n")
        teller.join()
        eventually(lambda: b"step 4" in seen)
        assert seen.count(b"-- Enter") == 2
    reader.join()
    os.close(theirs)


def test_a_pause_without_a_terminal_is_told_and_passed_over():
    made, out = page(80, pause=True)
    made.step("One")
    made.step("Two")
    assert out.getvalue().startswith("(--pause is for a terminal")
    assert "Enter:" not in out.getvalue()
