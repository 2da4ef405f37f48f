import json
import os
import time
from pathlib import Path

import pytest

from lamina.engine import records as module
from lamina.engine.clock import rfc3339
from lamina.engine.records import ContainerRecord, Records, hold
from lamina.spec.digest import Digest

ID = "a" * 64


def record(**facts) -> ContainerRecord:
    values = {
        "id": ID, "name": "n", "created": "2026-01-01T00:00:00Z", "image_id": Digest.of(b""),
        "image_name": "i", "diff_ids": (Digest.of(b"x"),), "config": {"Tty": True}, "host": {},
        "path": "sh", "args": ("-c", "echo 'a b'"), "driver": "sealed", **facts,
    }  # fmt: skip
    return ContainerRecord(**values)


@pytest.fixture
def records(tmp_path) -> Records:
    (tmp_path / ID).mkdir()
    return Records(str(tmp_path))


def write_state(records: Records, **facts: object) -> None:
    Path(records.folder, ID, "state.json").write_text(json.dumps(facts))  # noqa: TID251


def test_a_record_is_read_as_it_was_written(records: Records):
    records.save(record())
    found = records.load(ID)
    assert found == record()
    assert found.folder == f"{records.folder}/{ID}"
    assert found.terminal


def test_a_record_half_made_is_none(records: Records):
    assert records.load(ID) is None
    Path(records.folder, ID, "container.json").write_text('{"id": 1}')
    assert records.load(ID) is None
    assert records.load("b" * 64) is None


def test_the_command_is_quoted_where_a_shell_would_need_it():
    assert record().command == "sh -c 'echo '\\''a b'\\'''"
    assert record(args=("",)).command == "sh ''"


def test_records_come_newest_first(records: Records):
    other = "b" * 64
    os.mkdir(f"{records.folder}/{other}")
    records.save(record())
    records.save(record(id=other, created="2026-02-01T00:00:00Z"))
    assert [one.id for one in records.all([ID, other])] == [other, ID]


def test_a_container_without_a_state_was_only_created(records: Records):
    assert records.state(ID).status == "created"
    assert not records.is_held(ID)


def test_asking_about_the_lock_does_not_take_it(records: Records):
    path = f"{records.folder}/{ID}/lock"
    fd = hold(path)
    assert records.is_held(ID)
    with pytest.raises(BlockingIOError):
        hold(path, wait_s=0.01)
    os.close(fd)
    assert not records.is_held(ID)
    os.close(hold(path))


def test_running_is_what_somebody_watches(records: Records):
    write_state(records, status="running", pid=7, started="2026-01-01T00:00:00Z")
    fd = hold(f"{records.folder}/{ID}/lock")
    state = records.state(ID)
    assert (state.status, state.pid, state.is_running) == ("running", 7, True)
    write_state(records, status="running", paused=True)
    assert records.state(ID).status == "paused"
    os.close(fd)


def test_running_without_anybody_watching_has_ended(records: Records):
    write_state(records, status="running", pid=7)
    state = records.state(ID)
    assert (state.status, state.exit_code, state.pid) == ("exited", 137, 0)
    assert state.finished
    assert "shim was killed" in state.error
    assert records.state(ID) == state


def test_a_lost_container_ended_when_it_was_found_dead_not_when_it_began(records: Records):
    write_state(records, status="running", pid=7, started="2026-01-01T00:00:00Z")
    path = f"{records.folder}/{ID}/state.json"
    os.utime(path, (1, 1))
    os.close(hold(f"{records.folder}/{ID}/lock"))
    before = rfc3339(time.time_ns())
    assert before <= records.state(ID).finished <= rfc3339(time.time_ns())
    assert records.state(ID) == records.state(ID)


def test_whoever_takes_a_lost_container_writes_down_that_it_has_ended(records: Records):
    records.save(record())
    write_state(records, status="running", pid=7)
    os.close(hold(f"{records.folder}/{ID}/lock"))
    state = records.state(ID)
    fd = records.take(ID)
    assert records.is_held(ID)
    assert records.state(ID) == state
    os.close(fd)


def test_a_container_that_goes_between_two_looks_never_ran(records, monkeypatch):
    write_state(records, status="running", pid=7)

    def removed(*_: object) -> bool:
        os.unlink(f"{records.folder}/{ID}/state.json")
        return False

    monkeypatch.setattr(Records, "is_held", removed)
    assert records.state(ID).status == "created"


def test_the_lock_of_a_container_that_was_removed_meanwhile_is_nobodys(records, monkeypatch):
    records.save(record())
    path = f"{records.folder}/{ID}/lock"
    taken = module._is_locked

    def late(fd: int, lock: bytes) -> bool:
        os.unlink(path)
        return taken(fd, lock)

    monkeypatch.setattr(module, "_is_locked", late)
    with pytest.raises(FileNotFoundError):
        records.take(ID)
    os.unlink(f"{records.folder}/{ID}/container.json")
    with pytest.raises(FileNotFoundError):
        records.take(ID)
    assert not os.path.exists(path)


def test_a_damaged_state_is_a_container_that_never_ran(records: Records):
    Path(records.folder, ID, "state.json").write_text("{")
    assert records.state(ID).status == "created"


@pytest.mark.parametrize("turn", ["_document", "is_held"])
def test_a_container_that_starts_while_it_is_looked_at_is_not_written_off(
    records: Records, monkeypatch: pytest.MonkeyPatch, turn: str
):
    """A listing between the lock and the state file must never end what just began."""
    write_state(records, status="running", pid=7)  # its last shim was killed
    locks = []
    look = getattr(Records, turn)

    def begin(self: Records, container: str) -> object:
        monkeypatch.setattr(Records, turn, look)
        found = look(self, container)
        locks.append(hold(f"{records.folder}/{ID}/lock"))
        write_state(records, status="running", pid=8)
        return found

    monkeypatch.setattr(Records, turn, begin)
    assert records.state(ID).is_running
    assert records.state(ID).pid == 8
    os.close(locks[0])


def test_a_container_that_ends_while_it_is_looked_at_keeps_its_exit_code(
    records: Records, monkeypatch: pytest.MonkeyPatch
):
    write_state(records, status="running", pid=7)
    held = Records.is_held

    def end(self: Records, container: str) -> bool:
        monkeypatch.setattr(Records, "is_held", held)
        write_state(records, status="exited", exit_code=3)
        return held(self, container)

    monkeypatch.setattr(Records, "is_held", end)
    assert records.state(ID).exit_code == 3
    assert records.state(ID).exit_code == 3


def test_noting_a_lost_container_does_not_count_as_watching_it(records: Records):
    fd = hold(f"{records.folder}/{ID}/lock", shared=True)
    write_state(records, status="running", pid=7)
    assert records.state(ID).status == "exited"
    os.close(fd)
