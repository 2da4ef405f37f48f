from typing import Any

import pytest
from tests.engine.worlds import import_image, make_engine

from lamina.engine.container_filters import ContainerFilters, FilterInvalid
from lamina.engine.engine import Engine
from lamina.engine.names import ContainerUnknown
from lamina.engine.outline import Outline
from lamina.engine.records import ContainerState

VOLUME = {"Type": "volume", "Name": "data", "Source": "/v/data/_data", "Destination": "/var/lib"}
BIND = {"Type": "bind", "Source": "/etc", "Destination": "/host"}


def outline(**facts: object) -> Outline:
    values: dict[str, Any] = {
        "id": "abc" + "0" * 61, "name": "web1", "created": "2026-01-02T00:00:00Z",
        "image_id": "sha256:1", "image_name": "app", "command": "sh", "words": ("sh",),
        "labels": {"tier": "db", "empty": ""}, "mounts": (VOLUME, BIND), "network_mode": "default",
        "networks": ("n1",), "exposed": ("80/tcp", "53/udp"), "published": ("8080/tcp",), **facts,
    }  # fmt: skip
    return Outline(**values)


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Engine:
    return make_engine(tmp_path_factory.mktemp("filters"))


def accepts(engine: Engine, name: str, *values: str, **state: Any) -> bool:
    shown = ContainerState(state.pop("status", "running"), **state)
    return ContainerFilters(engine, {name: values}).accept(outline(), shown)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("id", ("abc",), True),
        ("id", ("bc0",), True),
        ("id", ("^bc",), False),
        ("name", ("eb",), True),
        ("name", ("^web[0-9]$",), True),
        ("name", ("^/web1$",), True),
        ("name", ("nope", "web1"), True),
        ("name", ("^eb",), False),
        ("label", ("tier",), True),
        ("label", ("tier=db",), True),
        ("label", ("empty=",), True),
        ("label", ("tier=web",), False),
        ("label", ("tier", "other"), False),
        ("label!", ("tier",), False),
        ("label!", ("tier=web", "other"), True),
        ("status", ("exited", "running"), True),
        ("status", ("paused",), False),
        ("health", ("none",), True),
        ("health", ("healthy",), False),
        ("exited", ("0",), False),
        ("volume", ("data",), True),
        ("volume", ("/var/lib",), True),
        ("volume", ("/etc",), True),
        ("volume", ("/var",), False),
        ("network", ("bridge",), True),
        ("network", ("n1",), True),
        ("network", ("host",), False),
        ("expose", ("80",), True),
        ("expose", ("80/tcp",), True),
        ("expose", ("53",), False),
        ("expose", ("50-60/udp",), True),
        ("expose", ("8080",), False),
        ("publish", ("8080",), True),
        ("publish", ("8000-8100",), True),
        ("publish", ("80",), False),
        ("is-task", ("false",), True),
        ("is-task", ("true",), False),
        ("isolation", ("default",), True),
        ("ancestor", ("nothing",), False),
    ],
)
def test_filters_mean_what_they_mean_to_docker(engine, name: str, values, expected: bool):
    assert accepts(engine, name, *values) is expected


def test_states_are_told_apart_by_code_and_health(engine):
    assert accepts(engine, "exited", "3", "4", status="exited", exit_code=4)
    assert not accepts(engine, "exited", "3", status="exited", exit_code=4)
    assert accepts(engine, "health", "healthy", health={"Status": "healthy"})
    assert accepts(engine, "network", "mine", network={"Networks": {"mine": {}}})


def test_names_of_filters_must_all_hold(engine):
    running = ContainerState("running")
    both = ContainerFilters(engine, {"name": ("web1",), "label": ("tier=web",)})
    assert not both.accept(outline(), running)
    assert ContainerFilters(engine, {"name": ()}).accept(outline(), running)


def test_only_states_and_exit_codes_ask_for_what_does_not_run(engine):
    assert ContainerFilters(engine, {"status": ("exited",)}).of_any_state
    assert ContainerFilters(engine, {"exited": ("1",)}).of_any_state
    assert not ContainerFilters(engine, {"name": ("x",)}).of_any_state


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("odd", "x", "invalid filter 'odd'"),
        ("", "x", "invalid filter ''"),
        ("status", "up", "invalid filter 'status=up'"),
        ("health", "bad", "invalid filter 'health=bad'"),
        ("exited", "x", 'strconv.Atoi: parsing "x": invalid syntax'),
        ("is-task", "x", "invalid filter 'is-task=[x]'"),
        ("isolation", "hyperv", "invalid filter 'isolation=hyperv'"),
        (
            "name",
            "^(",
            "invalid filter 'name=^(': missing ), unterminated subpattern at position 1",
        ),
        ("expose", "", "error while looking up for expose : Empty string specified for ports."),
        (
            "expose",
            "x",
            'error while looking up for expose x: strconv.ParseUint: parsing "x": invalid syntax',
        ),
        ("publish", "1:2", "filter for 'publish' should not contain ':': 1:2"),
        (
            "publish",
            "90-80",
            "error while looking up for publish 90-80: Invalid range specified for the Port: 90-80",
        ),
        (
            "publish",
            "70000",
            'error while looking up for publish 70000: strconv.ParseUint: parsing "70000": value out of range',
        ),
    ],
)
def test_filters_that_cannot_be_are_refused_in_dockers_words(
    engine, name: str, value: str, words: str
):
    with pytest.raises(FilterInvalid) as caught:
        ContainerFilters(engine, {name: (value,)})
    assert caught.value.message == words
    assert caught.value.hint


@pytest.mark.parametrize("name", ["before", "since"])
def test_times_are_those_of_containers_that_exist(engine, name: str):
    with pytest.raises(ContainerUnknown, match="No such container: nosuch"):
        ContainerFilters(engine, {name: ("nosuch",)})


@pytest.mark.root
def test_an_ancestor_is_an_image_its_digest_its_id_or_what_was_made_on_it(tmp_path):
    from lamina.engine.requests import CreateRequest

    engine = make_engine(tmp_path)
    base = import_image(engine, "base:1")
    import_image(engine, "other")
    containers = engine.containers
    mother = containers.create(CreateRequest("base:1", ("x",), name="mother"))
    engine.commit(mother.id, "child:1", changes=("ENV a=b",))
    engine.commit(mother.id, "grown")
    containers.create(CreateRequest("child:1", ("x",), name="daughter"))
    containers.create(CreateRequest("grown", ("x",), name="son"))
    containers.create(CreateRequest("other", ("x",), name="stranger"))

    def names(*values: str) -> set[str]:
        return {row.name for row in containers.list(all=True, filters={"ancestor": values})}

    family = {"mother", "daughter", "son"}
    assert names("base:1") == names(str(base)) == names(base.short) == family
    assert names("child:1") == {"daughter"}
    assert names("child:1", "grown") == {"daughter", "son"}
    assert names("nosuch") == names("base") == set()
    assert names("nosuch", "grown") == {"son"}
