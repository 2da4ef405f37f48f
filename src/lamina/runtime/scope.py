"""Ask a plain user's systemd for a control group of one's own, which only systemd may hand over.

A login's processes are in a group of root's, and the kernel lets nobody move a process out of such. The
user's service manager has a part of the tree, and asks the system's to move processes into it: a
transient scope with `Delegate=yes`, as podman takes one. It is gone with its last process.
Spec: the D-Bus specification (messages, EXTERNAL) and org.freedesktop.systemd1(5), StartTransientUnit.
"""

import os
import struct
import time
from collections.abc import Sequence

from lamina.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

__all__ = ["ScopeRefused", "enter", "manager", "request"]

_RUN = "/run/user"
_OWN = "/proc/self/cgroup"
_ROOT = "/sys/fs/cgroup"
_PATIENCE_S = 5.0
_INSIDE = "shim"
_RETURN, _ERROR = 2, 3
_PATH, _INTERFACE, _MEMBER, _DESTINATION, _SIGNATURE = 1, 2, 3, 6, 8


class ScopeRefused(Unavailable):
    """The user's systemd gives no group."""


def manager(uid: int) -> str:
    """Give the group that the user's service manager has below /sys/fs/cgroup; nothing without one."""
    group = f"{_ROOT}/user.slice/user-{uid}.slice/user@{uid}.service"
    there = os.path.exists(f"{_RUN}/{uid}/systemd/private") and os.path.isdir(group)
    return group if there else ""


def enter(name: str, uid: int, pids: Sequence[int]) -> str:
    """Move processes, this one's own first, into the new scope `name`; give the group to make others in.

    `pids` are as the machine numbers them. This process goes into a group below the scope, since limits
    are for groups whose parent has no process. Some milliseconds. Raises: ScopeRefused.
    """
    import socket

    deadline = time.monotonic() + _PATIENCE_S
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(f"{_RUN}/{uid}/systemd/private")
            _introduce(connection, uid)
            connection.sendall(request(name, pids))
            _answer(connection)
            while not (own := _own()).endswith(f"/{name}"):
                if time.monotonic() > deadline:
                    raise ScopeRefused("systemd did not make a group in time")
                time.sleep(0.002)
            folder = f"{_ROOT}{own}"
            os.mkdir(f"{folder}/{_INSIDE}")
            with open(f"{folder}/{_INSIDE}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write("0")
        except OSError as error:
            raise ScopeRefused(f"cannot ask systemd for a group: {error}") from error
    return folder


def _own() -> str:
    with open(_OWN, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].rstrip("\n")
    return ""


def _introduce(connection: "socket.socket", uid: int) -> None:
    """Say who we are: the kernel tells systemd the same."""
    connection.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
    said = b""
    while not said.endswith(b"\r\n"):
        part = connection.recv(512)
        if not part:
            break
        said += part
    if not said.startswith(b"OK "):
        raise ScopeRefused("systemd does not know this user")
    connection.sendall(b"BEGIN\r\n")


def _answer(connection: "socket.socket") -> None:
    """Wait for what comes of the call; signals that come before are passed over."""
    while True:
        head = _receive(connection, 16)
        order = "<" if head[:1] == b"l" else ">"
        body_size, _, fields_size = struct.unpack(f"{order}III", head[4:])
        rest = _receive(connection, fields_size + -fields_size % 8 + body_size)
        if head[1] == _RETURN:
            return
        if head[1] == _ERROR:
            text = rest[len(rest) - body_size + 4 :].rstrip(b"\0").decode(errors="replace")
            raise ScopeRefused(
                f"systemd refuses a group: {text}",
                hint="what is started with a limit has a group from the start",
            )


def _receive(connection: "socket.socket", size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ScopeRefused("systemd hung up")
        found += part
    return found


def request(name: str, pids: Sequence[int]) -> bytes:
    """Write the message that asks for the scope `name` with these processes."""
    body = bytearray()
    _string(body, name)
    _string(body, "fail")
    numbers = bytearray(struct.pack("<I", 4 * len(pids)))
    numbers += struct.pack(f"<{len(pids)}I", *pids)
    description = bytearray()
    _string(description, "A container of lamina's")
    mode = bytearray()
    _string(mode, "inactive-or-failed")
    properties = (
        ("Description", "s", description),
        ("Delegate", "b", struct.pack("<I", 1)),
        ("CollectMode", "s", mode),
        ("PIDs", "au", numbers),
    )
    rows = bytearray()
    for key, kind, value in properties:
        _pad(rows, 8)
        _string(rows, key)
        _signature(rows, kind)
        _pad(rows, 4)
        rows += value
    _array(body, rows)
    _array(body, b"")
    fields = bytearray()
    for number, kind, text in (
        (_PATH, "o", "/org/freedesktop/systemd1"),
        (_INTERFACE, "s", "org.freedesktop.systemd1.Manager"),
        (_MEMBER, "s", "StartTransientUnit"),
        (_DESTINATION, "s", "org.freedesktop.systemd1"),
        (_SIGNATURE, "g", "ssa(sv)a(sa(sv))"),
    ):
        _pad(fields, 8)
        fields.append(number)
        _signature(fields, kind)
        (_signature if kind == "g" else _string)(fields, text)
    message = bytearray(struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), 1, len(fields)))
    message += fields
    _pad(message, 8)
    return bytes(message + body)


def _pad(buffer: bytearray, size: int) -> None:
    buffer += bytes(-len(buffer) % size)


def _string(buffer: bytearray, text: str) -> None:
    _pad(buffer, 4)
    data = text.encode()
    buffer += struct.pack("<I", len(data)) + data + b"\0"


def _signature(buffer: bytearray, text: str) -> None:
    buffer.append(len(text))
    buffer += text.encode() + b"\0"


def _array(buffer: bytearray, rows: "bytes | bytearray") -> None:
    """Add an array of structures: they begin at eights, whether there are any or not."""
    _pad(buffer, 4)
    buffer += struct.pack("<I", len(rows))
    _pad(buffer, 8)
    buffer += rows
