"""The undo log: what names lost comes back, whatever killed the process that took it."""

import json
import os
from pathlib import Path

import pytest
from tests.soaking import sized
from tests.store.disks import fill
from tests.store.processes import killed_after, together

from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.wire import encode
from lamina.store.store import Store
from lamina.store.undo import MOST_BYTES, MOST_CHANGES, Occasion

A, B = "x.io/a:1", "x.io/b:1"


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "root"))


def target(store, text):
    raw = encode({"schemaVersion": 2, "name": text})
    return Descriptor(MediaType.OCI_MANIFEST, store.blobs.put(raw), len(raw))


def why(command="rmi a", token="", undoes=0):
    return Occasion(command, 1000.5, token or os.urandom(4).hex(), undoes)


def listed(store):
    return sorted((row.name, row.target.digest) for row in store.names.all())


def test_a_removed_name_is_put_back_with_its_row_as_it_was(store):
    one = target(store, "one")
    store.names.set(A, one, {"id": "1", "size": "7"})
    index = Path(store.disk.index).read_bytes()
    store.names.take((A,), occasion=why())
    (change,) = store.names.history().changes
    assert (change.number, change.command, change.time_s) == (1, "rmi a", 1000.5)
    assert [row.name for row in store.names.lost(change)] == [A]
    (back,) = store.names.put_back(change, occasion=why("undo 1", undoes=1))
    assert (back.name, back.target.digest) == (A, one.digest)
    assert Path(store.disk.index).read_bytes() == index
    assert store.names.history().changes[-1].undoes == 1


def test_a_moved_name_goes_back_and_what_it_stood_for_stays_listed(store):
    one, two = target(store, "one"), target(store, "two")
    store.names.set(A, one, {}, occasion=why())
    assert store.names.history().changes == (), "a new name takes nothing away"
    store.names.set(A, two, {}, occasion=why("tag"))
    (change,) = store.names.history().changes
    store.names.put_back(change, occasion=why("undo 1", undoes=1))
    assert listed(store) == sorted([(A, one.digest), ("", two.digest)])


def test_a_name_taken_again_since_is_told_and_only_then_stolen(store):
    one, two, three = (target(store, name) for name in ("one", "two", "three"))
    store.names.set(A, one, {})
    store.names.set(A, two, {}, occasion=why("tag"))
    (change,) = store.names.history().changes
    assert store.names.stolen(change) == ()
    store.names.set(A, three, {})
    assert store.names.stolen(change) == (A,)
    assert store.names.stolen(change, absent={str(one.digest)}) == ()


def test_changes_of_one_occasion_are_one_and_go_back_to_the_first_target(store):
    one, two, three = (target(store, name) for name in ("one", "two", "three"))
    store.names.set(A, one, {})
    store.names.set(B, one, {})
    store.names.set(A, two, {}, occasion=why("all", "t"))
    store.names.set(A, three, {}, occasion=why("all", "t"))
    store.names.take((B,), occasion=why("all", "t"))
    (change,) = store.names.history().changes
    store.names.put_back(change, occasion=why("undo", undoes=change.number))
    held = dict(row for row in listed(store) if row[0])
    assert held == {A: one.digest, B: one.digest}


def test_what_was_listed_without_a_name_comes_back_so(store):
    one = target(store, "one")
    store.names.keep(one, {"id": "1"})
    store.names.take((), {one.digest}, occasion=why("image prune"))
    assert listed(store) == []
    (change,) = store.names.history().changes
    store.names.put_back(change, occasion=why("undo", undoes=1))
    assert listed(store) == [("", one.digest)]
    assert store.names.all()[0].facts == {"id": "1"}


def test_a_line_whose_change_never_reached_the_index_is_not_believed(store):
    one = target(store, "one")
    store.names.set(A, one, {})
    os.link(store.disk.index, f"{store.root}/saved")
    store.names.take((A,), occasion=why())
    os.rename(f"{store.root}/saved", store.disk.index)  # as if killed between log and index
    assert Store.open(store.root).names.history().changes == ()
    store.names.set(B, one, {})
    store.names.take((B,), occasion=why("rmi b"))
    assert [change.command for change in store.names.history().changes] == ["rmi b"]


@pytest.mark.parametrize(
    "tail", [b'{"number":9,"from":"', b"\0\0\0\0", b"\n\n[]\n", b'{"number":9}\n']
)
def test_a_torn_or_foreign_line_costs_only_itself(store, tail):
    store.names.set(A, target(store, "one"), {})
    store.names.take((A,), occasion=why("first"))
    with open(store.disk.undo, "ab") as file:
        file.write(tail)
    assert [change.command for change in store.names.history().changes] == ["first"]
    store.names.set(A, target(store, "one"), {})
    store.names.take((A,), occasion=why("second"))
    assert [change.command for change in store.names.history().changes] == ["first", "second"]
    for line in Path(store.disk.undo).read_bytes().splitlines():
        assert json.loads(line)


class Crash:
    """Sets log and index to a state that a power cut may leave during the change `second`.

    `first` is where the line of `second` begins, `size` where it ends.
    """

    def __init__(self, store):
        self._root = store.root
        self._log, self._index = Path(store.disk.undo), store.disk.index
        store.names.set(A, target(store, "one"), {}, also=(B,))
        store.names.take((A,), occasion=why("first"))
        os.link(self._index, f"{self._root}/before")
        store.names.take((B,), occasion=why("second"))
        os.link(self._index, f"{self._root}/after")
        self._whole = self._log.read_bytes()
        self.size = len(self._whole)
        self.first = self._whole.index(b"\n") + 1

    def __call__(self, size, *, filled=False, changed):
        """Leave `size` bytes of the log (`filled`: zeros for the others), and the index before or after."""
        raw = self._whole[:size]
        self._log.write_bytes(raw.ljust(self.size, b"\0") if filled else raw)
        os.unlink(self._index)
        os.link(f"{self._root}/{'after' if changed else 'before'}", self._index)
        return Store.open(self._root).names


@pytest.fixture
def crash(store):
    return Crash(store)


def commands(names):
    return [change.command for change in names.history().changes]


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("changed", [False, True])
def test_a_log_torn_at_any_byte_tells_of_what_is_whole_and_happened(crash, filled, changed):
    edges = (crash.first - 1, crash.first, crash.size - 1, crash.size)
    for size in (*range(0, crash.size, sized(37, 1)), *edges):
        names = crash(size, filled=filled, changed=changed)
        missing = 0 if filled else 1  # the newline is no part of the line
        wanted = ["first"] if size >= crash.first - missing else []
        if changed and size >= crash.size - missing:
            wanted = ["first", "second"]
        assert commands(names) == wanted, size
        assert [row.name for row in names.all()] == ([] if changed else [B])


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("missing", [0, 1, 60, 10_000])
def test_after_a_power_cut_the_next_changes_are_noted_and_nothing_else(
    store, crash, filled, changed, missing
):
    names = crash(max(0, crash.size - missing), filled=filled, changed=changed)
    known = commands(names)
    names.set("x.io/c:1", target(store, "two"), {})  # takes nothing away
    assert commands(names) == known
    names.take(("x.io/c:1",), occasion=why("third"))
    assert commands(names) == [*known, "third"]
    for change in reversed(names.history().changes):
        names.put_back(change, occasion=why("undo", undoes=change.number))
    listed_now = {row.name for row in names.all()}
    wanted = {"x.io/c:1"} | ({A} if "first" in known else set())
    assert listed_now == wanted | ({B} if not changed or "second" in known else set())


def test_a_change_that_never_happened_goes_with_all_that_follows_it(store, crash):
    names = crash(crash.size, changed=False)
    with open(store.disk.undo, "ab") as file:
        file.write(b"\0\0\0torn")
    names.set("x.io/c:1", target(store, "two"), {})
    assert commands(names) == ["first"]
    assert Path(store.disk.undo).read_bytes().count(b"\n") == 1


def test_the_log_stays_small_and_keeps_the_newest(store):
    one = target(store, "one")
    for i in range(MOST_CHANGES + 5):
        store.names.set(A, one, {"pad": "x" * 20_000})
        store.names.take((A,), occasion=why(f"rmi {i}"))
        assert os.path.getsize(store.disk.undo) <= MOST_BYTES
    changes = store.names.history().changes
    assert len(changes) <= MOST_CHANGES
    assert changes[-1].command == f"rmi {MOST_CHANGES + 4}"
    assert changes[-1].number == MOST_CHANGES + 5


def test_what_is_let_go_is_remembered_through_shortening(store):
    one = target(store, "one")
    for i in range(MOST_CHANGES + 5):
        store.names.set(A, one, {})
        store.names.take((A,), occasion=why())
        if i == 40:
            store.names.let_go(40)
    assert store.names.history().floor == 40


def test_many_processes_at_once_lose_no_change(store):
    def run(number):
        mine = Store.open(store.root)
        for i in range(4):
            mine.names.set(f"x.io/p{number}:{i}", target(mine, f"{number} {i}"), {})
            mine.names.take((f"x.io/p{number}:{i}",), occasion=why(f"{number}/{i}"))

    together(run, *[(number,) for number in range(8)])
    changes = store.names.history().changes
    assert sorted(change.command for change in changes) == sorted(
        f"{number}/{i}" for number in range(8) for i in range(4)
    )
    assert len({change.number for change in changes}) == 32


def test_after_kill_9_every_name_is_listed_or_can_be_put_back(store):
    one = target(store, "one")
    names = [f"x.io/n:{i}" for i in range(12)]
    store.names.set(names[0], one, {}, also=names[1:])

    def run(root, told):
        mine = Store.open(root)
        for i, name in enumerate(names):
            mine.names.take((name,), occasion=why(f"rmi {i}"))
            if i == 3:
                told()

    killed_after(run, store.root, sign="removed some names")
    mine = Store.open(store.root)
    here = {row.name for row in mine.names.all()}
    changes = mine.names.history().changes
    noted = {row.name for change in changes for row in mine.names.lost(change)}
    assert here | noted == set(names)
    assert not here & noted
    for change in changes:
        mine.names.put_back(change, occasion=why("undo", undoes=change.number))
    assert {row.name for row in mine.names.all()} == set(names)


@pytest.mark.root
def test_on_a_full_disk_names_go_though_nothing_can_be_noted(tiny_disk):
    store = Store.open(str(tiny_disk / "root"))
    for i in range(30):
        store.names.set(f"x.io/a:{i}", target(store, str(i)), {})
    fill(tiny_disk / "ballast", 100_000)
    for i in range(30):
        store.names.take((f"x.io/a:{i}",), occasion=why())
    assert store.names.all() == ()
