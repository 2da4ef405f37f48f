"""A command's world is made when it is asked for, and closed with it."""

import io
import os
from pathlib import Path

import pytest
from tests.consoles import Console, text_of

from lamina.cli.context import Context


def test_settings_come_from_the_environment_given(tmp_path: Path):
    context = Console({"LAMINA_ROOT": str(tmp_path), "HOME": "/h"}).context()
    assert context.settings.root == str(tmp_path)
    assert context.engine.settings is context.settings
    assert context.engine is context.engine
    context.close()
    context.close()


def test_data_and_talk_go_their_ways():
    context = Console().context()
    context.print("data")
    context.say("talk")
    assert text_of(context) == "data\n"
    assert isinstance(context.err, io.StringIO)
    assert context.err.getvalue() == "talk\n"


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        (b"y\n", True),
        (b"YES\n", True),
        (b" y \n", True),
        (b"n\n", False),
        (b"\n", False),
        (b"", False),
        (b"yep\n", False),
    ],
)
def test_only_a_clear_yes_is_one(answer: bytes, agreed: bool):
    context = Console().context(stdin=answer)
    assert context.confirm("Sure?") is agreed
    assert text_of(context) == "Sure? [y/N] "


def test_streams_that_are_no_terminal_have_docker_s_default_size():
    context = Console().context()
    assert context.size() == (80, 24)
    assert not context.is_terminal


@pytest.mark.parametrize(
    ("encoding", "unicode"),
    [("utf-8", True), ("UTF8", True), ("ascii", False), ("iso8859-1", False)],
)
def test_box_drawing_needs_utf_8(encoding: str, unicode: bool):
    assert Console().context(encoding=encoding).unicode is unicode


def test_root_stays_where_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    before = os.stat("/proc/self/ns/user").st_ino
    Context().enter_namespace()
    assert os.stat("/proc/self/ns/user").st_ino == before


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_that_have_them_and_people_who_want_them(
    environ: dict[str, str], coloured: bool
):
    assert Context(out=_Terminal(), environ=environ).colour is coloured
    assert not Context(out=io.StringIO(), environ=environ).colour
