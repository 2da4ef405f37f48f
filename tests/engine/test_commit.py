"""Commit: one new layer with just what changed, and the documents that tell of it."""

import pytest
from tests.engine.worlds import merged, ran

from lamina.engine.requests import CreateRequest
from lamina.image.edit import ChangeInvalid
from lamina.spec.reference import ReferenceInvalid

pytestmark = pytest.mark.root


def top_entries(engine, name: str) -> dict[bytes, object]:
    image = engine.images.resolve(name)
    with engine.layers.open(image.config.diff_ids) as layer:
        return {path: node for path, node in layer.walk() if path}


def test_commit_writes_one_layer_with_just_what_changed(engine, base):
    container = ran(engine, "echo new > /home/new; rm /etc/group; echo more >> /etc/passwd")
    made = engine.commit(container, "me/app:v1", message="added things", author="me")
    image = engine.images.resolve("me/app:v1")
    assert image.id == made
    assert len(image.config.diff_ids) == 2
    entries = top_entries(engine, "me/app:v1")
    assert set(entries) == {b"home", b"home/new", b"etc", b"etc/group", b"etc/passwd"}
    tree = merged(engine, "me/app:v1")
    assert tree[b"home/new"] == b"new\n"
    assert b"etc/group" not in tree
    assert tree[b"etc/passwd"].endswith(b"more\n")
    document = engine.images.inspect("me/app:v1")
    assert document["Parent"] == str(base)
    assert document["Comment"] == "added things"
    assert document["Author"] == "me"
    assert document["Container"] == container
    rows = engine.images.history("me/app:v1")
    assert rows[0].comment == "added things"
    assert rows[0].id == str(made)
    assert rows[1].id == str(base)
    assert rows[0].created_by.startswith("sh -c echo new")


def test_config_is_the_containers_with_the_changes_applied(engine, base):
    container = ran(engine, "true", env=("B=run",))
    engine.commit(container, "app", changes=("ENV C=change", 'CMD ["ls"]', "EXPOSE 80"))
    config = engine.images.inspect("app")["Config"]
    assert {"A=base", "B=run", "C=change"} <= set(config["Env"])
    assert config["Cmd"] == ["ls"]
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["WorkingDir"] == "/etc"
    assert config["Hostname"] == ""


def test_container_without_changes_gives_a_step_and_no_layer(engine, base):
    container = ran(engine, "")
    engine.commit(container, "same", message="nothing")
    image = engine.images.resolve("same")
    assert image.config.diff_ids == engine.images.resolve("base").config.diff_ids
    assert image.config.history[-1].empty_layer
    assert engine.images.history("same")[0].size == 0


def test_same_changes_give_the_same_layer(engine, base):
    script = "echo x > /f; touch -d @1000 /f; mkdir /d; touch -d @1000 /d; touch -d @1000 /"
    layers = []
    for name in ("one", "two"):
        engine.commit(ran(engine, script), name)
        layers.append(engine.images.resolve(name).config.diff_ids[-1])
    assert layers[0] == layers[1]


def test_commits_on_commits_stack_up(engine, base):
    parent = "base"
    for number in range(4):
        engine.commit(ran(engine, f"echo {number} > /f{number}", parent), f"step{number}")
        parent = f"step{number}"
    image = engine.images.resolve("step3")
    assert len(image.config.diff_ids) == 5
    assert {b"f0", b"f1", b"f2", b"f3"} <= set(merged(engine, "step3"))
    shared = engine.images.stack("step1")
    assert shared[0].shared_with == ("step2:latest", "step3:latest")


def test_running_container_is_paused_meanwhile_and_runs_on(engine, base):
    record = engine.containers.create(CreateRequest("base", command=("sleep", "100")))
    engine.containers.start(record.id).close()
    try:
        engine.commit(record.id, "live")
        assert engine.containers.state(record.id).status == "running"
    finally:
        engine.containers.remove(record.id, force=True)


def test_commit_without_a_name_is_listed_by_id_alone(engine, base):
    made = engine.commit(ran(engine, "echo x > /f"))
    assert [row.names for row in engine.images.list() if row.id == made] == [()]


@pytest.mark.parametrize(
    ("name", "changes", "error"),
    [("Bad Name", (), ReferenceInvalid), ("app", ("RUN make",), ChangeInvalid)],
)
def test_bad_request_makes_nothing(engine, base, name, changes, error):
    container = ran(engine, "echo x > /f")
    with pytest.raises(error):
        engine.commit(container, name, changes=changes)
    assert [row.id for row in engine.images.list()] == [base]
