import os
from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world

from lamina.engine.engine import Engine
from lamina.engine.names import ContainerUnknown
from lamina.engine.records import ContainerRecord, ContainerState
from lamina.engine.waiting import wait_for
from lamina.errors import Invalid


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("waiting")) as lamina:
        yield lamina


@pytest.fixture(scope="module")
def engine(lamina: Lamina) -> Iterator[Engine]:
    with Engine(lamina.settings) as engine:
        yield engine


def make(lamina: Lamina, engine: Engine, script: str, *words: str) -> ContainerRecord:
    ident = lamina("create", *words, "tiny", "sh", "-c", script).strip()
    return engine.containers.record(ident)


def waiting(work: Callable[[], object]) -> tuple[Thread, list[object]]:
    """Do `work` beside us; give the thread and where its result will be."""
    found: list[object] = []
    thread = Thread(target=lambda: found.append(work()))
    thread.start()
    return thread, found


def noting_looks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list that gets longer with each look at a container's state."""
    looked: list[str] = []
    state = engine.containers.state

    def look(ident: str) -> ContainerState:
        found = state(ident)
        looked.append(ident)
        return found

    monkeypatch.setattr(engine.containers, "state", look)
    return looked


def test_what_never_ran_does_not_run_and_has_no_code(lamina: Lamina, engine: Engine):
    record = make(lamina, engine, "exit 3")
    assert wait_for(engine, record) == wait_for(engine, record, "stopped") == 0
    lamina("start", record.id)
    assert wait_for(engine, record) == 3
    assert engine.containers.get(record.id).wait() == 3


def test_the_next_exit_is_that_of_what_starts_next(lamina: Lamina, engine: Engine, monkeypatch):
    record = make(lamina, engine, "exit 4")
    lamina.attempt("start", "-a", record.id)
    looked = noting_looks(engine, monkeypatch)
    thread, found = waiting(lambda: wait_for(engine, record, "next-exit"))
    eventually(lambda: len(looked) > 2)
    assert found == []
    lamina("start", record.id)
    thread.join()
    assert found == [4]


def test_a_start_that_fails_is_an_exit_too(lamina: Lamina, engine: Engine, monkeypatch):
    record = engine.containers.record(lamina("create", "tiny", "/nosuch").strip())
    looked = noting_looks(engine, monkeypatch)
    thread, found = waiting(lambda: wait_for(engine, record, "next-exit"))
    eventually(lambda: looked)
    assert lamina.attempt("start", record.id).code != 0
    thread.join()
    assert found == [127]


def test_removal_is_waited_for_and_tells_how_it_ended(lamina: Lamina, engine: Engine):
    record = make(lamina, engine, "sleep 0.1; exit 5", "--rm")
    thread, found = waiting(lambda: wait_for(engine, record, "removed"))
    lamina("start", record.id)
    thread.join()
    assert found == [5]
    assert not os.path.exists(record.folder)
    kept = make(lamina, engine, "exit 6")
    thread, found = waiting(lambda: wait_for(engine, kept, "removed"))
    lamina("start", kept.id)
    assert wait_for(engine, kept) == 6
    assert found == []
    lamina("rm", kept.id)
    thread.join()
    assert found == [6]


def test_one_that_is_gone_before_anybody_is_connected_still_tells_its_code(
    lamina: Lamina, engine: Engine
):
    record = make(lamina, engine, "exit 7", "--rm")
    lamina.attempt("start", "-a", record.id)
    assert eventually(lambda: engine.containers.files.load(record.id) is None)
    assert wait_for(engine, record) == 7
    assert wait_for(engine, record, "removed") == 7
    lamina("container", "prune", "-f")
    os.unlink(f"{engine.settings.root}/events.log")
    with pytest.raises(ContainerUnknown):
        wait_for(engine, record)


def test_a_condition_nobody_knows_is_refused(lamina: Lamina, engine: Engine):
    record = make(lamina, engine, "true")
    with pytest.raises(Invalid, match='invalid condition: "odd"'):
        wait_for(engine, record, "odd")
