import os
import socket
import threading

import pytest

from lamina.errors import Unavailable
from lamina.runtime.frames import Stream, connect, frame, listen, request, split_frames


def test_frames_come_out_as_they_went_in_however_they_are_cut():
    sent = [(Stream.STDOUT, b"out\n"), (Stream.STDERR, b""), (Stream.EXITED, b"{}")]
    data = b"".join(frame(*one) for one in sent)
    buffer, got = bytearray(), []
    for at in range(len(data)):
        buffer += data[at : at + 1]
        got += list(split_frames(buffer))
    assert got == sent
    assert not buffer


def test_a_frame_looks_as_docker_frames_its_streams():
    assert frame(Stream.STDOUT, b"out\n") == bytes.fromhex("0100000000000004") + b"out\n"


def test_a_frame_beyond_reason_is_refused():
    with pytest.raises(ValueError, match="a frame of"):
        list(split_frames(bytearray(b"\1\0\0\0\xff\xff\xff\xff")))


def test_a_socket_may_lie_deeper_than_an_address_is_long(tmp_path):
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    with listen(f"{folder}/s") as server, connect(f"{folder}/s"):
        server.settimeout(None)
        server.accept()[0].close()
    assert os.stat(f"{folder}/s").st_mode & 0o777 == 0o600


def test_an_answer_brings_descriptors_and_leaves_the_frames_that_follow(tmp_path):
    ours, theirs = socket.socketpair()
    given = os.open(tmp_path, os.O_RDONLY)

    def answer() -> None:
        theirs.recv(100)
        socket.send_fds(theirs, [b'{"a":1}\n' + frame(Stream.STDOUT, b"x")], [given])

    thread = threading.Thread(target=answer)
    thread.start()
    with ours, theirs:
        document, fds = request(ours, {"op": "root"})
        thread.join()
        assert document == {"a": 1}
        assert os.path.sameopenfile(fds[0], given)
        assert ours.recv(100) == frame(Stream.STDOUT, b"x")
    os.close(given)
    os.close(fds[0])


def test_a_shim_that_hangs_up_is_an_error_not_a_wait():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(Unavailable, match="went away"):
        request(ours, {"op": "root"})
