"""Parts of files by the kernel, to clients that read slowly, stop, or come by TLS."""

import asyncio
import contextlib
import io
import os
import socket
import ssl
from collections.abc import Callable

import pytest
import trustme

from lamina.hub.sending import send_file, spare_pacing

SIZE = 3_000_000
LARGE = 100_000_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    with path.open("rb", buffering=0) as opened:
        yield opened


class Serving(asyncio.Protocol):
    """Sends a part of a file once it is asked to, and what comes after it."""

    def __init__(self, file: io.FileIO, first: int, length: int) -> None:
        self.part = file, first, length
        self.sent: asyncio.Task[None] | None = None
        self.heard = b""
        self.is_over = asyncio.Event()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if self.sent is None:
            self.sent = asyncio.get_running_loop().create_task(self.send())

    async def send(self) -> None:
        try:
            self.transport.write(b"head\n")
            await send_file(self.transport, *self.part)
            self.transport.write(b"\nend")
        finally:
            self.is_over.set()


@contextlib.asynccontextmanager
async def serving(file, first: int, length: int, context: ssl.SSLContext | None = None):
    made: list[Serving] = []

    def make() -> Serving:
        made.append(Serving(file, first, length))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], made
        for each in made:
            each.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.001)


@pytest.fixture
def large(file):
    """More than sockets hold."""
    os.truncate(file.name, LARGE)
    return file


@pytest.mark.parametrize(("first", "length"), [(0, SIZE), (1, SIZE - 1), (SIZE - 5, 5), (0, 1)])
def test_the_part_comes_between_what_is_written_before_and_after(file, first, length):
    async def run() -> bytes:
        async with serving(file, first, length) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(b"go")
            found = await reader.readexactly(5 + length + 4)
            writer.close()
            return found

    assert asyncio.run(run()) == b"head\n" + os.pread(file.fileno(), length, first) + b"\nend"


def test_it_comes_by_tls_too(file):
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(ours)
    authority.configure_trust(theirs)

    async def run() -> bytes:
        async with serving(file, 7, 100_000, ours) as (port, _):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=theirs, server_hostname="localhost"
            )
            writer.write(b"go")
            found = await reader.readexactly(5 + 100_000 + 4)
            writer.close()
            return found

    assert asyncio.run(run()) == b"head\n" + os.pread(file.fileno(), 100_000, 7) + b"\nend"


def test_what_a_client_says_meanwhile_is_heard_afterwards(file):
    async def run() -> None:
        async with serving(file, 0, SIZE) as (port, made):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(b"go")
            await reader.readexactly(5)
            writer.write(b"more")
            await reader.readexactly(SIZE + 4)
            await until(lambda: made[0].heard == b"gomore")
            writer.close()

    asyncio.run(run())


def test_a_client_that_goes_is_told_of_and_leaves_no_descriptor(large):
    async def run() -> None:
        async with serving(large, 0, LARGE) as (port, made):
            before = len(os.listdir("/proc/self/fd"))
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.send(b"go")
                await until(lambda: bool(made) and made[0].sent is not None)
            await made[0].is_over.wait()
            assert made[0].sent is not None
            with pytest.raises(ConnectionError):
                await made[0].sent
            made[0].transport.abort()
            await until(lambda: len(os.listdir("/proc/self/fd")) <= before)

    asyncio.run(run())


def test_a_file_that_became_shorter_ends_the_connection_and_not_the_loop(file):
    async def run() -> None:
        async with serving(file, 0, SIZE + 1) as (port, made):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"go")
            await reader.readexactly(5 + SIZE)
            await made[0].is_over.wait()
            assert made[0].sent is not None
            with pytest.raises(ConnectionAbortedError):
                await made[0].sent
            writer.close()

    asyncio.run(run())


def test_whoever_waits_may_be_cancelled(large):
    async def run() -> None:
        async with serving(large, 0, LARGE) as (port, made):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.send(b"go")
                await until(lambda: bool(made) and made[0].sent is not None)
                made[0].sent.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await made[0].sent

    asyncio.run(run())


@pytest.mark.parametrize(
    ("comes", "is_here"),
    [("127.0.0.1", True), ("127.0.0.2", False)],  # another address: as good as another machine
)
def test_who_is_on_this_machine_is_sent_to_without_pacing(comes, is_here):
    async def run() -> bytes:
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        class Asking(asyncio.Protocol):
            def connection_made(self, transport) -> None:
                spare_pacing(transport)
                done.set_result(congestion_control(transport.get_extra_info("socket")))

        server = await asyncio.get_running_loop().create_server(Asking, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(comes, 0))
            found = await done
            writer.close()
        return found

    assert asyncio.run(run()) == (b"reno" if is_here else machines_own())


def congestion_control(one: socket.socket) -> bytes:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


def machines_own() -> bytes:
    with socket.socket() as fresh:
        return congestion_control(fresh)
