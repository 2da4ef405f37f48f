"""Images for several platforms: which one comes, and how often the registry is asked."""

import hashlib
import json
import threading
from pathlib import Path

import pytest
from tests.engine.worlds import make_engine
from tests.images import Piece, tar, write_layout
from tests.remote.crooked import CrookedServer, Exchange, serve_layout

from lamina.engine.engine import Engine
from lamina.errors import Invalid, NotFound, Unsupported
from lamina.spec.wire import encode

OCI = "application/vnd.oci.image"
PLATFORMS = (
    "linux/amd64", "linux/amd64/v2", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8",
    "windows/amd64", "unknown/unknown",
)  # fmt: skip


def keep(folder: Path, document: dict[str, object]) -> dict[str, object]:
    raw = encode(document)
    name = hashlib.sha256(raw).hexdigest()
    (folder / "blobs/sha256" / name).write_bytes(raw)
    kind = str(document["mediaType"])
    return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(raw)}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of images that each have a file with their platform's name; arm's in an index below."""
    folder = tmp_path_factory.mktemp("platforms")
    rows: list[dict[str, object]] = []
    below: list[dict[str, object]] = []
    for text in PLATFORMS:
        system, architecture, *variant = text.split("/")
        platform: dict[str, object] = {"os": system, "architecture": architecture}
        if variant:
            platform["variant"] = variant[0]
        digest = write_layout(
            folder, [tar([Piece("common")]), tar([Piece("name", text.encode())])], config={}
        )
        raw = (folder / "blobs" / digest.replace(":", "/")).read_bytes()
        row = {
            "mediaType": f"{OCI}.manifest.v1+json",
            "digest": digest,
            "size": len(raw),
            "platform": platform,
        }
        (below if architecture == "arm" else rows).append(row)
    nested = keep(
        folder,
        {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": below},
    )
    arm = {"os": "linux", "architecture": "arm"}
    top = keep(
        folder,
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.index.v1+json",
            "manifests": [*rows, nested | {"platform": arm | {"variant": "v7"}}],
        },
    )
    (folder / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [top]}))
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "engine")


def name_in(engine: Engine, image: str) -> str:
    with engine.layers.opened(engine.images.resolve(image).config.diff_ids) as pile:
        from lamina.layer.view import Tree

        tree = Tree.of(pile)
        (node,) = [node for path, node in tree.walk() if path == b"name"]
        return tree.read(node).decode()


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/amd64/v4", "linux/amd64/v2"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm64", "linux/arm64/v8"),
        ("arm64/v8", None),
        ("windows/amd64", "windows/amd64"),
        ("linux/s390x", None),
        ("unknown/unknown", None),
    ],
)
def test_the_platform_that_was_asked_for_comes(
    engine: Engine, layout: Path, wanted: str, given: str | None
):
    with CrookedServer(lambda each: serve_layout(layout, each)) as server:
        image = f"{server.address}/a/multi:v1"
        if given is None:
            with pytest.raises(NotFound, match="no matching manifest"):
                engine.images.pull(image, platform=wanted)
            return
        engine.images.pull(image, platform=wanted)
        assert name_in(engine, image) == given


def test_all_platforms_come_and_this_machines_has_the_name(engine: Engine, layout: Path):
    with CrookedServer(lambda each: serve_layout(layout, each)) as server:
        image = f"{server.address}/a/multi:v1"
        outcomes = engine.images.pull(image, all_platforms=True)
        names = [name_in(engine, str(outcome.image_id)) for outcome in outcomes]
        mine = str(engine.platform)
        assert sorted(names) == sorted(each for each in PLATFORMS if each != "unknown/unknown")
        assert names[-1].startswith(mine)
        assert name_in(engine, image) == names[-1]
        digests = {name for row in engine.images.list() for name in row.digests}
        assert len(digests) == len(names)
        # Layers that several have are fetched once.
        blobs = [each.path for each in server.seen if "/blobs/" in each.path]
        assert len(blobs) == len(set(blobs))


def test_a_single_image_is_all_platforms_there_are(engine: Engine, tmp_path: Path):
    write_layout(tmp_path / "one", [tar([Piece("name", b"one")])])
    with CrookedServer(lambda each: serve_layout(tmp_path / "one", each)) as server:
        (outcome,) = engine.images.pull(f"{server.address}/a/one:v1", all_platforms=True)
        assert name_in(engine, f"{server.address}/a/one:v1") == "one"
        assert outcome.downloaded


def test_a_second_pull_asks_once_even_of_an_index(engine: Engine, layout: Path):
    with CrookedServer(lambda each: serve_layout(layout, each)) as server:
        image = f"{server.address}/a/multi:v1"
        engine.images.pull(image, platform="linux/amd64")
        first = [(each.method, each.path.rpartition("/")[0]) for each in server.seen]
        assert sorted(first) == [
            ("GET", "/v2/a/multi/blobs"),
            ("GET", "/v2/a/multi/blobs"),
            ("GET", "/v2/a/multi/blobs"),
            ("GET", "/v2/a/multi/manifests"),
            ("GET", "/v2/a/multi/manifests"),
        ]
        server.seen.clear()
        engine.images.pull(image, platform="linux/amd64")
        assert [(each.method, each.path) for each in server.seen] == [
            ("GET", "/v2/a/multi/manifests/v1")
        ]


def test_layers_are_asked_for_together_not_one_after_another(engine: Engine, tmp_path: Path):
    layers = [tar([Piece("name", bytes([n]) * 1000)]) for n in range(3)]
    write_layout(tmp_path / "three", layers)
    config, *rest = sorted(
        (tmp_path / "three/blobs/sha256").iterdir(),
        key=lambda path: not path.read_bytes().startswith(b'{"created'),
    )
    waiting = threading.Barrier(3, timeout=100)

    def answer(exchange: Exchange) -> None:
        if "/blobs/" in exchange.path and not exchange.path.endswith(config.name):
            waiting.wait()  # nobody is answered before all three are asked for
        serve_layout(tmp_path / "three", exchange)

    with CrookedServer(answer) as server:
        engine.images.pull(f"{server.address}/a/three:v1")
        assert len(rest) == 4  # three layers and the manifest


@pytest.mark.parametrize(
    "kind",
    ["application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json", ""],
)
def test_schema_1_is_refused_with_what_to_do(engine: Engine, kind: str):
    old = encode({"schemaVersion": 1, "name": "a/old", "fsLayers": [], "signatures": []})

    def answer(exchange: Exchange) -> None:
        exchange.reply(200, old, {"Content-Type": kind} if kind else {})

    with (
        CrookedServer(answer) as server,
        pytest.raises((Unsupported, Invalid), match="schema 1") as caught,
    ):
        engine.images.pull(f"{server.address}/a/old:v1")
    assert "publisher" in caught.value.hint


def test_a_foreign_layer_is_not_fetched_from_elsewhere(engine: Engine, tmp_path: Path):
    folder = tmp_path / "foreign"
    digest = write_layout(folder, [tar([Piece("name")])])
    manifest = json.loads((folder / "blobs" / digest.replace(":", "/")).read_bytes())
    asked: list[str] = []
    with CrookedServer(lambda each: asked.append(each.path)) as elsewhere:
        (layer,) = manifest["layers"]
        (folder / "blobs" / layer["digest"].replace(":", "/")).unlink()
        layer["urls"] = [f"{elsewhere.url}/layer"]
        top = keep(folder, manifest)
        (folder / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [top]}))
        with (
            CrookedServer(lambda each: serve_layout(folder, each)) as server,
            pytest.raises(Unsupported, match="is a foreign layer") as caught,
        ):
            engine.images.pull(f"{server.address}/a/foreign:v1")
        assert f"{elsewhere.url}/layer" in caught.value.hint
    assert asked == []
