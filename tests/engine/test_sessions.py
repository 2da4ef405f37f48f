"""The address of an upload outlives its process, and no longer than the upload."""

import os
from pathlib import Path

import pytest
from tests.store.disks import fill, mounted

from lamina.engine.sessions import Sessions
from lamina.spec.digest import Digest

BLOB = Digest.of(b"blob")


def test_an_address_is_found_by_the_next_process_and_forgotten_at_the_end(tmp_path: Path):
    sessions = Sessions(str(tmp_path))
    with pytest.raises(KeyError), sessions.of("r/a", BLOB) as first:
        assert (first.address, first.waited) == ("", False)
        first.note("http://r/long-address-with-a-state")
        first.note("http://r/short")
        raise KeyError
    with sessions.of("r/b", BLOB) as other:
        assert other.address == ""
    with sessions.of("r/a", BLOB) as second:
        assert second.address == "http://r/short"
    assert os.listdir(tmp_path) == []


def test_a_failure_before_there_is_an_address_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyError), Sessions(str(tmp_path)).of("r/a", BLOB):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_an_address_beyond_reason_is_not_kept(tmp_path: Path):
    with pytest.raises(KeyError), Sessions(str(tmp_path)).of("r/a", BLOB) as session:
        session.note("http://r/" + "x" * 10_000)
        raise KeyError
    assert os.listdir(tmp_path) == []


@pytest.mark.root
def test_a_disk_without_room_for_an_address_does_not_stop_the_upload(tmp_path: Path):
    with mounted(tmp_path / "tiny", "1m") as disk:
        fill(disk / "ballast", 4096)
        with Sessions(str(disk)).of("r/a", BLOB) as session:
            session.note("http://r/address")
            assert session.address == "http://r/address"
        assert os.listdir(disk) == ["ballast"]


@pytest.mark.root
def test_nor_does_one_without_room_for_a_file(tmp_path: Path):
    with mounted(tmp_path / "tiny", "1m,nr_inodes=1") as disk:
        with Sessions(str(disk)).of("r/a", BLOB) as session:
            session.note("http://r/address")
            assert session.address == "http://r/address"
        assert os.listdir(disk) == []
