"""The roster may forget whatever it likes; what it says must be what the records say."""

import json
import os
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from tests.engine.test_records import record

from lamina.engine import roster as module
from lamina.engine.outline import Outline
from lamina.engine.records import ContainerRecord, Records, hold
from lamina.engine.roster import ROSTER, Roster
from lamina.spec.wire import encode

IDS = [f"{number:064x}" for number in range(16)]
ONE = IDS[7]
LONG_AGO = 10**18


def save(records: Records, container: str, *, aged: bool = True, **facts: object) -> None:
    os.makedirs(f"{records.folder}/{container}", exist_ok=True)
    made = record(**{"id": container, "name": f"n{container[-2:]}", **facts})
    path = Path(records.folder, container, "container.json")
    path.with_suffix(".new").write_bytes(
        encode(made.to_json())
    )  # `Records.save` waits for the disk
    path.with_suffix(".new").rename(path)
    if aged:
        age(records, container, "container.json")


def age(records: Records, container: str, name: str) -> None:
    os.utime(f"{records.folder}/{container}/{name}", ns=(LONG_AGO, LONG_AGO))


def write_state(records: Records, container: str, *, aged: bool = True, **facts: object) -> None:
    path = Path(records.folder, container, "state.json")
    path.with_suffix(".new").write_text(json.dumps(facts))  # noqa: TID251
    path.with_suffix(".new").rename(path)
    if aged:
        age(records, container, "state.json")


@pytest.fixture
def records(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.setattr(module, "_MANY", 8)
    records = Records(str(tmp_path))
    for container in IDS:
        save(records, container)
        if container != IDS[0]:
            write_state(records, container, status="exited", exit_code=3)
    return records


def look(records: Records) -> dict[str, tuple[str, str, int]]:
    """List everything: name, status and exit code by ID."""
    ids = [name for name in os.listdir(records.folder) if len(name) == 64]
    roster = Roster(records, ids, wanted=len(ids))
    found = {}
    for container in ids:
        outline = roster.outline(container)
        if outline:
            state = roster.state(container)
            found[container] = (outline.name, state.status, state.exit_code)
    roster.close()
    return found


def truth(records: Records) -> dict[str, tuple[str, str, int]]:
    found = {}
    for one in records.all(os.listdir(records.folder)):
        state = records.state(one.id)
        found[one.id] = (one.name, state.status, state.exit_code)
    return found


def read(records: Records) -> list[str]:
    """Tell which records the next listing reads."""
    seen = []
    load = Records.load

    def noting(self: Records, container: str) -> ContainerRecord | None:
        seen.append(container)
        return load(self, container)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Records, "load", noting)
        look(records)
    return seen


def test_the_second_listing_reads_no_record_and_says_the_same(records: Records):
    first = look(records)
    assert first == truth(records)
    assert oct(os.stat(f"{records.folder}/{ROSTER}").st_mode)[-3:] == "600"
    assert read(records) == []
    assert look(records) == first
    assert first[IDS[0]] == ("n00", "created", 0)
    assert first[ONE] == ("n07", "exited", 3)


def test_the_roster_gives_whole_outlines_and_states(records: Records):
    write_state(records, ONE, status="exited", exit_code=1, network={"Networks": {"n": {}}})
    look(records)
    roster = Roster(records, IDS, wanted=len(IDS))
    made = records.load(ONE)
    assert made is not None
    assert roster.outline(ONE) == Outline.of(made)
    assert isinstance(roster.outline(ONE), Outline)
    assert roster.state(ONE) == records.state(ONE)


def test_a_record_that_was_replaced_is_read_again(records: Records):
    look(records)
    save(records, ONE, name="xxx")  # of the same length, and of the same time
    assert look(records)[ONE][0] == "xxx"
    assert read(records) == [ONE]  # one in sixteen is not worth a new roster
    save(records, IDS[8], name="yyy", aged=False)
    assert look(records)[IDS[8]][0] == "yyy"


def test_a_container_that_was_started_again_is_not_what_it_was(records: Records):
    look(records)
    lock = hold(f"{records.folder}/{ONE}/lock")
    write_state(records, ONE, status="running", pid=7)
    assert look(records)[ONE][1] == "running"
    os.close(lock)  # its shim was killed
    assert look(records)[ONE][1:] == ("exited", 137)
    write_state(records, ONE, status="exited", exit_code=9)
    assert look(records)[ONE][1:] == ("exited", 9)


def test_what_runs_is_asked_each_time_though_its_files_are_as_they_were(records: Records):
    locks = [hold(f"{records.folder}/{container}/lock") for container in IDS]
    for container in IDS:
        write_state(records, container, status="running", pid=7)
    assert {row[1] for row in look(records).values()} == {"running"}
    for lock in locks:  # kill -9, or a power cut
        os.close(lock)
    assert {row[1:] for row in look(records).values()} == {("exited", 137)}


def test_new_containers_are_there_and_removed_ones_are_gone(records: Records):
    look(records)
    os.unlink(f"{records.folder}/{ONE}/container.json")
    save(records, "f" * 64)
    assert look(records) == truth(records)
    assert ONE not in look(records)
    os.unlink(f"{records.folder}/{ONE}/state.json")
    os.rmdir(f"{records.folder}/{ONE}")
    assert look(records) == truth(records)
    for container in IDS[10:13]:
        os.unlink(f"{records.folder}/{container}/container.json")
        os.unlink(f"{records.folder}/{container}/state.json")
        os.rmdir(f"{records.folder}/{container}")
    look(records)
    assert IDS[12] not in Path(records.folder, ROSTER).read_text()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\0" * len(data),
        lambda data: data.replace(b'"n07"', b'"n08"'),
        lambda data: data + b" ",
        lambda data: b"00000000{}",
    ],
)
def test_a_damaged_roster_is_none(records: Records, damage):
    expected = look(records)
    path = Path(records.folder, ROSTER)
    path.write_bytes(damage(path.read_bytes()))
    assert look(records) == expected
    assert read(records) == []  # it was written anew


def test_another_forms_roster_is_none(records: Records, monkeypatch: pytest.MonkeyPatch):
    look(records)
    monkeypatch.setattr(module, "_FORM", "lamina roster of another form")
    assert len(read(records)) == len(IDS)
    assert read(records) == []


def test_files_that_are_young_are_not_kept_as_they_may_change_unseen(records: Records):
    path = Path(records.folder, ONE, "container.json")
    save(records, ONE, name="abc", aged=False)
    look(records)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"abc"', b'"xyz"'))
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))  # within one tick of the clock
    assert path.stat().st_ino == before.st_ino
    assert look(records)[ONE][0] == "xyz"


def test_a_record_renamed_between_the_look_and_the_reading_is_not_kept_as_the_old(
    records: Records, monkeypatch: pytest.MonkeyPatch
):
    load = Records.load

    def late(self: Records, container: str) -> ContainerRecord | None:
        found = load(self, container)
        if container == ONE:
            save(records, ONE, name="new")
        return found

    monkeypatch.setattr(Records, "load", late)
    assert look(records)[ONE][0] == "n07"  # as it was when it was read
    monkeypatch.setattr(Records, "load", load)
    assert look(records)[ONE][0] == "new"


def test_a_container_started_between_the_look_and_the_reading_is_not_kept_as_ended(
    records: Records, monkeypatch: pytest.MonkeyPatch
):
    state = Records.state
    locks = []

    def late(self: Records, container: str) -> object:
        found = state(self, container)
        if container == ONE:
            locks.append(hold(f"{records.folder}/{ONE}/lock"))
            write_state(records, ONE, status="running", pid=1)
        return found

    monkeypatch.setattr(Records, "state", late)
    assert look(records)[ONE][1] == "exited"
    monkeypatch.setattr(Records, "state", state)
    assert look(records)[ONE][1] == "running"
    os.close(locks[0])


def test_a_container_removed_while_it_is_looked_at_is_not_there(
    records: Records, monkeypatch: pytest.MonkeyPatch
):
    load = Records.load

    def gone(self: Records, container: str) -> ContainerRecord | None:
        if container == ONE:
            os.unlink(f"{records.folder}/{ONE}/container.json")
        return load(self, container)

    monkeypatch.setattr(Records, "load", gone)
    assert ONE not in look(records)
    monkeypatch.setattr(Records, "load", load)
    assert ONE not in look(records)


def test_of_two_listings_that_would_write_one_does(records: Records):
    fd = os.open(f"{records.folder}/{ROSTER}.new", os.O_RDWR | os.O_CREAT)
    flock(fd, LOCK_EX)
    assert look(records) == truth(records)
    assert not os.path.exists(f"{records.folder}/{ROSTER}")
    os.close(fd)  # it was killed, and left its file
    Path(records.folder, f"{ROSTER}.new").write_bytes(b"x" * 10**6)
    look(records)
    assert read(records) == []
    assert not os.path.exists(f"{records.folder}/{ROSTER}.new")


def test_a_listing_killed_while_it_writes_leaves_the_old_roster(
    records: Records, monkeypatch: pytest.MonkeyPatch
):
    look(records)
    old = Path(records.folder, ROSTER).read_bytes()
    for container in IDS:
        save(records, container, name=f"new{container[-2:]}")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lamina.engine.roster.os.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            look(records)
    assert Path(records.folder, ROSTER).read_bytes() == old
    assert look(records) == truth(records)
    assert read(records) == []


def test_a_roster_that_cannot_be_written_costs_nothing_but_time(records: Records):
    os.mkdir(f"{records.folder}/{ROSTER}.new")
    os.mkdir(f"{records.folder}/{ROSTER}")
    assert look(records) == look(records) == truth(records)


def test_few_containers_have_no_roster(records: Records):
    roster = Roster(records, IDS, wanted=5)
    assert roster.outline(ONE) is not None
    roster.close()
    assert not os.path.exists(f"{records.folder}/{ROSTER}")
