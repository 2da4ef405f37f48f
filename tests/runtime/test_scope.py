import os
import socket
import struct
import tempfile
import threading
from pathlib import Path

import pytest

from lamina.runtime import scope


def test_the_request_is_a_message_of_dbus():
    message = scope.request("lamina-x.scope", [7, 70_000])
    order, kind, _, version, body, serial, fields = struct.unpack_from("<cBBBIII", message)
    assert (order, kind, version, serial) == (b"l", 1, 1, 1)
    assert len(message) == 16 + fields + -fields % 8 + body
    text = message[-body:]
    assert struct.unpack_from("<I14sB", text) == (14, b"lamina-x.scope", 0)
    assert b"\x02au\x00" in text
    assert struct.pack("<III", 8, 7, 70_000) in text
    assert len(text) % 8 == 0
    assert text.endswith(bytes(4)), "no further units"


@pytest.fixture
def systemd(monkeypatch):
    """A service manager's socket, and the tree of groups that this process is in."""
    with tempfile.TemporaryDirectory() as short:  # a socket's path has 107 bytes at most
        folder = Path(short)
        (folder / "7/systemd").mkdir(parents=True)
        own = folder / "own"
        own.write_text("0::/session-1.scope\n")
        monkeypatch.setattr(scope, "_RUN", short)
        monkeypatch.setattr(scope, "_ROOT", str(folder / "cgroup"))
        monkeypatch.setattr(scope, "_OWN", str(own))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "7/systemd/private"))
            listener.listen()
            yield listener, folder


def serve(listener, answer):
    """Answer one call as systemd does."""

    def run() -> None:
        peer, _ = listener.accept()
        with peer:
            said = b""
            while not said.endswith(b"\r\n"):
                said += peer.recv(512)
            assert said == b"\0AUTH EXTERNAL " + b"7".hex().encode() + b"\r\n"
            peer.sendall(b"OK 0123456789abcdef\r\n")
            got = b""
            while b"StartTransientUnit" not in got:
                got += peer.recv(4096)
            answer(peer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def reply(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), 9, 0) + body


def test_a_scope_is_entered_below_itself(systemd):
    listener, folder = systemd
    group = folder / "cgroup/user@7.service/lamina-x.scope"
    group.mkdir(parents=True)

    def answer(peer):
        peer.sendall(reply(4))  # a signal first
        (folder / "own").write_text("0::/user@7.service/lamina-x.scope\n")
        peer.sendall(reply(2, b"\0" * 8))

    thread = serve(listener, answer)
    assert scope.enter("lamina-x.scope", 7, [1]) == str(group)
    thread.join()
    assert (group / "shim/cgroup.procs").read_text() == "0"


def test_what_systemd_answers_is_told(systemd):
    listener, _ = systemd
    words = b"Unit exists."
    body = struct.pack("<I", len(words)) + words + b"\0"
    thread = serve(listener, lambda peer: peer.sendall(reply(3, body)))
    with pytest.raises(scope.ScopeRefused, match=r"refuses a group: Unit exists\."):
        scope.enter("lamina-x.scope", 7, [1])
    thread.join()


def test_a_manager_that_hangs_up_is_told(systemd):
    listener, _ = systemd
    thread = serve(listener, lambda _peer: None)
    with pytest.raises(scope.ScopeRefused, match=r"hung up|cannot ask"):
        scope.enter("lamina-x.scope", 7, [1])
    thread.join()
    listener.close()
    os.unlink(
        listener.getsockname() if listener.fileno() >= 0 else f"{scope._RUN}/7/systemd/private"
    )
    with pytest.raises(scope.ScopeRefused, match="cannot ask systemd"):
        scope.enter("lamina-x.scope", 7, [1])


def test_a_manager_is_known_by_its_socket_and_its_group(systemd):
    _, folder = systemd
    assert scope.manager(7) == ""
    group = folder / "cgroup/user.slice/user-7.slice/user@7.service"
    group.mkdir(parents=True)
    assert scope.manager(7) == str(group)
    assert scope.manager(8) == ""
