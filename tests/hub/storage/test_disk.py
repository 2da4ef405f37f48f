"""Bytes on a local disk."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.clients import digest

from lamina.hub.errors import BlobUnknown, DigestDisagrees, UploadTaken, UploadUnknown
from lamina.hub.storage import disk
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> DiskStorage:
    return DiskStorage(str(tmp_path_factory.mktemp("storage")))


def write(storage: DiskStorage, upload: str, *pieces: bytes) -> int:
    incoming = storage.resume(upload)
    incoming.write(list(pieces))
    incoming.close()
    return incoming.offset


def test_pieces_become_a_blob_that_is_read_before_and_after_it_is_shelved(storage):
    storage.begin("a")
    assert write(storage, "a", b"one ", b"two ") == 8
    assert write(storage, "a", b"three") == storage.received("a") == 13
    named = Digest(digest(b"one two three"))
    assert storage.commit("a", named) == storage.commit("a", named) == Kept("a", 13)
    for _ in range(3):
        with storage.open(named, "a") as file:
            assert file.read() == b"one two three"
        storage.shelve(named, "a")
    with pytest.raises(UploadUnknown):
        storage.received("a")
    storage.drop([(named, "a")])
    with pytest.raises(BlobUnknown):
        storage.open(named, "a")


def test_an_upload_goes_on_in_another_process(storage, tmp_path):
    first = DiskStorage(str(tmp_path))
    first.begin("b")
    write(first, "b", b"before ")
    second = DiskStorage(str(tmp_path))
    assert write(second, "b", b"after") == 12
    assert second.commit("b", Digest(digest(b"before after"))).size == 12


def test_two_processes_do_not_write_one_upload_at_once(storage):
    storage.begin("shared")
    incoming = storage.resume("shared")
    with pytest.raises(UploadTaken):
        DiskStorage(os.path.dirname(storage._uploads)).resume("shared")
    incoming.close()
    storage.resume("shared").close()


def test_a_blob_of_a_hub_before_places_lies_where_its_digest_says(tmp_path):
    named = Digest(digest(b"old"))
    folder = tmp_path / "blobs" / "sha256" / named.hex[:2]
    folder.mkdir(parents=True)
    (folder / named.hex).write_bytes(b"old")
    storage = DiskStorage(str(tmp_path))
    with storage.open(named, "") as file:
        assert file.read() == b"old"
    storage.drop([(named, "")])
    with pytest.raises(BlobUnknown):
        storage.open(named, "")


def test_uploads_that_rested_are_strays(storage, tmp_path):
    storage = DiskStorage(str(tmp_path))
    for upload in ("old", "new"):
        storage.begin(upload)
    os.utime(tmp_path / "uploads" / "old", (1, 1))
    assert list(storage.strays(age_s=3600)) == ["old"]


def test_a_torn_file_is_found_out_by_its_digest(tmp_path):
    storage = DiskStorage(str(tmp_path))
    storage.begin("torn")
    write(storage, "torn", b"good bytes")
    os.truncate(tmp_path / "uploads" / "torn", 4)
    with pytest.raises(DigestDisagrees):
        storage.commit("torn", Digest(digest(b"good bytes")))
    with pytest.raises(UploadUnknown):
        storage.resume("torn")


def test_unknown_things_are_said_to_be_unknown_and_gone_ones_may_go_again(storage):
    with pytest.raises(BlobUnknown):
        storage.open(Digest(digest(b"never")), "never")
    with pytest.raises(UploadUnknown):
        storage.commit("never", Digest(digest(b"never")))
    storage.drop([(Digest(digest(b"never")), "never")])
    storage.drop_upload("never")


@given(st.lists(st.lists(st.binary(max_size=50), max_size=4), min_size=1, max_size=5))
def test_any_batches_give_the_digest_of_the_whole(storage, batches):
    storage.begin("p")
    for pieces in batches:
        if any(pieces):
            write(storage, "p", *pieces)
    whole = b"".join(b"".join(pieces) for pieces in batches)
    assert storage.commit("p", Digest(digest(whole, "sha512"))).size == len(whole)
    storage.drop_upload("p")


def test_a_large_upload_is_on_its_way_to_the_disk_before_it_is_whole(storage, monkeypatch):
    begun: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def noted(fd: int, offset: int, size: int, advice: int) -> None:
        begun.append((offset, size))
        advise(fd, offset, size, advice)

    monkeypatch.setattr(os, "posix_fadvise", noted)
    storage.begin("large")
    piece = os.urandom(1 << 20)
    assert write(storage, "large", *[piece] * 9) == 9 << 20
    incoming = storage.resume("large")
    for _ in range(11):
        incoming.write([piece])
    incoming.close()
    assert begun == [(0, 9 << 20), (9 << 20, 8 << 20)]
    named = Digest(digest(piece * 20))
    assert storage.commit("large", named) == Kept("large", 20 << 20)


def test_what_a_full_disk_refuses_takes_no_room_on_it(tmp_path, monkeypatch):
    storage, data = DiskStorage(str(tmp_path)), b"as much as there is room for"

    def write_some(fd: int, _: object) -> int:
        os.write(fd, data[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(disk, "_write_all", write_some)
        with pytest.raises(OSError, match="No space"):
            storage.take("small", Digest(digest(data)), data)
    assert os.listdir(tmp_path / "uploads") == []
    assert storage.take("small", Digest(digest(data)), data) == Kept("small", len(data))
    with pytest.raises(FileExistsError):
        storage.take("small", Digest(digest(data)), data)
    assert storage.received("small") == len(data)
