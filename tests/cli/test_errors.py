"""Failures become one message, a hint and an exit code."""

import errno
import io

import pytest

from lamina.cli.errors import (
    BROKEN_PIPE,
    INTERRUPTED,
    CommandFailed,
    Interrupted,
    exit_code,
    report,
    words,
)
from lamina.cli.flags import FlagInvalid
from lamina.errors import LaminaError, NotFound


class NotStarted(LaminaError):
    exit_code = 126


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 1),
        (FlagInvalid("x"), 125),
        (NotStarted("x"), 126),
        (CommandFailed(7), 7),
        (KeyboardInterrupt(), INTERRUPTED),
        (BrokenPipeError(), BROKEN_PIPE),
        (OSError(errno.ENOSPC, "x"), 1),
        (RuntimeError("x"), 1),
    ],
)
def test_a_kind_of_failure_has_its_exit_code(error: BaseException, code: int):
    assert exit_code(error) == code


def said(error: BaseException) -> str:
    stream = io.StringIO()
    report(error, stream)
    return stream.getvalue()


def test_a_failure_is_told_with_what_to_do():
    assert said(NotFound("No such image: x", hint="pull it")) == (
        "lamina: No such image: x\nhint: pull it\n"
    )
    assert said(NotFound("gone")) == "lamina: gone\n"


def test_a_full_disk_is_told_in_words():
    what, hint = words(OSError(errno.ENOSPC, "No space left on device", "/x/y"))
    assert what == "/x/y: no space left on device"
    assert "system df" in hint


def test_an_interruption_ends_the_line_and_a_closed_pipe_says_nothing():
    assert said(KeyboardInterrupt()) == "\n"
    assert said(BrokenPipeError()) == ""
    assert said(CommandFailed(3)) == ""


def test_a_bug_is_called_one():
    assert said(ZeroDivisionError("x")).startswith(
        "lamina: ZeroDivisionError: x\nhint: this is a bug"
    )


def test_an_interrupted_transfer_says_what_became_of_it():
    assert said(Interrupted("what was downloaded is kept")) == (
        "lamina: interrupted; what was downloaded is kept\n"
    )
    assert exit_code(Interrupted("x")) == INTERRUPTED


def test_what_registries_and_helpers_say_cannot_move_the_cursor():
    words = "one\ttwo\nthree \x1b[2J\x9b1m\u202e\r\x07 ü"
    assert said(NotFound(words, hint="\x1bc")) == (
        "lamina: one\ttwo\nthree \\x1b[2J\\x9b1m\\u202e\\r\\x07 ü\nhint: \\x1bc\n"
    )
