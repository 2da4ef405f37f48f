"""Working in another network namespace, by a child: a plain user may enter one, but not come back."""

import errno
import os
import socket

from lamina.runtime import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["datagrams", "links_of", "new_namespace", "set_here", "switch", "within"]

_SIZE = 4096
_MOST = 8


def within(
    namespace: int, work: "Callable[[], tuple[str, Sequence[int]]]"
) -> "tuple[str, list[int]]":
    """Have a child do `work` in a namespace, a new one for -1; give its text and descriptors.

    Sockets that it makes belong there for ever, whoever holds them. Call it with a single thread.
    Raises: OSError (as the child met it).
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        try:
            if namespace < 0:
                syscalls.unshare(syscalls.CLONE_NEWNET)
            else:
                syscalls.setns(namespace, syscalls.CLONE_NEWNET)
            text, fds = work()
            socket.send_fds(theirs, [b"0 " + text.encode()], fds)
        except OSError as error:
            theirs.sendall(f"{error.errno or errno.EIO} {error.strerror or error}".encode())
        finally:
            os._exit(0)
    with ours:
        theirs.close()
        data, fds, _, _ = socket.recv_fds(ours, _SIZE, _MOST)
        os.waitpid(child, 0)
    for fd in fds:
        os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    code, _, text = data.decode("utf-8", "replace").partition(" ")
    if code != "0":
        raise OSError(int(code or errno.EIO), text or "the child died")
    return text, fds


def new_namespace() -> "tuple[int, socket.socket]":
    """Make a namespace; give its descriptor and a netlink socket of it."""

    def work() -> "tuple[str, Sequence[int]]":
        made = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return "", (made, _netlink().detach())

    _, (made, links) = within(-1, work)
    return made, socket.socket(fileno=links)


def links_of(namespace: int) -> socket.socket:
    """Give a netlink socket of a namespace."""
    _, (links,) = within(namespace, lambda: ("", (_netlink().detach(),)))
    return socket.socket(fileno=links)


def datagrams(namespace: int, address: "tuple[str, int]") -> socket.socket:
    """Give an IPv4 datagram socket bound in a namespace."""

    def work() -> "tuple[str, Sequence[int]]":
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind(address)
        return "", (sock.detach(),)

    _, (sock,) = within(namespace, work)
    return socket.socket(fileno=sock)


def switch(namespace: int, *settings: "tuple[str, str]") -> None:
    """Set switches below /proc/sys/net of a namespace; what refuses stays as it is."""

    def work() -> "tuple[str, Sequence[int]]":
        for name, value in settings:
            set_here(name, value)
        return "", ()

    within(namespace, work)


def set_here(name: str, value: str) -> None:
    """Set one switch below /proc/sys/net of our own namespace; a refusal leaves it as it is."""
    try:
        with open(f"/proc/sys/net/{name}", "w", encoding="utf-8") as file:
            file.write(value)
    except OSError:
        return


def _netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
