"""Save, load and import, with skopeo and podman reading and writing the other side."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, tar, write_layout

from lamina.engine.archives import ArchiveInvalid
from lamina.errors import Corrupt, Invalid
from lamina.events import Event, LayerProgress, Notice, Phase
from lamina.spec.wire import encode
from lamina.stream.verify import DigestMismatch


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path / "here")


@pytest.fixture
def other(tmp_path):
    return make_engine(tmp_path / "there")


def saved(engine, *names, form="docker") -> bytes:
    out = io.BytesIO()
    engine.images.save(names, out, form=form)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:  # noqa: TID251 - another reader on purpose
        for member in archive:
            body = archive.extractfile(member)
            found[member.name] = body.read() if body else b""
    return found


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_saved_images_load_elsewhere_with_the_same_ids_and_manifests(engine, other, form):
    one = import_image(engine, "one:v1", [Piece("f", b"1")])
    two = import_image(engine, "127.0.0.1:5000/me/two", [Piece("f", b"2")])
    engine.images.tag("one:v1", "one:v2")
    data = saved(engine, "one:v1", "one:v2", "127.0.0.1:5000/me/two", form=form)
    loaded = other.images.load(io.BytesIO(data))
    assert {row.id for row in loaded} == {one, two}
    assert (
        other.images.resolve("one:v2").manifest.raw == engine.images.resolve("one:v1").manifest.raw
    )
    assert other.images.resolve("127.0.0.1:5000/me/two").id == two
    assert [row.names for row in other.images.list() if row.id == one] == [
        ("docker.io/library/one:v1", "docker.io/library/one:v2")
    ]


def test_same_images_give_the_same_archive(engine):
    import_image(engine, "one")
    assert saved(engine, "one") == saved(engine, "one")


def test_image_saved_by_id_has_no_name_and_loads_without_one(engine, other):
    made = import_image(engine, "one")
    data = saved(engine, made.short)
    events: list[Event] = []
    (loaded,) = other.images.load(io.BytesIO(data), listener=events.append)
    assert loaded.id == made
    assert loaded.names == ()
    assert Notice(f"Loaded image ID: {made}") in events
    assert [row.names for row in other.images.list()] == [()]


def test_load_tells_of_layers_and_names(engine, other):
    import_image(engine, "one")
    events: list[Event] = []
    other.images.load(io.BytesIO(saved(engine, "one")), listener=events.append)
    assert {e.phase for e in events if isinstance(e, LayerProgress)} == {Phase.LOADING}
    assert events[-1] == Notice("Loaded image: one:latest")


def test_docker_archive_has_what_docker_load_reads(engine):
    made = import_image(engine, "one:v1")
    files = members(saved(engine, "one:v1"))
    (row,) = json.loads(files["manifest.json"])
    assert row["RepoTags"] == ["one:v1"]
    assert row["Config"] == f"blobs/sha256/{made.hex}"
    assert all(name in files for name in row["Layers"])
    assert "manifest.json" not in members(saved(engine, "one:v1", form="oci"))


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_save(engine, tmp_path, transport):
    made = import_image(engine, "one:v1")
    path = tmp_path / "image.tar"
    path.write_bytes(saved(engine, "one:v1"))
    done = subprocess.run(
        ["skopeo", "inspect", "--config", "--raw", f"{transport}:{path}"],
        capture_output=True,
        check=True,
    )
    assert (
        json.loads(done.stdout)["rootfs"]
        == engine.images.resolve(made.short).config.document["rootfs"]
    )


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_what_skopeo_writes_loads(engine, tmp_path, transport):
    layers = [tar([Piece("a", b"1" * 5000)]), tar([Piece("b", b"2")])]
    write_layout(tmp_path / "layout", layers, tag="x")
    path = tmp_path / "image.tar"
    name = "docker.io/library/made:v1" if transport == "docker-archive" else "made:v1"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{tmp_path}/layout:x", f"{transport}:{path}:{name}"],
        check=True,
    )
    with path.open("rb") as stream:
        engine.images.load(stream)
    image = engine.images.resolve("made:v1")
    with engine.layers.opened(image.config.diff_ids) as pile:
        assert [b"".join(layer.tar()) for layer in pile] == layers


def legacy(layers: list[bytes], *, cut: bool = False) -> bytes:
    """Make an archive as docker before 25 wrote it: layers in folders, one of them a link."""
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": digests},
        }
    )
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    row = {"Config": "c.json", "RepoTags": ["old:v1"], "Layers": names}
    pieces = [Piece(name, layer) for name, layer in zip(names, layers, strict=True)]
    if len(layers) > 1 and layers[0] == layers[-1]:
        pieces[-1] = Piece(names[-1], link=f"../{names[0]}")
    if cut:
        pieces.pop()
    return tar([Piece("c.json", config), *pieces, Piece("manifest.json", encode([row]))])


def test_archive_of_an_old_docker_loads_links_and_all(engine):
    layers = [tar([Piece("a", b"1")]), tar([Piece("b", b"2")]), tar([Piece("a", b"1")])]
    (loaded,) = engine.images.load(io.BytesIO(legacy(layers)))
    assert loaded.names == ("old:v1",)
    image = engine.images.resolve("old:v1")
    with engine.layers.opened(image.config.diff_ids) as pile:
        assert [b"".join(layer.tar()) for layer in pile] == layers


@pytest.mark.parametrize("wrap", [gzip.compress, lambda data: data])
def test_compressed_archives_load_too(engine, other, wrap):
    made = import_image(engine, "one")
    (loaded,) = other.images.load(io.BytesIO(wrap(saved(engine, "one"))))
    assert loaded.id == made


def test_archive_without_one_of_its_layers_changes_nothing(engine):
    from lamina.image.archive import MemberMissing

    with pytest.raises(MemberMissing, match=r"1/layer\.tar"):
        engine.images.load(io.BytesIO(legacy([tar([Piece("a")]), tar([Piece("b")])], cut=True)))
    assert engine.images.list() == ()


def test_damaged_archive_changes_nothing(engine, other):
    import_image(engine, "one", [Piece("f", b"x" * 5000)])
    data = saved(engine, "one")
    layer = engine.images.resolve("one").manifest.layers[0]
    at = data.index(engine.store.blobs.read(layer.digest))
    broken = data[: at + 30] + bytes([data[at + 30] ^ 1]) + data[at + 31 :]
    with pytest.raises(Corrupt):
        other.images.load(io.BytesIO(broken))
    assert other.images.list() == ()


@pytest.mark.parametrize(
    "bad", [lambda data: data[: len(data) // 2], lambda data: data[:-1] + b"?"]
)
def test_an_image_whose_layer_is_damaged_on_the_disk_is_not_saved_as_if_it_were_whole(engine, bad):
    import_image(engine, "one", [Piece("f", b"x" * 5000)])
    path = engine.store.blobs.path(engine.images.resolve("one").manifest.layers[0].digest)
    Path(path).chmod(0o600)
    Path(path).write_bytes(bad(Path(path).read_bytes()))
    with pytest.raises(DigestMismatch, match="damaged on disk"):
        saved(engine, "one")


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, tar([Piece("etc/passwd", b"x")])])
def test_what_is_no_archive_is_refused_plainly(engine, data):
    with pytest.raises((ArchiveInvalid, Corrupt)):
        engine.images.load(io.BytesIO(data))


def test_unknown_format_is_refused(engine):
    import_image(engine, "one")
    with pytest.raises(Invalid, match="format"):
        saved(engine, "one", form="zip")


@pytest.mark.parametrize("wrap", [gzip.compress, lambda data: data])
def test_imported_tar_is_the_layer_bit_for_bit(engine, wrap):
    from lamina.engine.archives import ImportRequest

    plain = tar([Piece("f", b"1")])
    engine.images.import_(io.BytesIO(wrap(plain)), ImportRequest(name="x", message="mine"))
    image = engine.images.resolve("x")
    with engine.layers.opened(image.config.diff_ids) as (layer,):
        assert b"".join(layer.tar()) == plain
    assert image.config.history[-1].comment == "mine"


def test_import_of_no_tar_leaves_nothing(engine):
    from lamina.engine.archives import ImportRequest

    with pytest.raises(Corrupt):
        engine.images.import_(io.BytesIO(b"no tar" * 1000), ImportRequest(name="x"))
    assert engine.images.list() == ()
    assert list(engine.store.blobs) == []


def test_a_file_that_is_no_archive_is_called_that(tmp_path):
    with make_engine(tmp_path) as engine:
        import_image(engine, "a:1")
        whole = io.BytesIO()
        engine.images.save(["a:1"], whole)
        for junk in (b"root:x:0:0:root:/root:/bin/bash\n" * 40, whole.getvalue()[:-3000]):
            with pytest.raises(ArchiveInvalid, match="the file is no whole tar archive"):
                engine.images.load(io.BytesIO(junk))
