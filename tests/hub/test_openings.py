"""Ids that say of themselves that an upload was begun."""

import uuid

import pytest

from lamina.hub.openings import Openings


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.5

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


def test_an_id_is_known_where_it_was_given_and_wherever_the_key_is(now):
    here, there, others = (Openings(key, clock=now) for key in (b"k", b"k", b"other"))
    made = here.begin("alice/app", "alice")
    assert str(uuid.UUID(made)) == made
    assert here.is_open(made, "alice/app")
    assert there.is_open(made, "alice/app")
    assert not others.is_open(made, "alice/app")
    for known in (here, there):
        assert not known.is_open(made, "alice/other")
    for strange in (str(uuid.uuid4()), "", "x", made[:-1] + "0" if made[-1] != "0" else made[:-1] + "1"):  # fmt: skip
        assert not there.is_open(strange, "alice/app")
    for spelled in (made.replace("-", ""), f"{{{made}}}", f"urn:uuid:{made}", 300 * "-" + made):
        assert not there.is_open(spelled, "alice/app")  # it is the name of a file, too


def test_no_two_ids_are_the_same(now):
    openings = Openings(b"k", clock=now)
    assert len({openings.begin("alice/app", "alice") for _ in range(2000)}) == 2000


def test_an_id_is_believed_for_a_while_and_longer_where_it_was_given(now):
    here, there = (Openings(b"k", clock=now) for _ in range(2))
    made = here.begin("alice/app", "alice")
    for later, is_believed in ((100.0, True), (200.0, False), (-300.0, True), (-200.0, False)):
        now.at += later
        assert there.is_open(made, "alice/app") == is_believed
        assert here.is_open(made, "alice/app")


def test_what_is_over_is_not_open_and_rests_no_more(now):
    openings = Openings(b"k", clock=now)
    first, second, third = (openings.begin("alice/app", "alice") for _ in range(3))
    openings.close(first)
    openings.finish(second)
    assert [openings.is_resting(each) for each in (first, second, third)] == [False, False, True]
    assert not openings.is_open(first, "alice/app")
    assert openings.is_open(second, "alice/app")  # its row says what became of it
    assert openings.rested(for_s=1) == ()
    now.at += 1
    assert [(each.id, each.repository, each.account) for each in openings.rested(for_s=1)] == [
        (third, "alice/app", "alice")
    ]
    for _ in range(5000):
        openings.close(openings.begin("alice/app", "alice"))
    assert len(openings._over) <= 4096
