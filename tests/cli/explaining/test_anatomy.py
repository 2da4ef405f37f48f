"""An image taken apart: each digest and chain ID is computed anew, and each command typed."""

import gzip
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from tests.archives import archive
from tests.cli.explaining.reading import check_all, mentions, steps
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

LAYERS = tuple(tar([Piece(f"file{number}", b"x" * number)]) for number in range(9))


@pytest.fixture
def here(settings: Settings, engine: Engine) -> Console:
    engine.images.load(io.BytesIO(archive("three:1", layers=LAYERS[:3])))
    engine.images.load(io.BytesIO(archive("nine:1", layers=LAYERS)))
    return console(settings)


def chains(diff_ids: list[str]) -> list[str]:
    found = [diff_ids[0]]
    for diff_id in diff_ids[1:]:
        found.append("sha256:" + hashlib.sha256(f"{found[-1]} {diff_id}".encode()).hexdigest())
    return found


def test_the_json_has_every_digest_and_each_is_that_of_its_bytes(here: Console, settings: Settings):
    document = json.loads(here("explain", "--json", "nine:1"))
    assert document["names"] == ["docker.io/library/nine:1"]
    for each in (document["manifest"], document["config"], *document["layers"]):
        raw = Path(each["path"]).read_bytes()
        assert Path(each["path"]).is_relative_to(settings.root)
        assert "sha256:" + hashlib.sha256(raw).hexdigest() == each["digest"]
        assert len(raw) == each["size"]
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in LAYERS]
    assert [layer["diffID"] for layer in document["layers"]] == diff_ids
    assert [layer["tarSize"] for layer in document["layers"]] == [len(layer) for layer in LAYERS]
    assert [layer["chainID"] for layer in document["layers"]] == chains(diff_ids)
    assert document["layers"][0]["chainIDOf"] is None
    assert document["layers"][2]["chainIDOf"] == f"{chains(diff_ids)[1]} {diff_ids[2]}"
    assert document["imageID"] == document["config"]["digest"]


def test_the_drawing_hangs_everything_on_the_manifest_and_computes_each_chain_id(here: Console):
    told = here("explain", "--width", "160", "three:1")
    document = json.loads(here("explain", "--json", "three:1"))
    assert steps(told)[:4] == [
        "The names", "The documents and the blobs", "Each layer has two digests",
        "Chain IDs: the pile has a name at each height",
    ]  # fmt: skip
    assert f"     manifest  {document['manifest']['digest']}  " in told
    assert f"     ├─ config  {document['config']['digest']}  " in told
    assert f"     │    └─ diff_ids[2]  {document['layers'][2]['diffID']}\n" in told
    assert f"     └─ layers[2]  {document['layers'][2]['digest']}  " in told
    assert f"{document['layers'][1]['size']}B tar" in told
    for number, layer in enumerate(document["layers"], 1):
        assert f"Chain ID {number}: {layer['chainID']}" in told
        if number > 1:
            assert f'= sha256("{layer["chainIDOf"]}")' in told
    assert check_all(told) == 6


def test_of_many_layers_the_lowest_and_the_topmost_are_drawn(here: Console):
    told = here("explain", "nine:1")
    assert re.findall(r"^   Chain ID (\d)", told, re.MULTILINE) == ["1", "2", "3", "7", "8", "9"]
    assert max(len(line) for line in told.splitlines() if "$ " not in line) <= 80
    document = json.loads(here("explain", "--json", "nine:1"))
    assert mentions(told, document["layers"][8]["chainID"])


def test_blobs_that_are_packed_are_checked_packed_and_unpacked(here: Console, settings: Settings):
    here("explain", "--json", "three:1")
    with Engine(settings) as engine:
        image = engine.images.resolve("three:1")
        path = engine.store.blobs.path(image.manifest.layers[0].digest)
    raw = Path(path).read_bytes()
    if image.manifest.layers[0].media_type.endswith("gzip"):
        raw = gzip.decompress(raw)
    assert raw == LAYERS[0]


def test_an_image_without_layers_and_one_without_names_are_told_so(
    settings: Settings, engine: Engine
):
    engine.images.load(io.BytesIO(archive("named:1")))
    image_id = str(engine.images.resolve("named:1").id)
    here = console(settings)
    told = here("explain", image_id)
    assert "docker.io/library/named:1" in told
    assert steps(told)[0] == "The names"


def test_layers_whose_sealed_files_are_damaged_are_shown_as_far_as_they_are_known(
    here: Console, settings: Settings
):
    with Engine(settings) as engine:
        image = engine.images.resolve("nine:1")
        path = Path(engine.layers.path(image.config.diff_ids[:9]))
        blob = Path(engine.store.blobs.path(image.manifest.layers[8].digest))
    path.write_bytes(b"no superblock")
    blob.write_bytes(b"no layer")
    said = here.run("explain", "nine:1")
    assert said.code == 0
    assert re.search(r"^     9 .*  \?(  |$)", said.out, re.MULTILINE)
    assert mentions(said.out, "no sealed layer on this disk, or it is damaged")
    document = json.loads(here("explain", "--json", "nine:1"))
    assert document["layers"][8]["tarSize"] is None
    assert document["layers"][7]["tarSize"] == len(LAYERS[7])
