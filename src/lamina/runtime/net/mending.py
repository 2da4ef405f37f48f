"""What carries a container's network is replaced when it was killed: keeper, port carrier, tunnel.

The shim's loop asks `Mending` what to watch. A keeper that is gone is started anew by the first
member's shim that notices, as that one's child; the others find it there. Addresses stay, so that
connections inside go on. What cannot be replaced now is tried again.
"""

import os
import socket
import time
from collections.abc import Callable, Container
from contextlib import suppress
from struct import Struct

from lamina.errors import LaminaError
from lamina.spec.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.net.wires import Link, Wires

__all__ = ["Mending", "relieve"]

_FIRST_S, _LONGEST_S = 0.2, 10.0
_WELL_S = 30.0
_PATIENCE_S = 30.0
_PIECE = 4096
_CREDENTIALS = Struct("3i")


class Mending:
    """Watches over one container's wires. `tell` is called when something was replaced."""

    def __init__(
        self,
        wires: "Wires",
        tell: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wires = wires
        self._tell = tell
        self._clock = clock
        self._children: dict[int, int] = {}  # pid: pidfd
        self._lost: list[Link] = []
        self._due = 0.0
        self._delay_s = 0.0
        self._tried = -_WELL_S

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors that become readable when something is gone."""
        return (*self._connections(), *self._watched().values())

    def wait_s(self) -> float | None:
        """Give how long from now nothing has to be done; None while all is well."""
        return max(0.0, self._due - self._clock()) if self._is_broken() else None

    def turn(self, ready: Container[int]) -> None:
        """Note what is gone, and replace it when it is time to."""
        for fd, link in self._connections().items():
            if fd in ready and link.is_gone():
                self._lost.append(link)
        for pid, fd in list(self._children.items()):
            if fd in ready:
                self._reap(pid)
        if self._is_broken() and self._clock() >= self._due:
            self._mend()

    def _connections(self) -> "dict[int, Link]":
        return {row.sock.fileno(): row for row in self._wires.links if row not in self._lost}

    def _watched(self) -> dict[int, int]:
        """Give the children to watch, with descriptors that tell their ends."""
        for pid in (self._wires.carrier, self._wires.tunnel):
            if pid and pid not in self._children:
                try:
                    self._children[pid] = os.pidfd_open(pid)
                except ProcessLookupError:
                    self._gone(pid)
        return self._children

    def _reap(self, pid: int) -> None:
        os.close(self._children.pop(pid))
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        self._gone(pid)

    def _gone(self, pid: int) -> None:
        wires = self._wires
        wires.carrier = 0 if wires.carrier == pid else wires.carrier
        wires.tunnel = 0 if wires.tunnel == pid else wires.tunnel

    def _is_broken(self) -> bool:
        self._lost = [link for link in self._lost if link in self._wires.links]  # or it left
        return bool(self._lost) or not self._wires.is_whole()

    def _mend(self) -> None:
        now = self._clock()
        calm = now - self._tried >= _WELL_S
        self._delay_s = _FIRST_S if calm else min(2 * self._delay_s, _LONGEST_S)
        self._tried = now
        self._due = now + self._delay_s
        try:
            for link in list(self._lost):
                self._wires.rejoin(link)
                self._lost.remove(link)
            self._wires.restore()
        except (LaminaError, OSError) as error:
            self._wires.complain(error)
        self._tell()


def relieve(sock: socket.socket) -> None:
    """End the keeper at the other end if it is our child, which would be killed with us."""
    pid, _, _ = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    if pid != os.getpid():  # we made both ends of this connection, and it took one along
        return
    with suppress(OSError):
        sock.settimeout(_PATIENCE_S)
        sock.sendall(encode({"op": "end"}) + b"\n")
        while sock.recv(_PIECE):
            pass
