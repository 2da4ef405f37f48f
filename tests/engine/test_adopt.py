"""Images that another tool wrote into the store."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, tar, write_layout

from lamina.engine.local import Removed
from lamina.errors import Corrupt, NotFound
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import encode
from lamina.store.names import Names


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def test_image_that_skopeo_put_into_the_store_is_listed_and_read(engine, tmp_path):
    """The store is an OCI layout: what other tools write into it counts."""
    write_layout(tmp_path / "layout", [tar([Piece("f", b"1")])], tag="x")
    engine.store.names.all()
    assert shutil.which("skopeo")
    target = f"oci:{engine.settings.root}:docker.io/library/foreign:v1"
    subprocess.run(["skopeo", "copy", "-q", f"oci:{tmp_path}/layout:x", target], check=True)
    assert engine.images.resolve("foreign:v1").names == ("docker.io/library/foreign:v1",)
    assert [row.names for row in engine.images.list()] == [("docker.io/library/foreign:v1",)]


def write_index(engine, *rows):
    """Write index.json as another tool would: (digest, size, media type, name) each."""
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": kind,
                "digest": str(digest),
                "size": size,
                "annotations": {"org.opencontainers.image.ref.name": name},
            }
            for digest, size, kind, name in rows
        ],
    }
    Path(engine.settings.root, "index.json").write_bytes(encode(index))


def index_of(engine, tmp_path, **platform):
    """Put an image and an index of it into the store's blobs; give the index's row but its name."""
    manifest = Digest(write_layout(tmp_path / "layout", [tar([Piece("f", b"1")])]))
    for blob in (tmp_path / "layout" / "blobs" / "sha256").iterdir():
        engine.store.blobs.put(blob.read_bytes())
    row = {"mediaType": MediaType.OCI_MANIFEST, "digest": str(manifest)}
    row["size"] = engine.store.blobs.size(manifest)
    own = engine.platform.to_json() | platform
    raw = encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_INDEX,
            "manifests": [row | {"platform": own}],
        }
    )
    return engine.store.blobs.put(raw), len(raw), MediaType.OCI_INDEX


def test_an_adopted_index_stays_an_index_and_goes_without_a_trace(engine, tmp_path):
    row = index_of(engine, tmp_path)
    write_index(engine, (*row, "multi:all"))
    image = engine.images.resolve("multi:all")
    assert image.layer_sizes == (1,)
    assert [named.target.digest for named in engine.store.names.all()] == [row[0]]
    removed = engine.images.remove("multi:all", now=True)
    assert removed[-1].deleted == str(image.config.diff_ids[0])
    assert engine.images.list() == ()
    assert list(engine.store.blobs) == []


def test_what_is_no_image_for_this_machine_does_not_spoil_the_listing(engine, tmp_path):
    row = index_of(engine, tmp_path, architecture="riscv64", os="plan9")
    write_index(engine, (*row, "strange:1"))
    image_id = import_image(engine, "own:1")
    assert [found.id for found in engine.images.list()] == [image_id]
    assert engine.images.resolve(image_id.hex[:12]).id == image_id
    with pytest.raises(NotFound, match="no matching manifest"):
        engine.images.resolve("strange:1")


def test_name_that_is_removed_while_its_image_is_adopted_does_not_come_back(
    engine, tmp_path, monkeypatch
):
    write_index(engine, (*index_of(engine, tmp_path), "multi:all"))
    note = Names.note

    def late(names, *rest):
        names.remove("docker.io/library/multi:all")
        note(names, *rest)

    monkeypatch.setattr(Names, "note", late)
    engine.images.resolve("multi:all")
    assert engine.images.list() == ()


def test_an_index_for_other_machines_is_removed_by_its_name(engine, tmp_path):
    write_index(engine, (*index_of(engine, tmp_path, architecture="s390x"), "multi:all"))
    assert engine.images.list() == ()
    removed = engine.images.remove("multi:all", now=True)
    assert removed == (Removed(untagged="multi:all"),)
    assert engine.store.names.all() == ()
    assert list(engine.store.blobs) == []


@pytest.mark.parametrize("by_id", [False, True], ids=["by name", "by ID"])
def test_an_image_whose_manifest_is_damaged_is_removed(engine, by_id: bool):
    image_id = import_image(engine, "app:v1")
    path = engine.store.blobs.path(engine.images.resolve("app:v1").manifest.digest)
    Path(path).write_bytes(b"{}")
    with pytest.raises(Corrupt, match="damaged on disk"):
        engine.images.resolve("app:v1")
    removed = engine.images.remove(str(image_id) if by_id else "app:v1", now=True)
    assert removed == (Removed(untagged="app:v1"),)
    assert engine.images.list() == ()
    assert list(engine.store.blobs) == []
    assert list(engine.layers) == []
