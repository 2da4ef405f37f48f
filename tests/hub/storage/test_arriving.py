"""Small blobs that come in the database, until they have files of their own."""

import errno
import os

import pytest
from tests.hub.clients import digest

from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.errors import BlobUnknown
from lamina.hub.storage import disk
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.whole_disk import sync_file_system
from lamina.hub.tables import arrivals, repositories
from lamina.hub.tables import blobs as blob_rows
from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest


@pytest.fixture
def database(tmp_path):
    opened = SqliteDatabase(str(tmp_path / "hub.db"))
    yield opened
    opened.close()


@pytest.fixture
def storage(database, tmp_path) -> DiskStorage:
    return DiskStorage(str(tmp_path), database)


def arrive(database, *blobs: bytes) -> list[Digest]:
    named = [Digest(digest(data)) for data in blobs]

    def work(connection) -> None:
        for number, (data, name) in enumerate(zip(blobs, named, strict=True)):
            arrivals.add(connection, f"place{number}", name, data)

    database.write(work)
    return named


def waiting(database) -> list[str]:
    return [
        each.place for each in database.read(lambda it: arrivals.oldest(it, after=0, limit=999))
    ]


def read(storage, name: Digest, place: str) -> bytes:
    with storage.open(name, place) as file:
        return bytes(file.read())


def test_they_are_read_before_and_after_they_have_files(database, storage, tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_TOGETHER", 200)  # more than one wait for the disk
    blobs = [b"%d bytes" % number for number in range(300)]
    named = arrive(database, *blobs)
    for _ in range(2):
        for number in (0, 7, 299):
            assert read(storage, named[number], f"place{number}") == blobs[number]
        count = len(waiting(database))
        assert storage.settle() == count
    assert waiting(database) == []
    assert os.listdir(tmp_path / "uploads") == []
    with pytest.raises(BlobUnknown):
        storage.open(named[0], "place1")


def test_what_was_half_done_when_the_power_went_is_done_again(database, storage, tmp_path):
    (named,) = arrive(database, b"whole")
    folder = tmp_path / "blobs" / "sha256" / named.hex[:2]
    folder.mkdir(parents=True)
    (folder / f"{named.hex}.place0").write_bytes(b"\0\0")  # as some file systems leave it
    (tmp_path / "uploads" / "place0.beef").write_bytes(b"wh")
    assert storage.settle() == 1
    assert read(storage, named, "place0") == b"whole"


def test_a_full_disk_loses_nothing_and_the_next_time_succeeds(
    database, storage, monkeypatch, tmp_path
):
    named = arrive(database, b"one", b"two")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for broken in ("_write_all", "sync_file_system"):
        with monkeypatch.context() as patch:
            patch.setattr(disk, broken, full)
            with pytest.raises(OSError, match="No space"):
                storage.settle()
        assert [read(storage, name, f"place{n}") for n, name in enumerate(named)] == [b"one", b"two"]  # fmt: skip
        assert len(waiting(database)) == 2
        assert os.listdir(tmp_path / "uploads") == []  # every three seconds one more would fill it
    assert storage.settle() == 2


def test_what_is_dropped_is_gone_though_it_is_being_settled(
    database, storage, monkeypatch, tmp_path
):
    named = arrive(database, b"goes", b"stays", b"went")
    storage.drop([(named[2], "place2")])
    with pytest.raises(BlobUnknown):
        storage.open(named[2], "place2")

    def drop_meanwhile(folder: str) -> None:
        sync_file_system(folder)
        DiskStorage(str(tmp_path), database).drop([(named[0], "place0")])
        (tmp_path / "blobs" / "sha256" / named[0].hex[:2] / f"{named[0].hex}.place0").touch()

    monkeypatch.setattr(disk, "sync_file_system", drop_meanwhile)
    assert storage.settle() == 1
    with pytest.raises(BlobUnknown):
        storage.open(named[0], "place0")
    assert read(storage, named[1], "place1") == b"stays"


def test_what_gets_its_file_while_it_is_dropped_leaves_none(
    database, storage, monkeypatch, tmp_path
):
    (named,) = arrive(database, b"goes")
    write = database.write

    def settle_first(work, **more):
        monkeypatch.setattr(database, "write", write)
        assert DiskStorage(str(tmp_path), database).settle() == 1
        return write(work, **more)

    monkeypatch.setattr(database, "write", settle_first)
    storage.drop([(named, "place0")])
    assert [files for _, _, files in os.walk(tmp_path / "blobs") if files] == []


def test_other_bytes_that_come_for_the_same_upload_are_never_taken_for_the_blob(
    database, storage, tmp_path
):
    (named,) = arrive(database, b"the right ones")
    others = b"the wrong ones"
    for settles in (False, True):
        storage.take("place0", Digest(digest(others)), others)  # and the process was killed
        assert read(storage, named, "place0") == b"the right ones"
        if settles:
            storage.shelve(named, "place0")  # as a sweep does with what it finds
            assert os.listdir(tmp_path / "uploads") == []
        else:
            assert storage.settle() == 1
            storage.drop_upload("place0")
    assert read(storage, named, "place0") == b"the right ones"


def test_what_two_processes_settle_at_once_stays_and_so_does_what_came_meanwhile(
    database, storage, monkeypatch, tmp_path
):
    def come(*blobs: bytes) -> list[Digest]:
        def work(connection) -> list[Digest]:
            repository = repositories.ensure(connection, "alice/app", now=1)
            named = [Digest(digest(data)) for data in blobs]
            for data, name in zip(blobs, named, strict=True):
                arrivals.add(connection, data.decode(), name, data)
                kept = Kept(data.decode(), len(data))
                blob_rows.add(connection, repository.id, name, kept, now=1)
            return named

        made: list[Digest] = database.write(work)
        return made

    first = come(b"one", b"two")
    late: list[Digest] = []

    def meanwhile(folder: str) -> None:
        sync_file_system(folder)
        monkeypatch.setattr(disk, "sync_file_system", sync_file_system)
        assert DiskStorage(str(tmp_path), database).settle() == 2
        late.extend(come(b"three", b"four"))  # they get the numbers that are free again

    monkeypatch.setattr(disk, "sync_file_system", meanwhile)
    storage.settle()
    for name, data in zip((*first, *late), (b"one", b"two", b"three", b"four"), strict=True):
        assert read(storage, name, data.decode()) == data
    storage.settle()
    assert read(storage, late[0], "three") == b"three"


def test_what_comes_while_the_disk_is_waited_for_waits_for_the_next_time(
    database, storage, monkeypatch
):
    def work(connection) -> None:
        number = len(waits)
        arrivals.add(connection, f"late{number}", Digest(digest(b"%d" % number)), b"%d" % number)

    def sync(folder: str) -> None:
        waits.append(folder)
        database.write(work)

    waits: list[str] = []
    arrive(database, b"one", b"two")
    monkeypatch.setattr(disk, "sync_file_system", sync)
    assert storage.settle() == 2
    assert (len(waits), waiting(database)) == (1, ["late1"])
    assert storage.settle() == 1


def test_a_link_is_made_once_there_is_a_file(database, storage, tmp_path):
    (named,) = arrive(database, b"small")
    path = str(tmp_path / "linked")
    assert not storage.export(named, "place0", path)
    storage.settle()
    assert storage.export(named, "place0", path)
    with pytest.raises(BlobUnknown):
        storage.export(named, "elsewhere", path)
