"""A part of a file to a client, by the kernel: `sendfile`, as much as the socket takes at a time.

asyncio's own `sendfile` takes the socket out of its poll and puts it back each time the client has made
room, some sixty times for ten mebibytes, which cost as much as the kernel's part. Here the socket has a second
descriptor, which stays in the poll until all is sent.
"""

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import Iterator

__all__ = ["send_file", "spare_pacing"]

_AT_ONCE = 4 * 1024 * 1024  # then others have a turn
_UNPACED = b"reno"  # every kernel has it, and every process may ask for it


def spare_pacing(transport: asyncio.BaseTransport) -> None:
    """Have the kernel send at once what the client takes, where the client is on this machine, as a proxy often is.

    A machine set up for BBR lets each segment wait for a timer, for the sake of a network that is not there:
    that is half of the CPU of a large blob, for the client as well. To anyone else it goes as the machine has it.
    """
    here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    plain = transport.get_extra_info("socket")
    if isinstance(there, tuple) and isinstance(here, tuple) and here[0] == there[0]:
        with contextlib.suppress(OSError):  # a kernel that has it not: as it is set up, then
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _UNPACED)


async def send_file(transport: asyncio.Transport, file: io.FileIO, first: int, length: int) -> None:
    """Send `length` bytes of `file` from `first` on. Raises: ConnectionError, OSError (disk)."""
    loop = asyncio.get_running_loop()
    plain = transport.get_extra_info("socket")
    if transport.get_extra_info("sslcontext") or plain is None or transport.get_write_buffer_size():
        await loop.sendfile(transport, file, first, length)  # encrypted, or after what still waits
        return
    if transport.is_closing():
        raise ConnectionResetError("the client has gone")
    with _not_reading(transport), _another(plain.fileno()) as second:
        await _send(loop, second, file.fileno(), first, first + length)


async def _send(
    loop: asyncio.AbstractEventLoop, plain: int, file: int, first: int, last: int
) -> None:
    """Send until all is sent; who waits is cancelled where the connection is to end before."""
    done = loop.create_future()

    def step() -> None:
        nonlocal first
        try:
            sent = os.sendfile(plain, file, first, min(last - first, _AT_ONCE))
            if not sent:
                raise ConnectionAbortedError("the file has become shorter")
        except BlockingIOError:  # someone else was quicker to write, or it is full at the start
            return
        except OSError as error:
            settle(error)
            return
        first += sent
        if first == last:
            settle(None)

    def settle(error: OSError | None) -> None:
        loop.remove_writer(plain)
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(None)

    step()  # most often there is room
    if done.done():
        await done
        return
    loop.add_writer(plain, step)
    try:
        await done
    finally:
        loop.remove_writer(plain)


@contextlib.contextmanager
def _not_reading(transport: asyncio.Transport) -> Iterator[None]:
    """Leave what the client says meanwhile in its socket: an end of it would close ours."""
    is_ours = transport.is_reading()
    if is_ours:
        transport.pause_reading()
    try:
        yield
    finally:
        if is_ours and not transport.is_closing():
            transport.resume_reading()


@contextlib.contextmanager
def _another(descriptor: int) -> Iterator[int]:
    """Give a second descriptor of the same socket, which the loop may watch beside the first."""
    made = os.dup(descriptor)
    try:
        yield made
    finally:
        os.close(made)
