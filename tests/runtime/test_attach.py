import os
import socket
import termios
import threading

import pytest
from tests.containers import eventually

from lamina.runtime.attach import Attachment, Ending, ShimLost
from lamina.runtime.frames import Stream, frame
from lamina.runtime.process import StartFailed


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with Attachment(ours, terminal=False) as attachment, theirs:
        yield attachment, theirs


def test_output_that_came_with_the_start_is_not_lost(pair):
    attachment, shim = pair
    shim.sendall(
        frame(Stream.STARTED, b'{"pid":7}')
        + frame(Stream.STDOUT, b"early")
        + frame(Stream.EXITED, b'{"exit_code":3}')
    )
    assert attachment.started() == 7
    said = []
    ending = attachment.relay(stdin=-1, write=lambda stream, data: said.append((stream, data)))
    assert ending == Ending(3)
    assert said == [(Stream.STDOUT, b"early")]


def test_a_failed_start_carries_its_words_and_code(pair):
    attachment, shim = pair
    shim.sendall(frame(Stream.FAILED, b'{"error":"no","hint":"why","exit_code":127}'))
    with pytest.raises(StartFailed, match="no") as caught:
        attachment.started()
    assert (caught.value.exit_code, caught.value.hint) == (127, "why")


def test_waiting_gives_up_when_its_time_is_over(pair):
    attachment, shim = pair
    assert attachment.wait(0) is None
    assert attachment.wait(0.01) is None
    shim.sendall(frame(Stream.STDOUT, b"x") + frame(Stream.EXITED, b'{"exit_code":0}'))
    assert attachment.wait() == 0


def test_a_shim_that_is_killed_is_said_to_be_lost(pair):
    attachment, shim = pair
    attachment.send(b"unread")
    shim.close()
    with pytest.raises(ShimLost, match="went away"):
        attachment.wait()


def test_input_is_passed_on_with_its_end(pair):
    attachment, shim = pair
    read, write = os.pipe()
    os.write(write, b"typed")
    os.close(write)
    shim.sendall(frame(Stream.STDERR, b""))

    def write_out(stream, data) -> None:
        shim.sendall(frame(Stream.EXITED, b'{"exit_code":0}'))

    attachment.relay(stdin=read, write=write_out)
    os.close(read)
    got = shim.recv(1000)
    assert got == b"" or got.startswith(frame(Stream.STDIN, b"typed"))


def test_the_detach_keys_leave_and_raw_mode_with_them():
    ours, theirs = socket.socketpair()
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)

    def type_keys() -> None:
        eventually(lambda: termios.tcgetattr(slave) != before)
        os.write(master, b"\x10\x11")

    thread = threading.Thread(target=type_keys)
    thread.start()
    with Attachment(ours, terminal=True) as attachment, theirs:
        ending = attachment.relay(stdin=slave, write=lambda *_: None, typing=True)
        assert ending.detached
    thread.join()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
