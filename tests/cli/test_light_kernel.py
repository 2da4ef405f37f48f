"""The light sockets and calls behave as the standard library's own."""

import ctypes
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from lamina.cli.light_kernel import STAND_INS

SOCKETS: dict[str, Any] = STAND_INS["socket"]
CALLS: dict[str, Any] = STAND_INS["ctypes"]


def test_descriptors_and_words_go_through_sockets():
    ours, theirs = SOCKETS["socketpair"]()
    read, write = os.pipe()
    with ours, theirs:
        assert SOCKETS["send_fds"](ours, [b"here"], [write, read]) == 4
        data, fds, _, _ = SOCKETS["recv_fds"](theirs, 100, 5)
        assert (data, len(fds)) == (b"here", 2)
        os.write(fds[0], b"x")
        assert os.read(read, 5) == b"x"
        for fd in (read, write, *fds):
            os.close(fd)
    assert ours.fileno() == -1


def test_a_listening_socket_accepts_connections_that_wait(tmp_path):
    listener = SOCKETS["socket"](SOCKETS["AF_UNIX"], SOCKETS["SOCK_STREAM"])
    listener.bind(f"{tmp_path}/s")
    listener.listen(1)
    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/s")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getblocking()
            assert not os.get_inheritable(accepted.fileno())
            client.sendall(b"word")
            assert accepted.recv(10) == b"word"


def test_numbers_are_those_of_the_original():
    for name, value in SOCKETS.items():
        if isinstance(value, int):
            assert getattr(socket, name) == value


@pytest.mark.parametrize("names", [CALLS, vars(ctypes)])
def test_the_library_of_c_is_called_and_keeps_its_errno(names, tmp_path):
    libc = names["CDLL"](None, use_errno=True)
    assert libc.getpid() == os.getpid()
    assert libc.umount2(os.fsencode(tmp_path / "nowhere"), 0) == -1
    assert names["get_errno"]() in (1, 2)  # a plain user may not even try
    libc.strtoul.restype = names["c_ulong"]
    assert libc.strtoul(b"18446744073709551615", None, 10) == (1 << 64) - 1
    with pytest.raises(AttributeError, match="no_such_function"):
        libc.no_such_function  # noqa: B018 - the look-up is the point


@pytest.mark.parametrize("names", [CALLS, vars(ctypes)])
def test_structures_lie_in_memory_as_in_c(names):
    kinds = (("small", names["c_ushort"]), ("text", names["c_char_p"]), ("big", names["c_uint64"]))
    pair: Any = type("Pair", (names["Structure"],), {"_fields_": kinds})(7, b"word", 1 << 40)
    assert (names["sizeof"](pair), pair.small, pair.text, pair.big) == (24, 7, b"word", 1 << 40)
    assert bytes((names["c_uint32"] * 2)(1, 2)) == b"\1\0\0\0\2\0\0\0"
    assert names["sizeof"](names["c_long"]) == names["sizeof"](names["c_ulong"])


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-IS", "-c", code, *[entry for entry in sys.path if entry]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


LIGHTEN = (
    "import sys; sys.path[:0] = sys.argv[1:]; from lamina.cli.startup import lighten; lighten(); "
)


def test_sockets_and_calls_load_nothing_of_the_originals():
    code = (
        "import socket, ctypes; socket.socketpair(); ctypes.CDLL(None, use_errno=True); "
        "print(*(n in sys.modules for n in ('enum', 'selectors', 'ctypes._endian')))"
    )
    assert run(LIGHTEN + code) == "False False False"
    assert run(LIGHTEN + "import ctypes; print(ctypes.c_double(1.5).value)") == "1.5"


def test_a_client_of_http_gets_the_real_sockets():
    code = (
        "import socket; mine = socket.socket; import http.client; "
        "print(socket.socket is not mine, hasattr(socket.socket, 'makefile'), hasattr(socket, 'create_connection'))"
    )
    assert run(LIGHTEN + code) == "True True True"
