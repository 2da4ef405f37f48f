"""Commit: one new layer with just what changed, and the documents that tell of it."""

import io

import pytest
from tests.engine.worlds import import_image
from tests.images import Piece, tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.images import ImageInUse, ImageUnknown, Removed
from lamina.engine.requests import CreateRequest
from lamina.image.edit import ChangeInvalid
from lamina.layer.view import Tree
from lamina.spec.reference import ReferenceInvalid

pytestmark = pytest.mark.root


@pytest.fixture
def base(engine):
    changes = ('CMD ["sh"]', "ENV A=base", "WORKDIR /etc")
    return engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="base", changes=changes))


def ran(engine, script: str, image: str = "base", **choices: object) -> str:
    """Run a script to its end in a new container; give the container's ID."""
    words = ("sh", "-c", script) if script else ()
    record = engine.containers.create(CreateRequest(image, command=words, **choices))  # type: ignore[arg-type]
    if script:
        engine.containers.start(record.id).close()
        assert engine.containers.wait(record.id) == 0
    return record.id


def top_entries(engine, name: str) -> dict[bytes, object]:
    image = engine.images.resolve(name)
    with engine.layers.open(image.config.diff_ids) as layer:
        return {path: node for path, node in layer.walk() if path}


def merged(engine, name: str) -> dict[bytes, bytes]:
    image = engine.images.resolve(name)
    with engine.layers.opened(image.config.diff_ids) as pile:
        tree = Tree.of(pile)
        return {
            path: tree.read(node)
            for path, node in tree.walk()
            if node.kind.value == "file" and path
        }


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


def test_image_of_a_container_is_not_removed_without_force(engine, base):
    container = ran(engine, "true")
    with pytest.raises(ImageInUse, match="must force"):
        engine.images.remove("base")
    removed = engine.images.remove("base", force=True)
    assert removed == (Removed(untagged="base:latest"),)
    engine.commit(container, "saved")  # what it stands on is still there
    engine.containers.remove(container)
    assert merged(engine, "saved")


def test_removed_image_frees_its_layers_and_keeps_shared_ones(engine, base):
    container = ran(engine, "echo x > /f")
    made = engine.commit(container, "app")
    engine.containers.remove(container)
    diff_ids = engine.images.resolve("app").config.diff_ids
    removed = engine.images.remove("app")
    assert removed[0] == Removed(untagged="app:latest")
    assert removed[1] == Removed(deleted=str(made))
    assert len(removed) == 3
    assert not engine.layers.has(diff_ids)
    assert engine.layers.has(diff_ids[:1])
    assert merged(engine, "base")
    engine.images.remove("base")
    assert list(engine.store.blobs) == []
    assert list(engine.layers) == []
    with pytest.raises(ImageUnknown):
        engine.images.remove("base")


def test_removing_one_of_two_names_only_untags(engine, base):
    engine.images.tag("base", "other")
    assert engine.images.remove("other") == (Removed(untagged="other:latest"),)
    assert engine.images.resolve("base").id == base


def test_id_with_names_in_two_repositories_needs_force(engine, base):
    engine.images.tag("base", "elsewhere/base")
    with pytest.raises(ImageInUse, match="multiple repositories"):
        engine.images.remove(base.short)
    names = {row.untagged for row in engine.images.remove(base.short, force=True) if row.untagged}
    assert names == {"base:latest", "elsewhere/base:latest"}


def test_prune_removes_dangling_images_and_on_demand_the_unused(engine, base):
    old = import_image(engine, "moving", [Piece("f", b"1" * 5000)])
    import_image(engine, "moving", [Piece("f", b"2")])
    container = ran(engine, "")
    removed, freed = engine.images.prune()
    assert Removed(deleted=str(old)) in removed
    assert freed > 0
    removed, _ = engine.images.prune(all_unused=True)
    assert {row.untagged for row in removed if row.untagged} == {"moving:latest"}
    assert [row.id for row in engine.images.list()] == [base]
    engine.containers.remove(container)


def test_disk_use_counts_shared_layers_once(engine, base):
    container = ran(engine, "echo x > /f")
    engine.commit(container, "app")
    use = engine.system.df()
    sizes = {image.names[0].rpartition("/")[2]: image for image in use.images}
    app, lower = sizes["app:latest"], sizes["base:latest"]
    assert app.shared == lower.shared > 0
    assert use.layers_size == app.shared + app.unique + lower.unique
    assert lower.containers == 1
    assert app.containers == 0
    assert use.images_reclaimable == app.unique
    assert [row.id for row in use.containers] == [container]
