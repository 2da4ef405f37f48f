import pytest
from tests.engine.worlds import import_image, make_engine

from lamina.engine.journal import events, note_volume
from lamina.errors import Invalid
from lamina.stream import journal

BOX = {"name": "box", "image": "app:1", "tier": "1"}


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(tmp_path)
    path = f"{engine.store.disk.root}/{journal.FILE}"
    journal.note(path, "container", "start", "abc", BOX)
    journal.note(path, "container", "health_status: healthy", "abc", BOX)
    journal.note(path, "container", "die", "def", {"name": "other", "image": "app:2"})
    note_volume(engine, "data", "create")
    return engine


@pytest.mark.parametrize(
    ("filters", "actions"),
    [
        ({}, ["start", "health_status: healthy", "die", "create"]),
        ({"container": ["box"]}, ["start", "health_status: healthy"]),
        ({"container": ["de"]}, ["die"]),
        ({"event": ["start", "die"]}, ["start", "die"]),
        ({"event": ["health_status"]}, ["health_status: healthy"]),
        ({"image": ["app"]}, ["start", "health_status: healthy", "die"]),
        ({"image": ["app:2"]}, ["die"]),
        ({"label": ["tier=1"], "event": ["start"]}, ["start"]),
        ({"label": ["tier=2"]}, []),
        ({"type": ["volume"]}, ["create"]),
        ({"volume": ["data"]}, ["create"]),
        ({"network": ["mine"]}, []),
        ({"daemon": ["x"]}, []),
        ({"event": ["health_status: healthy"]}, ["health_status: healthy"]),
        ({"event": ["health_status: unhealthy"]}, []),
        ({"scope": ["swarm"]}, []),
    ],
)
def test_filters_choose_among_what_was_noted(engine, filters, actions):
    found = events(engine, filters=filters, since_ns=0)
    assert [event["Action"] for event in found] == actions


def test_times_bound_what_is_given(engine):
    whole = list(events(engine, since_ns=0))
    second, third = whole[1]["timeNano"], whole[2]["timeNano"]
    found = events(engine, since_ns=second, until_ns=third)
    assert [event["Action"] for event in found] == ["health_status: healthy", "die"]
    assert list(events(engine)) == []


def test_filters_that_do_not_exist_are_named(engine):
    with pytest.raises(Invalid, match="invalid filter 'colour'"):
        list(events(engine, filters={"colour": ["red"]}))


@pytest.mark.root
def test_what_the_engine_does_with_a_container_is_noted(engine):
    from lamina.engine.requests import CreateRequest

    import_image(engine, "app")
    record = engine.containers.create(CreateRequest("app", ("x",), name="one"))
    engine.containers.rename("one", "two")
    engine.containers.remove("two")
    found = list(events(engine, filters={"container": [record.id]}, since_ns=0))
    assert [event["Action"] for event in found] == ["create", "rename", "destroy"]
    assert found[1]["Actor"]["Attributes"] == {"image": "app", "name": "two", "oldName": "one"}
