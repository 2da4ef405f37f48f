"""Leases: what is pinned stays, and the dead hold nothing."""

import os
import threading

import pytest
from tests.store.disks import fill
from tests.store.processes import killed_after

from lamina.spec.digest import Digest
from lamina.store.disk import make
from lamina.store.leases import Held, Leases
from lamina.store.store import Store

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


@pytest.fixture
def disk(tmp_path):
    return make(str(tmp_path / "root"))


def _held(disk):
    with Leases(disk).alone() as held:
        return held


def _files(disk):
    return [name for name in os.listdir(disk.leases) if name.startswith("lease-")]


def test_what_is_pinned_during_a_lease_is_held_and_then_let_go(disk):
    leases = Leases(disk)
    leases.pin(ONE)
    assert _held(disk).digests == frozenset()
    with leases.hold():
        leases.pin(ONE)
        leases.pin(TWO)
        leases.pin(ONE)
        assert _held(disk).digests == {ONE, TWO}
        assert _held(disk).since_ns is not None
    assert _held(disk).digests == frozenset()
    assert _held(disk).since_ns is None
    assert _files(disk) == []
    with leases.hold():
        assert _held(disk).digests == frozenset(), "a new lease starts empty"


def test_nested_and_parallel_leases_of_one_object_hold_until_the_last_ends(disk):
    leases = Leases(disk)
    entered, leave = threading.Event(), threading.Event()

    def work():
        with leases.hold():
            leases.pin(ONE)
            entered.set()
            leave.wait(100)

    thread = threading.Thread(target=work)
    with leases.hold():
        thread.start()
        assert entered.wait(100)
        assert len(_files(disk)) == 1
    assert _held(disk).digests == {ONE}
    leave.set()
    thread.join()
    assert _held(disk).digests == frozenset()


def test_a_lease_ends_with_the_body_that_failed(disk):
    leases = Leases(disk)

    def fail():
        with leases.hold():
            leases.pin(ONE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert _files(disk) == []


def test_since_is_when_the_oldest_lease_began_not_when_it_was_last_used(disk):
    first, second = Leases(disk), Leases(disk)
    with first.hold():
        began = _held(disk).since_ns
        with second.hold():
            first.pin(ONE)
            second.pin(TWO)
            assert _held(disk).since_ns == began
            assert _held(disk).digests == {ONE, TWO}


def test_the_lease_of_a_killed_process_holds_nothing_and_is_cleaned_away(disk):
    def run(root, told):
        leases = Leases(make(root))
        with leases.hold():
            leases.pin(ONE)
            assert _held(disk).digests == {ONE}
            told()
            threading.Event().wait(60)

    killed_after(run, disk.root, sign="pinned")
    assert len(_files(disk)) == 1
    assert _held(disk).digests == frozenset()
    assert _files(disk) == []


def test_an_empty_lease_file_of_a_dead_process_is_harmless(disk):
    with open(f"{disk.leases}/lease-dead", "w", encoding="ascii"):
        pass
    assert _held(disk).since_ns is None
    assert _files(disk) == []


@pytest.mark.root
def test_on_a_full_disk_a_lease_holds_everything_and_takes_no_room(tiny_disk):
    disk = make(str(tiny_disk / "root"))
    before, late = Leases(disk), Leases(disk)
    ballast = tiny_disk / "ballast"
    with before.hold():
        fill(ballast, 4096)
        with late.hold():
            late.pin(ONE)
            assert _held(disk).everything
        assert not _held(disk).everything
        for i in range(200):  # the file's first page was there before the disk was full
            before.pin(Digest.of(str(i).encode()))
        assert _held(disk).everything
        ballast.unlink()
        before.pin(TWO)
        assert _held(disk).everything, "until it ends"
    assert _held(disk) == Held(frozenset(), None)
    assert _files(disk) == []


@pytest.mark.root
def test_while_a_lease_holds_everything_nothing_is_collected(tiny_disk):
    store, other = (Store.open(str(tiny_disk / "root")) for _ in range(2))
    store.blobs.put(b"without a name")
    fill(tiny_disk / "ballast", 4096)
    with other.lease():
        assert store.collect().count == 0
        with store.sweep() as sweep:
            assert sweep.since_ns == 0, "layers stay, however old"
    assert store.collect().count == 1


@pytest.mark.root
def test_the_lease_of_a_process_killed_on_a_full_disk_holds_nothing(tiny_disk):
    disk = make(str(tiny_disk / "root"))
    os.unlink(f"{disk.leases}/all")  # a root from before there was such a file

    def run(root, told):
        with Leases(make(root)).hold():
            assert _held(disk).everything
            told()
            threading.Event().wait(60)

    fill(tiny_disk / "ballast", 4096)
    killed_after(run, disk.root, sign="holds all")
    assert _held(disk) == Held(frozenset(), None)
