import io
import os
import signal
import socket

import pytest

from lamina.cli.attaching import follow, need_terminal, output_writer, proxied, stdin_of
from lamina.cli.context import Context
from lamina.cli.errors import GaveUp, report
from lamina.errors import Invalid
from lamina.runtime.attach import Attachment
from lamina.runtime.frames import Stream, frame


@pytest.fixture
def context() -> Context:
    return Context(out=io.StringIO(), err=io.StringIO(), stdin=io.StringIO(), environ={})


def test_a_terminal_is_wanted_only_with_both_flags(context: Context):
    assert stdin_of(context) == -1
    need_terminal(context, terminal=True, stdin=False)
    with pytest.raises(Invalid, match="the input device is not a TTY"):
        need_terminal(context, terminal=True, stdin=True)


def test_output_goes_where_it_belongs(context: Context):
    write = output_writer(context, wanted=("stdout",))
    write(1, b"out")
    write(2, b"err")
    assert context.out.getvalue() == "out"  # type: ignore[union-attr]
    assert context.err.getvalue() == ""  # type: ignore[union-attr]


def test_following_ends_with_the_exit_code(context: Context):
    ours, theirs = socket.socketpair()
    theirs.sendall(frame(Stream.STDERR, b"e") + frame(Stream.EXITED, b'{"exit_code":4}'))
    with Attachment(ours, terminal=True) as attachment, theirs:
        assert follow(context, attachment, stdin=True, keys="ctrl-p,ctrl-q") == 4
        assert theirs.recv(100).endswith(b"24 80")  # no terminal here: Docker's 80 columns
    assert context.err.getvalue() == "e"  # type: ignore[union-attr]


def test_signals_are_handed_on_and_handlers_put_back():
    before = signal.getsignal(signal.SIGUSR1)
    got: list[int] = []
    with proxied(got.append):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert got == [signal.SIGUSR1]
    assert signal.getsignal(signal.SIGUSR1) == before
    with proxied(got.append, on=False):
        assert signal.getsignal(signal.SIGUSR1) == before


def test_the_third_signal_that_should_end_it_is_for_the_command_itself():
    got: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(GaveUp, match="got 3 SIGTERM/SIGINTs, forcefully exiting") as caught:  # noqa: SIM117
        with proxied(got.append):
            for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(number)
    assert got == [signal.SIGINT, signal.SIGUSR1, signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before
    err = io.StringIO()
    assert report(caught.value, err) == 1
    assert "`lamina kill` ends it" in err.getvalue()
