"""Large blobs the short way: the file is still open, the kernel sends it, nobody is asked."""

import contextlib
import os

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.lines import Line, head, set_private, without_own

from lamina.hub import Hub, remembered

DATA = os.urandom(3 * 1024 * 1024)


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


def test_who_goes_away_in_the_middle_is_counted_as_gone(hub, path):
    def gone() -> str:
        found = hub.services.metrics.render(uploads=0, free=0).splitlines()
        return next((each for each in found if 'route="blob",code="499"' in each), "")

    before = gone()
    with Line(hub) as line:
        for _ in range(2):
            line.ask(path)
        line.socket.sendall(head(path))
        assert line.socket.recv(1000)
    while gone() == before:
        pass
    assert "lamina_hub_requests_in_flight 0" in hub.services.metrics.render(uploads=0, free=0)


def test_a_stop_lets_a_file_come_to_its_end_and_the_connection_with_it(tmp_path):
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        path = f"/v2/alice/large/blobs/{alice.push_blob('alice/large', DATA * 5)}"
        line = Line(hub)
        for _ in range(2):
            line.ask(path)
        line.socket.sendall(head(path))
        start = line.read(1000)
        hub._loop.call_soon_threadsafe(hub._stop.set)
        line.rest = start + line.rest
        assert line.answer()[2] == DATA * 5
        with contextlib.suppress(ConnectionResetError):
            assert line.socket.recv(10) == b""
        line.socket.close()
