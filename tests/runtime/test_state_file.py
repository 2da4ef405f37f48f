import os

import pytest
from tests.store.disks import fill, mounted

from lamina.runtime.process import StartFailed
from lamina.runtime.state_file import StateFile, not_started, starting


@pytest.fixture
def full(tmp_path):
    """A state file on a disk that had its last byte taken after the start."""
    with mounted(tmp_path / "disk", "1m") as disk:
        file = StateFile(str(disk))
        file.reserve()
        file.write({"status": "running"})
        fill(disk / "ballast", 4096)
        yield file, disk


@pytest.mark.root
def test_a_state_is_written_on_a_disk_without_a_free_byte(full):
    file, disk = full
    with pytest.raises(OSError, match="No space left"):
        (disk / "other").write_bytes(b"x")
    file.write({"status": "running", "note": "x" * 3000})
    assert file.read() == {"status": "running", "note": "x" * 3000}
    file.write({"status": "exited", "exit_code": 7})
    assert file.read() == {"status": "exited", "exit_code": 7}
    assert not (disk / "state.json.new").exists()
    file.give_back()
    assert not (disk / "state.spare").exists()


@pytest.mark.root
def test_what_checks_said_is_left_out_where_it_does_not_fit(full):
    file, _ = full
    health = {"Status": "unhealthy", "FailingStreak": 3, "Log": [{"Output": "x" * 4096}]}
    file.write({"status": "exited", "exit_code": 7, "health": health})
    assert file.read() == {"status": "exited", "exit_code": 7, "health": {**health, "Log": []}}


@pytest.mark.root
def test_a_first_state_on_a_full_disk_takes_the_spares_room(tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        file = StateFile(str(disk))
        file.reserve()
        fill(disk / "ballast", 4096)
        file.write({"status": "created"})
        assert file.read() == {"status": "created"}
        with pytest.raises(OSError, match=r"state\.spare"):
            file.write({"status": "exited"})
        assert file.read() == {"status": "created"}
        with pytest.raises(OSError, match="No space left"):
            file.reserve()


def test_a_state_of_a_container_that_is_gone_is_not_written(tmp_path):
    file = StateFile(f"{tmp_path}/gone")
    file.write({"status": "exited"})
    assert file.read() == {}
    assert os.listdir(tmp_path) == []


def test_a_damaged_state_counts_as_none(tmp_path):
    (tmp_path / "state.json").write_text("{")
    assert StateFile(str(tmp_path)).read() == {}


def test_a_container_that_is_being_started_is_as_it_was():
    before = {"status": "exited", "exit_code": 3, "finished": "then", "error": "x", "stopped": True}
    state = starting(before, 77)
    assert state == {
        "status": "exited", "exit_code": 3, "finished": "then",
        "shim": 77, "starting": True, "stopped": False,
    }  # fmt: skip
    assert starting({}, 77)["status"] == "created"
    failed = state | not_started(StartFailed("no such program", exit_code=127))
    assert (failed["status"], failed["exit_code"], failed["starting"]) == ("exited", 127, False)
    assert failed["error"] == "no such program"
