"""An image goes from any place to any other with its digest, and other tools read it there."""

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.archives import archive
from tests.engine.worlds import import_image, merged
from tests.images import Piece, tar, write_layout
from tests.servers import RegistryServer

from lamina.engine.engine import Engine
from lamina.errors import Corrupt, Invalid, NotFound, Unsupported
from lamina.events import Event, LayerProgress, Phase
from lamina.hub import Hub
from lamina.remote.repository import Repository
from lamina.spec.digest import Digest
from lamina.spec.reference import Reference

LAYERS = (
    tar(
        [Piece("etc", directory=True), Piece("etc/motd", b"hello\n"), Piece("big", b"x" * 300_000)]
    ),
    tar([Piece("etc/motd", b"changed\n")]),
)


@pytest.fixture
def layout(tmp_path: Path) -> tuple[str, str]:
    """A layout by another hand, and the digest of its image."""
    return str(tmp_path / "layout"), write_layout(tmp_path / "layout", LAYERS, tag="v1")


def index_of(folder: Path, other: str) -> str:
    """Make the layout at `folder` one index of two platforms; give its digest."""
    index = json.loads((folder / "index.json").read_text())
    row = index["manifests"][0]
    row.pop("annotations")
    here = {"os": "linux", "architecture": other}
    foreign = {**row, "platform": here}
    native = {**row, "platform": {"os": "linux", "architecture": "amd64"}}
    raw = json.dumps(  # noqa: TID251 - by another hand
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [native, foreign],
        }
    ).encode()
    import hashlib

    hexes = hashlib.sha256(raw).hexdigest()
    (folder / "blobs/sha256" / hexes).write_bytes(raw)
    top = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": f"sha256:{hexes}",
        "size": len(raw),
        "annotations": {"org.opencontainers.image.ref.name": "multi"},
    }
    (folder / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "manifests": [top]})  # noqa: TID251
    )
    return f"sha256:{hexes}"


def skopeo(*words: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *words], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "form", ["oci", "dir", "oci-archive", "docker-archive", "docker", "lamina"]
)
def test_there_and_back_through_every_place_keeps_the_digest(
    engine: Engine, registry: RegistryServer, layout: tuple[str, str], tmp_path: Path, form: str
):
    folder, digest = layout
    place = {
        "oci": f"oci:{tmp_path}/there:v1",
        "dir": f"dir:{tmp_path}/there",
        "oci-archive": f"oci-archive:{tmp_path}/there.tar:v1",
        "docker-archive": f"docker-archive:{tmp_path}/there.tar:example/db:v1",
        "docker": f"docker://{registry.address}/copies/{form}:v1",
        "lamina": "lamina:there:v1",
    }[form]
    assert engine.images.copy(f"oci:{folder}:v1", place) == digest
    assert engine.images.copy(place, "lamina:back:v1") == digest
    assert merged(engine, "back:v1")[b"etc/motd"] == b"changed\n"
    assert len(merged(engine, "back:v1")[b"big"]) == 300_000


@pytest.mark.parametrize("form", ["oci", "dir", "oci-archive", "docker-archive", "docker"])
def test_skopeo_reads_what_was_copied_and_writes_what_is_read(
    engine: Engine, registry: RegistryServer, layout: tuple[str, str], tmp_path: Path, form: str
):
    folder, digest = layout
    ours, theirs = (
        {
            "oci": f"oci:{tmp_path}/{who}:v1",
            "dir": f"dir:{tmp_path}/{who}",
            "oci-archive": f"oci-archive:{tmp_path}/{who}.tar:v1",
            "docker-archive": f"docker-archive:{tmp_path}/{who}.tar:example/db:v1",
            "docker": f"docker://{registry.address}/{who}/{form}:v1",
        }[form]
        for who in ("ours", "theirs")
    )
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    engine.images.copy(f"oci:{folder}:v1", ours)
    skopeo("copy", *plain, ours, f"oci:{tmp_path}/check:v1")
    skopeo("copy", *plain, f"oci:{folder}:v1", theirs)
    config = json.loads((Path(folder) / "index.json").read_text())["manifests"][0]["digest"]
    assert config == digest
    engine.images.copy(theirs, "lamina:theirs:v1")
    assert merged(engine, "theirs:v1")[b"etc/motd"] == b"changed\n"
    if form != "docker-archive":  # skopeo writes plain layers there, and so another manifest
        checked = json.loads((tmp_path / "check" / "index.json").read_text())
        assert checked["manifests"][0]["digest"] == digest


def test_docker_reads_a_docker_archive(engine: Engine, layout: tuple[str, str], tmp_path: Path):
    engine.images.copy(f"oci:{layout[0]}:v1", f"docker-archive:{tmp_path}/a.tar:example/db:v1")
    with tarfile.open(tmp_path / "a.tar") as file:  # noqa: TID251
        rows = json.load(file.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert rows[0]["RepoTags"] == ["example/db:v1"]
        plain = gzip.decompress(file.extractfile(rows[0]["Layers"][1]).read())  # type: ignore[union-attr]
    assert plain == LAYERS[1]


def test_a_whole_index_goes_with_everything_and_one_platform_without(
    engine: Engine, registry: RegistryServer, layout: tuple[str, str], tmp_path: Path
):
    folder, digest = layout
    top = index_of(Path(folder), "s390x")
    name = f"docker://{registry.address}/copies/multi:v1"
    assert engine.images.copy(f"oci:{folder}", name, everything=True) == top
    assert engine.images.copy(name, f"dir:{tmp_path}/all", everything=True) == top
    assert (
        engine.images.copy(f"dir:{tmp_path}/all", f"oci:{tmp_path}/again:x", everything=True) == top
    )
    assert engine.images.copy(name, f"oci:{tmp_path}/one:x", platform="linux/s390x") == digest
    with pytest.raises(NotFound, match="linux/arm64"):
        engine.images.copy(name, f"oci:{tmp_path}/none:x", platform="linux/arm64")
    with pytest.raises(Unsupported, match="docker-archive"):
        engine.images.copy(name, f"docker-archive:{tmp_path}/x.tar", everything=True)
    assert not (tmp_path / "x.tar").exists()
    assert not list(tmp_path.glob("x.tar*"))


def test_what_is_there_is_not_sent_again_and_the_same_registry_mounts(
    engine: Engine, registry: RegistryServer, layout: tuple[str, str]
):
    one, two = (f"docker://{registry.address}/{name}/db:v1" for name in ("first", "second"))
    engine.images.copy(f"oci:{layout[0]}:v1", one)

    def phases(source: str, target: str) -> set[Phase]:
        events: list[Event] = []
        engine.images.copy(source, target, listener=events.append)
        done = [event.phase for event in events if isinstance(event, LayerProgress)]
        return set(done) - {Phase.PREPARING, Phase.PUSHING}

    assert phases(f"oci:{layout[0]}:v1", one) == {Phase.PRESENT}
    assert phases(one, two) == {Phase.MOUNTED}


def test_old_docker_archives_are_read(engine: Engine, tmp_path: Path):
    (tmp_path / "old.tar").write_bytes(archive("example/old:v1"))
    engine.images.copy(f"docker-archive:{tmp_path}/old.tar", f"oci:{tmp_path}/new:v1")
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress((tmp_path / "old.tar").read_bytes()))
    engine.images.copy(f"docker-archive:{tmp_path}/old.tar.gz:example/old:v1", "lamina:old:v1")
    engine.images.load(io.BytesIO(archive("example/old:v1")))
    assert merged(engine, "old:v1") == merged(engine, "example/old:v1")


def test_a_damaged_blob_goes_nowhere(engine: Engine, layout: tuple[str, str], tmp_path: Path):
    blobs = Path(layout[0], "blobs/sha256")
    largest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    raw = bytearray(largest.read_bytes())
    raw[len(raw) // 2] ^= 1
    largest.write_bytes(raw)
    for place in (f"oci:{tmp_path}/there:v1", f"dir:{tmp_path}/dir", "lamina:there"):
        with pytest.raises(Corrupt):
            engine.images.copy(f"oci:{layout[0]}:v1", place)
    assert not (tmp_path / "there/index.json").exists()
    assert not (tmp_path / "dir/manifest.json").exists()
    assert not list((tmp_path / "there").glob(".*~"))
    with pytest.raises(NotFound):
        engine.images.find("there")


def test_other_images_of_a_layout_stay_and_a_name_moves(
    engine: Engine, layout: tuple[str, str], tmp_path: Path
):
    import_image(engine, "other")
    for name in ("a", "b"):
        engine.images.copy(f"oci:{layout[0]}:v1", f"oci:{tmp_path}/there:{name}")
    engine.images.copy("other", f"oci:{tmp_path}/there:b")
    rows = json.loads((tmp_path / "there/index.json").read_text())["manifests"]
    names = {row["annotations"]["org.opencontainers.image.ref.name"]: row["digest"] for row in rows}
    assert names["a"] == layout[1]
    assert names["b"] != layout[1]
    assert len(rows) == 2
    with pytest.raises(Invalid, match="say which"):
        engine.images.copy(f"oci:{tmp_path}/there", "lamina:x")


@pytest.mark.parametrize(
    "place", ["oci:{}/none", "dir:{}/none", "oci-archive:{}/none.tar", "lamina:none"]
)
def test_a_place_that_is_not_there_is_said(engine: Engine, tmp_path: Path, place: str):
    with pytest.raises(NotFound):
        engine.images.copy(place.format(tmp_path), f"oci:{tmp_path}/x")


def test_a_folder_of_something_else_is_left_alone(
    engine: Engine, layout: tuple[str, str], tmp_path: Path
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("dear")
    for form in ("oci", "dir"):
        with pytest.raises(Invalid, match="not empty"):
            engine.images.copy(f"oci:{layout[0]}:v1", f"{form}:{tmp_path}/mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def attach(folder: Path, subject: str) -> str:
    """Attach a signature to an image of a layout; give its digest."""
    import hashlib

    def put(raw: bytes) -> dict[str, object]:
        name = hashlib.sha256(raw).hexdigest()
        (folder / "blobs/sha256" / name).write_bytes(raw)
        return {"digest": f"sha256:{name}", "size": len(raw)}

    index = json.loads((folder / "index.json").read_text())
    row = next(row for row in index["manifests"] if row["digest"] == subject)
    kind = "application/vnd.oci.image.manifest.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "artifactType": "application/x.signature",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", **put(b"{}")},
        "layers": [{"mediaType": "application/x.signature", **put(b"signed " + subject.encode())}],
        "subject": {key: row[key] for key in ("mediaType", "digest", "size")},
    }
    new = put(json.dumps(document).encode())  # noqa: TID251 - by another hand
    index["manifests"].append({"mediaType": kind, **new})
    (folder / "index.json").write_text(json.dumps(index))  # noqa: TID251
    return str(new["digest"])


@pytest.fixture
def signed_places(registry: RegistryServer, hub: Hub) -> tuple[str, str]:
    """A registry that lists what is attached by a tag alone, and one that has the API."""
    return registry.address, hub.address


def test_what_is_attached_goes_along_when_it_is_asked_for(
    engine: Engine,
    signed_places: tuple[str, str],
    alice: Engine,
    layout: tuple[str, str],
    tmp_path: Path,
):
    folder, digest = layout
    signature = attach(Path(folder), digest)
    notary = attach(Path(folder), signature)  # and what is attached to that
    for address, by in zip(signed_places, (engine, alice), strict=True):
        name = f"docker://{address}/alice/signed:v1"
        by.images.copy(f"oci:{folder}:v1", f"docker://{address}/alice/bare:v1")
        by.images.copy(f"oci:{folder}:v1", name, referrers=True)
        by.images.copy(f"oci:{folder}:v1", name, referrers=True)  # nothing is listed twice
        repository = Repository.of(by.client, Reference.parse(name.removeprefix("docker://")))
        (found,) = repository.referrers(Digest(digest))
        assert (found.digest, found.artifact_type) == (signature, "application/x.signature")
        back = tmp_path / address.replace(":", "-")
        by.images.copy(name, f"oci:{back}:v1", referrers=True)
        rows = json.loads((back / "index.json").read_text())["manifests"]
        assert {row["digest"] for row in rows} == {digest, signature, notary}
        bare = Repository.of(by.client, Reference.parse(f"{address}/alice/bare:v1"))
        assert bare.referrers(Digest(digest)) == ()


def test_an_index_for_other_machines_goes_in_and_out_of_the_store(
    engine: Engine, layout: tuple[str, str], tmp_path: Path
):
    folder, _ = layout
    index_of(Path(folder), "s390x")
    index = json.loads((Path(folder) / "index.json").read_text())
    raw = (Path(folder) / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_bytes()
    document = json.loads(raw)
    document["manifests"] = document["manifests"][1:]
    raw = json.dumps(document).encode()  # noqa: TID251 - by another hand
    digest = Digest.of(raw)
    (Path(folder) / "blobs/sha256" / digest.hex).write_bytes(raw)
    index["manifests"][0] |= {"digest": digest, "size": len(raw)}
    (Path(folder) / "index.json").write_text(json.dumps(index))  # noqa: TID251 - by another hand
    engine.images.copy(f"oci:{folder}", "lamina:foreign:v1", everything=True)
    out = f"oci:{tmp_path}/out:v1"
    assert engine.images.copy("lamina:foreign:v1", out, everything=True) == digest
    with pytest.raises(NotFound, match="no matching manifest for linux/amd64"):
        engine.images.resolve("foreign:v1")


def test_an_index_for_a_docker_archive_is_refused_before_anything_is_fetched(
    engine: Engine, layout: tuple[str, str], tmp_path: Path
):
    index_of(Path(layout[0]), "s390x")
    events: list[Event] = []
    with pytest.raises(Unsupported, match="holds images, not indexes"):
        engine.images.copy(
            f"oci:{layout[0]}",
            f"docker-archive:{tmp_path}/a.tar:x:v1",
            everything=True,
            listener=events.append,
        )
    assert events == []
