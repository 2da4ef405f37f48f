"""Blobs: verified on the way in, resumable, one writer per key."""

import hashlib
import os

import pytest
from tests.store.processes import killed_after, together

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.spec.digest import Digest
from lamina.store.blobs import BlobTooLarge, BlobUnknown
from lamina.store.store import Store
from lamina.stream.files import DiskFull
from lamina.stream.verify import DigestMismatch, SizeMismatch


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "root"))


def _uploads(store):
    return os.listdir(store.disk.uploads)


def test_a_blob_that_was_put_is_read_back_and_listed(store):
    digest = store.blobs.put(b"hello")
    assert digest == Digest.of(b"hello")
    assert store.blobs.has(digest)
    assert store.blobs.size(digest) == 5
    assert store.blobs.read(digest) == b"hello"
    with store.blobs.open(digest) as file:
        assert file.read() == b"hello"
    assert list(store.blobs) == [digest]
    assert store.blobs.put(b"hello") == digest
    assert _uploads(store) == []


def test_an_unknown_blob_is_named_in_the_error(store):
    digest = Digest.of(b"absent")
    assert not store.blobs.has(digest)
    for ask in (store.blobs.size, store.blobs.open, store.blobs.read):
        with pytest.raises(BlobUnknown, match=str(digest)) as error:
            ask(digest)
        assert isinstance(error.value, NotFound)
    assert store.blobs.delete(digest) == 0


def test_every_flipped_byte_of_a_blob_is_corrupt_when_read(store):
    data = b"0123456789"
    digest = store.blobs.put(data)
    for i in range(len(data)):
        damaged = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        with open(store.blobs.path(digest), "wb") as file:
            file.write(damaged)
        with pytest.raises(Corrupt, match=f"{digest} is damaged on disk") as error:
            store.blobs.read(digest)
        assert "pull it again" in error.value.hint
    os.truncate(store.blobs.path(digest), 3)
    with pytest.raises(DigestMismatch):
        store.blobs.read(digest)


def test_putting_a_blob_again_repairs_one_that_was_cut_short(store):
    digest = store.blobs.put(b"whole")
    os.truncate(store.blobs.path(digest), 2)
    store.blobs.put(b"whole")
    assert store.blobs.read(digest) == b"whole"


def test_a_blob_beyond_the_readers_limit_is_refused_before_memory_is_taken(store):
    digest = store.blobs.put(b"x" * 101)
    with pytest.raises(BlobTooLarge):
        store.blobs.read(digest, limit=100)
    assert len(store.blobs.read(digest, limit=101)) == 101


def test_a_writer_continues_where_an_earlier_one_stopped(store):
    data = os.urandom(300_000)
    digest = Digest.of(data)
    with store.blobs.writer("one") as writer:
        writer.write(data[:100_000])
    assert not store.blobs.has(digest)
    with store.blobs.writer("one") as writer:
        assert writer.offset == 100_000
        writer.write(memoryview(data)[100_000:])
        writer.commit(digest, len(data))
    assert store.blobs.read(digest) == data
    assert _uploads(store) == []


@pytest.mark.parametrize("piece", [1, 7, 50_000, 100_000, 999_999])
def test_bytes_of_an_earlier_writer_are_hashed_while_they_are_read_back(store, piece):
    data = os.urandom(1000 if piece < 10 else 100_000)
    with store.blobs.writer("one") as writer:
        writer.write(data[: len(data) // 2])
    with store.blobs.writer("one") as writer:
        with writer.reader() as reader:
            earlier = b""
            while part := reader.read(piece):
                earlier += part
        assert earlier == data[: len(data) // 2]
        writer.write(data[len(data) // 2 :])
        writer.commit(Digest.of(data), len(data))
    assert store.blobs.has(Digest.of(data))


def test_reading_only_a_part_back_still_gives_the_right_digest(store):
    data = os.urandom(5000)
    with store.blobs.writer("one") as writer:
        writer.write(data[:3000])
    with store.blobs.writer("one") as writer:
        with writer.reader() as reader:
            reader.read(1000)
        writer.write(data[3000:])
        with writer.reader() as reader:
            assert reader.read() == data
        writer.commit(Digest.of(data), len(data))


def test_bytes_past_a_cut_do_not_count(store):
    with store.blobs.writer("one") as writer:
        writer.write(b"wrong start")
        writer.truncate(0)
        writer.write(b"right, then wrong")
        writer.truncate(5)
        with pytest.raises(Invalid):
            writer.truncate(6)
        writer.commit(Digest.of(b"right"), 5)
    assert store.blobs.read(Digest.of(b"right")) == b"right"


def test_a_wrong_digest_shows_nothing_and_a_repeat_starts_anew(store):
    digest = Digest.of(b"right")
    with store.blobs.writer("one") as writer:
        writer.write(b"wrong")
        with pytest.raises(DigestMismatch, match=f"expected {digest}, got {Digest.of(b'wrong')}"):
            writer.commit(digest, 5)
    assert _uploads(store) == []
    assert list(store.blobs) == []
    with store.blobs.writer("one") as writer:
        assert writer.offset == 0
        writer.write(b"right")
        writer.commit(digest, 5)
    assert store.blobs.read(digest) == b"right"


def test_a_wrong_size_shows_nothing(store):
    with store.blobs.writer("one") as writer:
        writer.write(b"right")
        with pytest.raises(SizeMismatch):
            writer.commit(Digest.of(b"right"), 6)
    assert (_uploads(store), list(store.blobs)) == ([], [])


def test_sha512_blobs_are_kept_beside_the_others(store):
    digest = Digest.parse("sha512:" + hashlib.sha512(b"x").hexdigest())
    for algorithm in ("sha512", "sha256"):  # the second one finds out at the commit
        with store.blobs.writer("one", algorithm=algorithm) as writer:
            writer.write(b"x")
            writer.commit(digest, 1)
    assert store.blobs.read(digest) == b"x"
    assert list(store.blobs) == [digest]


def test_an_empty_blob_is_a_blob_and_an_empty_start_leaves_no_file(store):
    with store.blobs.writer("one"):
        pass
    assert _uploads(store) == []
    with store.blobs.writer("one") as writer:
        writer.commit(Digest.of(b""), 0)
    assert store.blobs.read(Digest.of(b"")) == b""


@pytest.mark.parametrize("key", ["", "a/b", "..", ".hidden", "a b", "ä", "x" * 201, "a\0b"])
def test_keys_that_could_leave_the_folder_are_refused(store, key):
    with pytest.raises(Invalid):
        store.blobs.writer(key)


def test_a_second_process_waits_for_the_first_and_finds_the_blob(store):
    data = os.urandom(200_000)
    digest = Digest.of(data)
    log = os.path.join(store.root, "log")

    def run(number):
        blobs = Store.open(store.root).blobs
        with blobs.writer("same") as writer:
            if blobs.has(digest):
                writer.discard()
                return
            with open(log, "a", encoding="ascii") as file:
                file.write(f"{number}\n")
            for start in range(0, len(data), 1000):
                writer.write(data[start : start + 1000])
            writer.commit(digest, len(data))

    together(run, *[(number,) for number in range(8)])
    with open(log, encoding="ascii") as file:
        assert len(file.readlines()) == 1, "one downloaded, seven waited"
    assert store.blobs.read(digest) == data
    assert _uploads(store) == []


def test_processes_that_put_the_same_bytes_under_other_keys_all_succeed(store):
    def run(number):
        blobs = Store.open(store.root).blobs
        for i in range(20):
            blobs.put(b"blob %d" % i)
            assert blobs.read(Digest.of(b"blob %d" % i)) == b"blob %d" % i

    together(run, *[(number,) for number in range(6)])
    assert len(list(store.blobs)) == 20
    assert _uploads(store) == []


def test_after_kill_9_in_mid_write_the_next_writer_continues(store):
    data = os.urandom(500_000)

    def run(root, told):
        writer = Store.open(root).blobs.writer("one")
        writer.write(data[:400_000])
        told()

    killed_after(run, store.root, sign="wrote")
    assert list(store.blobs) == []
    with store.blobs.writer("one") as writer:
        assert writer.offset == 400_000
        writer.write(data[400_000:])
        writer.commit(Digest.of(data), len(data))
    assert store.blobs.read(Digest.of(data)) == data


def test_partial_blobs_are_listed_and_only_idle_old_ones_dropped(store):
    with store.blobs.writer("idle") as writer:
        writer.write(b"12345")
    busy = store.blobs.writer("busy")
    busy.write(b"123")
    rows = {row.key: (row.size, row.busy) for row in store.blobs.partials()}
    assert rows == {"idle": (5, False), "busy": (3, True)}
    changed = next(row.changed for row in store.blobs.partials() if row.key == "idle")
    assert store.blobs.drop_partials(before=changed) == 0
    assert store.blobs.drop_partials(before=changed + 1000) == 5
    busy.write(b"45")
    busy.commit(Digest.of(b"12345"), 5)
    assert store.blobs.has(Digest.of(b"12345"))


@pytest.mark.root
def test_on_a_full_disk_the_writer_says_so_and_its_bytes_stay_good(tiny_disk):
    store = Store.open(str(tiny_disk / "root"))
    data = os.urandom(3_000_000)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(6_500_000))
    with store.blobs.writer("one") as writer:
        with pytest.raises(DiskFull, match="no space left") as error:
            writer.write(data)
        assert "prune" in error.value.hint
        assert 0 < writer.offset < len(data)
    assert list(store.blobs) == []
    ballast.unlink()
    with store.blobs.writer("one") as writer:
        writer.write(data[writer.offset :])
        writer.commit(Digest.of(data), len(data))
    assert store.blobs.read(Digest.of(data), limit=10**7) == data
    ballast.write_bytes(bytes(4_000_000))
    with pytest.raises(DiskFull):
        store.blobs.put(os.urandom(3_500_000))
    assert _uploads(store) == []
