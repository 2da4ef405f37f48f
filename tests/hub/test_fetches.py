"""Blobs that are read while they come."""

import asyncio
import threading
from functools import partial
from typing import BinaryIO

import pytest

from lamina.errors import Unavailable
from lamina.hub.errors import UpstreamFailed
from lamina.hub.fetches import Fetch, Fetches

_PATIENCE_S = 100


class Slowly:
    """A source whose pieces come when the test says so; `error` ends it."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.error = error
        self.gate = threading.Semaphore(0)
        self.is_open = threading.Event()
        self.kept = b""
        self.is_closed = False
        self.is_finished = False

    def open(self) -> None:
        self.is_open.set()

    def read(self, size: int) -> bytes:
        assert self.gate.acquire(timeout=_PATIENCE_S)
        if self.pieces:
            return self.pieces.pop(0)
        if self.error:
            raise self.error
        return b""

    def keep(self, piece: bytes) -> None:
        self.kept += piece

    def follow(self) -> BinaryIO | None:
        return None

    def finish(self) -> None:
        assert self.gate.acquire(timeout=_PATIENCE_S)
        self.is_finished = True

    def close(self) -> None:
        self.is_closed = True


class Followed(Slowly):
    """A source that keeps its pieces in a file which can be read meanwhile."""

    def __init__(self, path, *pieces: bytes) -> None:
        super().__init__(*pieces)
        self.path = path
        path.touch()

    def keep(self, piece: bytes) -> None:
        with open(self.path, "ab") as file:
            file.write(piece)

    def follow(self) -> BinaryIO | None:
        return open(self.path, "rb", buffering=0)

    def finish(self) -> None:
        super().finish()
        self.path.unlink()


def test_what_can_be_read_where_it_is_kept_is_written_once(tmp_path):
    async def run():
        fetches = Fetches(lambda: pytest.fail("written twice"))
        source = Followed(tmp_path / "kept", b"abc", b"def")
        fetch = fetches.join(("r", "d"), 6, lambda: source)
        with fetch.held():
            for end in (3, 5):
                source.gate.release()
                assert await fetch.reach(end - 1) == end
                assert fetch.read(0, end) == b"abcdef"[:end]
            source.gate.release(2)
            assert await fetch.reach(5) == 6
            assert fetch.read(0, 6) == b"abcdef"
        fetches.close()

    asyncio.run(run())


def test_readers_get_what_came_and_the_last_byte_when_all_is_kept(tmp_path):
    async def run():
        fetches = Fetches(lambda: str(tmp_path))
        source = Slowly(b"abc", b"def")
        fetch = fetches.join(("r", "d"), 6, lambda: source)
        assert fetches.join(("r", "d"), 6, lambda: pytest.fail("twice")) is fetch
        fetch.release()
        with fetch.held():
            source.gate.release()
            assert await fetch.reach(0) == 3
            assert fetch.read(0, 3) == b"abc"
            source.gate.release()
            assert await fetch.reach(3) == 5
            whole = asyncio.ensure_future(fetch.reach(5))
            source.gate.release()  # the end of the bytes
            await asyncio.sleep(0)
            assert not whole.done()
            source.gate.release()  # verified and kept
            assert await whole == 6
            assert fetch.read(5, 10) == b"f"
        assert (source.kept, source.is_closed) == (b"abcdef", True)
        fetches.close()

    asyncio.run(run())


def test_what_ends_it_early_is_told_to_those_who_wait_and_not_to_those_who_have_enough(tmp_path):
    async def run():
        fetches = Fetches(lambda: str(tmp_path))
        source = Slowly(b"abc", error=UpstreamFailed("broke off"))
        with fetches.join(("r", "d"), 6, lambda: source).held():
            fetch = fetches.join(("r", "d"), 6, lambda: source)
            waiting = asyncio.ensure_future(fetch.reach(3))
            source.gate.release()
            source.gate.release()
            with pytest.raises(UpstreamFailed, match="broke off"):
                await waiting
            assert await fetch.reach(0) == 3
            assert fetch.read(0, 10) == b"abc"
            fetch.release()
        assert (source.is_closed, source.is_finished) == (True, False)
        fetches.close()
        await asyncio.sleep(0)  # the loop is told of the end by the thread that fetched
        assert not len(fetches)

    asyncio.run(run())


def test_no_room_and_a_hub_that_stops_are_said_at_once(tmp_path):
    async def run():
        fetches = Fetches(lambda: str(tmp_path / "absent"))
        with fetches.join(("r", "d"), 6, Slowly).held():
            fetch = fetches.join(("r", "d"), 6, Slowly)
            with pytest.raises(UpstreamFailed, match="no room"):
                await fetch.reach(0)
            fetch.release()
        stopped = Fetches(lambda: str(tmp_path))
        stopped.close()
        with pytest.raises(Unavailable, match="stopping"):
            stopped.join(("r", "d"), 6, Slowly)
        fetches.close()

    asyncio.run(run())


def test_bytes_that_are_gone_cannot_be_held_again(tmp_path):
    fetch = Fetch(3, lambda: str(tmp_path))
    assert fetch.hold()
    fetch.release()
    fetch.release()
    assert not fetch.hold()


def test_who_comes_when_it_has_broken_off_does_not_get_what_came_before(tmp_path):
    fetch, source = Fetch(6, lambda: str(tmp_path)), Slowly(b"bad", error=UpstreamFailed("no"))
    assert fetch.hold()  # by a reader, who still reads
    source.gate.release(2)
    fetch.run(source)
    assert not fetch.hold()
    fetch.release()


def test_an_empty_blob_is_whole_once_it_is_kept(tmp_path):
    async def run():
        fetches = Fetches(lambda: str(tmp_path))
        source = Slowly()
        source.gate.release()
        source.gate.release()
        with fetches.join(("r", "d"), 0, lambda: source).held():
            fetch = fetches.join(("r", "d"), 0, lambda: source)
            assert await fetch.reach(0) == 0
            fetch.release()
        fetches.close()

    asyncio.run(run())


def _itself(source: Slowly) -> Slowly:
    return source


def test_those_who_wait_for_a_fetch_that_never_began_are_told_when_the_hub_stops(tmp_path):
    async def run():
        fetches = Fetches(lambda: str(tmp_path))
        busy = [Slowly() for _ in range(8)]
        held = [
            fetches.join((str(number), "d"), 6, partial(_itself, source))
            for number, source in enumerate(busy)
        ]
        for source in busy:  # whose threads have begun: else a stop drops them with the late one
            await asyncio.to_thread(source.is_open.wait, _PATIENCE_S)
        late = fetches.join(("late", "d"), 6, Slowly)
        waiting = asyncio.ensure_future(late.reach(0))
        closing = asyncio.create_task(asyncio.to_thread(fetches.close))
        with pytest.raises(Unavailable, match="stopping"):
            await waiting
        for source in busy:
            source.gate.release()
            source.gate.release()
        await closing
        for each in (*held, late):
            each.release()

    asyncio.run(run())
