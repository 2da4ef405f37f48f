"""Commit: one new layer with just what changed, and the documents that tell of it."""

from typing import TYPE_CHECKING

import pytest
from tests.engine.worlds import merged, notices, ran

from lamina.engine.local import LocalImage
from lamina.engine.requests import CreateRequest
from lamina.errors import Invalid
from lamina.image.edit import ChangeInvalid, FormatImpossible
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.reference import ReferenceInvalid
from lamina.stream.codec import Compression, decompressed

if TYPE_CHECKING:
    from lamina.engine.captured import Captured

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


def test_source_date_epoch_makes_two_commits_one_image(engine, base, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    script = "echo x > /f; mkdir /d; echo y > /d/g; touch -d @5 /d/g; rm /etc/group"
    ids = [engine.commit(ran(engine, script), name) for name in ("one", "two")]
    assert ids[0] == ids[1]
    image = engine.images.resolve("one")
    assert image.config.created == image.config.history[-1].created == "2001-09-09T01:46:40Z"
    assert "container" not in image.config.document
    with engine.layers.open(image.config.diff_ids) as layer:
        times = {path: node.mtime_ns for path, node in layer.walk()}
    assert times[b"f"] == times[b"d"] == 10**18
    assert times[b"d/g"] == 5 * 10**9


def top_blob(image: LocalImage) -> Descriptor:
    manifest = parse_manifest(image.manifest.raw)
    assert isinstance(manifest, Manifest)
    return manifest.layers[-1]


@pytest.mark.parametrize(
    ("name", "level", "media_type"),
    [
        ("gzip", 9, MediaType.OCI_LAYER_GZIP),
        ("zstd", None, MediaType.OCI_LAYER_ZSTD),
        ("none", None, MediaType.OCI_LAYER),
    ],
)
def test_a_layer_is_packed_as_asked_and_says_so(engine, base, name, level, media_type):
    container = ran(engine, "echo x > /f; touch -d @5 /f; touch -d @5 /")
    compression = Compression.parse(name, level)
    engine.commit(container, "packed", compression=compression)
    engine.commit(container, "plain")
    packed, plain = engine.images.resolve("packed"), engine.images.resolve("plain")
    assert packed.config.diff_ids == plain.config.diff_ids
    blob = top_blob(packed)
    assert blob.media_type == media_type
    assert blob.annotations == {"io.lamina.compression": str(compression)}
    with engine.store.blobs.open(blob.digest) as stream:
        assert Digest.of(b"".join(decompressed(stream))) == plain.config.diff_ids[-1]
    assert top_blob(plain).annotations == {"io.lamina.compression": "gzip;level=1;by=isal"}


def test_what_no_layer_can_hold_is_said(engine, base):
    container = ran(engine, "echo x > /.wh.name")
    said: list[str] = []
    engine.commit(container, "noted", listener=lambda event: said.extend(notices([event])))
    assert said == ["left out '.wh.name': a name that would be taken for a whiteout"]


def test_a_layer_of_whiteouts_alone_works(engine, base):
    engine.commit(ran(engine, "rm -r /etc/group"), "less")
    assert set(top_entries(engine, "less")) == {b"etc", b"etc/group"}
    assert b"etc/group" not in merged(engine, "less")
    assert ran(engine, "test ! -e /etc/group && test -e /etc/passwd", "less")


def test_a_squashed_image_has_one_layer_of_all_that_there_was(engine, base):
    container = ran(engine, "echo new > /home/new; rm /etc/group; echo more >> /etc/passwd")
    reports: list[Captured] = []
    engine.commit(container, "flat", squash=True, told=reports.append)
    engine.commit(container, "piled")
    image = engine.images.resolve("flat")
    assert len(image.config.diff_ids) == 1
    assert merged(engine, "flat") == merged(engine, "piled")
    assert b"etc/.wh.group" not in top_entries(engine, "flat")
    assert reports[0].files == 2, "the report is about what changed"
    rows = engine.images.history("flat")
    assert [row.size > 0 for row in rows] == [True, False]
    assert engine.images.inspect("flat")["Parent"] == ""
    assert ran(engine, "test ! -e /etc/group && cat /home/new", "flat")


def test_the_manifest_is_in_dockers_format_where_that_is_asked_for(engine, base):
    container = ran(engine, "echo x > /f")
    engine.commit(container, "old", form="docker")
    manifest = parse_manifest(engine.images.resolve("old").manifest.raw)
    assert isinstance(manifest, Manifest)
    assert manifest.media_type == MediaType.DOCKER_MANIFEST
    assert manifest.config.media_type == MediaType.DOCKER_CONFIG
    assert {layer.media_type for layer in manifest.layers} == {MediaType.DOCKER_LAYER_GZIP}
    packed = Compression.parse("zstd")
    with pytest.raises(FormatImpossible, match="Docker's format has no name for layer"):
        engine.commit(container, "new", form="docker", compression=packed)
    engine.commit(container, "zstd", compression=packed)
    above = ran(engine, "echo y > /g", "zstd")
    with pytest.raises(FormatImpossible):
        engine.commit(above, "new", form="docker")
    engine.commit(above, "new", form="docker", squash=True)
    with pytest.raises(Invalid, match="unknown format 'tar'"):
        engine.commit(container, "new", form="tar")
