"""Large blobs the short way: the file is still open, the kernel sends it, nobody is asked."""

import contextlib
import os
import socket
import stat

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.lines import Line, head, set_private, without_own
from tests.hub.raw import connect

from lamina.hub import Hub, HubSettings, remembered, running
from lamina.hub.v2 import blobs

DATA = os.urandom(3 * 1024 * 1024)


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, and what it knows it goes on knowing."""
    return hub


@pytest.fixture
def asked(hub, monkeypatch) -> list[str]:
    """What went the long way."""
    went: list[str] = []
    opened = hub.services.storage.open

    def noted(digest, place):
        went.append(digest)
        return opened(digest, place)

    monkeypatch.setattr(hub.services.storage, "open", noted)
    return went


@pytest.fixture(scope="module")
def path(alice) -> str:
    return f"/v2/alice/large/blobs/{alice.push_blob('alice/large', DATA)}"


def kept_open(hub: Hub) -> int:
    """Count the descriptors of this process that lead to the hub's blobs."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}").startswith(f"{hub.root}/blobs")
    return count


def test_the_second_answer_is_the_first_and_no_file_is_opened_for_it(hub, path, asked):
    with Line(hub) as line, Line(hub) as other:
        first = line.ask(path)
        assert first[2] == DATA
        for each in (line, other, line):
            assert without_own(each.ask(path)) == without_own(first)
        assert len(asked) == 1
        assert line.ask(path, "Range: bytes=5-9")[2] == DATA[5:10]
        assert line.ask(path, method="HEAD")[1]["content-length"] == str(len(DATA))
        assert line.ask(path, "If-None-Match: *")[0] == 304
        assert line.ask(path)[2] == DATA


def test_what_comes_meanwhile_is_answered_afterwards(hub, path):
    with Line(hub) as line:
        for _ in range(2):
            line.ask(path)
        line.socket.sendall(head(path))
        line.socket.sendall(head("/v2/") + head(path))
        assert [line.answer()[0] for _ in range(3)] == [200, 401, 200]


def test_a_right_that_went_and_a_blob_that_went_are_seen_and_its_file_is_let_go(hub, alice):
    path = f"/v2/alice/goes/blobs/{alice.push_blob('alice/goes', DATA + b'!')}"
    with Line(hub) as line:
        assert [line.ask(path)[0] for _ in range(3)] == [200] * 3
        set_private(hub, "alice/goes", 1)
        assert line.ask(path)[0] == 401
        set_private(hub, "alice/goes", 0)
        assert [line.ask(path)[0] for _ in range(3)] == [200] * 3
        assert kept_open(hub)
        assert alice.request("DELETE", path).status == 202
        assert line.ask(path)[0] == 404
        while kept_open(hub):
            pass


def test_a_proxy_on_the_same_machine_is_sent_to_without_pacing(hub, path):
    with Line(hub) as line:
        line.ask(path)
        ours = line.socket.getsockname()
        assert [how for peer, how in connections() if peer == ours] == [b"reno"]


def connections() -> list[tuple[object, bytes]]:
    """Give what this process's sockets are connected to, and how they avoid congestion."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile, or it only listens
            spare = os.dup(int(name))
            if not stat.S_ISSOCK(os.fstat(spare).st_mode):
                os.close(spare)
                continue
            with socket.socket(fileno=spare) as one:
                how = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
                found.append((one.getpeername(), how.rstrip(b"\0")))
    return found


def test_files_are_few_and_none_is_vast(hub, alice, monkeypatch, asked):
    monkeypatch.setattr(remembered, "_FILES", 2)
    monkeypatch.setattr(remembered, "_LARGEST_FILE", 200_000)
    sizes = (100_000, 100_001, 100_002, 300_000)
    paths = [f"/v2/alice/many/blobs/{alice.push_blob('alice/many', DATA[:size])}" for size in sizes]
    with Line(hub) as line:
        for _ in range(2):
            for path, size in zip(reversed(paths), reversed(sizes), strict=True):
                assert line.ask(path)[2] == DATA[:size]
    assert len(asked) == 6
    while kept_open(hub) != 2:  # the last one's own is closed after its answer
        pass


def test_who_goes_away_in_the_middle_is_counted_as_gone(hub, alice):
    path = f"/v2/alice/large/blobs/{alice.push_blob('alice/large', DATA * 8)}"  # sockets hold less

    def gone() -> str:
        found = hub.services.metrics.render(uploads=0, free=0).splitlines()
        return next((each for each in found if 'route="blob",code="499"' in each), "")

    before = gone()
    assert Client(hub.address).get(path).status == 200
    with connect(hub) as line:
        line.sendall(head(path))
        assert line.recv(1000)
    while gone() == before or hub.services.metrics.in_flight:
        pass


def test_a_stop_lets_a_file_come_to_its_end_and_the_connection_with_it(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=100)
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        path = f"/v2/alice/large/blobs/{alice.push_blob('alice/large', DATA * 5)}"
        assert Client(hub.address).get(path).status == 200
        line = Line(hub)
        line.socket.sendall(head(path))
        start = line.read(1000)
        hub._loop.call_soon_threadsafe(hub._stop.set)
        line.rest = start + line.rest
        assert line.answer()[2] == DATA * 5
        with contextlib.suppress(ConnectionResetError):
            assert line.socket.recv(10) == b""
        line.socket.close()


def test_who_takes_longer_than_a_connection_may_rest_gets_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_KEEP_ALIVE_S", 0.5)
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        data = DATA * 12  # more than sockets hold
        path = (
            f"/v2/alice/large/blobs/{Client(hub.address, 'alice').push_blob('alice/large', data)}"
        )
        assert Client(hub.address).get(path).status == 200
        with connect(hub) as line:
            line.sendall(head(path))
            received = len(line.recv(1000))
            for _ in range(3):
                with connect(hub) as resting:
                    resting.sendall(head("/v2/"))
                    while resting.recv(1000):  # until it is hung up on: so long it has been
                        pass
            while received <= len(data):  # and a head
                piece = line.recv(1 << 20)
                assert piece
                received += len(piece)


def test_a_blob_is_sent_though_there_is_no_descriptor_to_keep_it_by(hub, alice, monkeypatch):
    data = DATA + b"no descriptor"
    path = f"/v2/alice/large/blobs/{alice.push_blob('alice/large', data)}"

    class NoRoom(remembered.KeptFile):
        def __init__(self, *_: object) -> None:
            self._fd = -1
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(blobs, "KeptFile", NoRoom)
    with Line(hub) as line:
        assert [line.ask(path)[2] == data for _ in range(2)] == [True, True]
