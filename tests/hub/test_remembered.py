"""Answers that are given again while nothing has changed."""

import asyncio
import math

from lamina.hub.remembered import Answer, Answers, Known

KEY = ("GET", "/v2/a/b/manifests/v1", "")


class World:
    """A database's version and a clock."""

    def __init__(self) -> None:
        self.version: int | None = 1
        self.now = 100.0

    def answers(self, room: int = 10**6) -> Answers:
        return Answers(lambda: self.version, clock=lambda: self.now, room=room)


def answer(body: bytes = b"body", until: float = math.inf) -> Answer:
    return Answer(b"HTTP/1.1 200 OK\r\n", body, "manifest", "alice", until, lambda: None)


def test_an_answer_is_given_again_until_anything_is_committed():
    world = World()
    answers = world.answers()
    answers.keep(KEY, answers.version(), answer())
    found = answers.find(KEY)
    assert found is not None
    assert found.body == b"body"
    world.version = 2
    assert answers.version() == 2
    assert answers.find(KEY) is None


def test_an_answer_that_was_asked_for_before_a_commit_is_not_kept_after_it():
    world = World()
    answers = world.answers()
    before = answers.version()
    world.version = 2
    answers.keep(KEY, before, answer())
    assert answers.version() == 2
    assert answers.find(KEY) is None
    answers.keep(KEY, before, answer())  # another request has looked meanwhile
    assert answers.version() == 2
    assert answers.find(KEY) is None


def test_nothing_is_kept_where_the_version_is_not_known():
    world = World()
    world.version = None
    answers = world.answers()
    answers.keep(KEY, answers.version(), answer())
    assert answers.find(KEY) is None


def test_long_addresses_take_of_the_room_what_they_are_long():
    world = World()
    answers = world.answers(room=100_000)
    kept = [("GET", f"/v2/_catalog?x={number:05d}{'a' * 7000}", "") for number in range(40)]
    for key in kept:
        answers.keep(key, answers.version(), answer())
    assert answers.find(kept[-1]) is not None
    assert 1 <= sum(answers.find(key) is not None for key in kept) <= 100_000 // 7000


def test_an_answer_ends_with_its_callers_login():
    world = World()
    answers = world.answers()
    answers.keep(KEY, answers.version(), answer(until=101.0))
    assert answers.find(KEY) is not None
    world.now = 101.0
    assert answers.find(KEY) is None


def test_a_fact_is_asked_for_again_after_a_commit_alone():
    world, asked = World(), []

    async def ask() -> int:
        asked.append(world.version)
        return len(asked)

    async def run() -> None:
        known = Known(lambda: world.version)
        assert [
            await known.get("a", ask),
            await known.get("a", ask),
            await known.get("b", ask),
        ] == [1, 1, 2]
        world.version = 2
        assert [await known.get("a", ask), await known.get("a", ask)] == [3, 3]
        world.version = None
        assert [await known.get("a", ask), await known.get("a", ask)] == [4, 5]

    asyncio.run(run())


def test_a_fact_that_was_asked_for_before_a_commit_is_not_kept_after_it():
    world = World()

    async def run() -> None:
        known = Known(lambda: world.version)

        async def overtaken() -> str:
            world.version = 2
            assert await known.get("b", new) == "new"
            return "old"

        async def new() -> str:
            return "new"

        assert await known.get("a", overtaken) == "old"
        assert await known.get("a", new) == "new"

    asyncio.run(run())


def test_the_room_is_bounded_and_one_body_is_kept_once_for_all_callers():
    world = World()
    answers = world.answers(room=40_000)
    body = bytes(20_000)
    for number in range(10):
        answers.keep((*KEY[:2], str(number)), answers.version(), answer(bytes(body)))
    assert len(answers._known) == 10
    assert len({id(each.body) for each in answers._known.values()}) == 1
    for number in range(1000):
        answers.keep(
            (*KEY[:2], f"more {number}"), answers.version(), answer(str(number).encode() * 1000)
        )
        bodies = {id(each.body): each.body for each in answers._known.values()}
        assert sum(map(len, bodies.values())) <= 40_000
    answers.keep(KEY, answers.version(), answer(bytes(100_000)))
    assert answers.find(KEY) is None
