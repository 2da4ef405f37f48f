"""The picture has every digest, is well-formed whatever an image says, and keeps within its frame."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.archives import archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

SVG = "{http://www.w3.org/2000/svg}"
LAYERS = tuple(tar([Piece(f"file{number}", b"x")]) for number in range(4))
EVIL: dict[str, object] = {
    "created_by": "RUN echo '</text><script>alert(1)</script>' \x1b[31m & \u202e"
}


@pytest.fixture
def here(settings: Settings, engine: Engine) -> Console:
    steps: tuple[dict[str, object], ...] = (
        EVIL,
        {"created_by": "COPY " + "long " * 50},
        {"created_by": "RUN b"},
        {"created_by": "RUN c"},
    )
    engine.images.load(io.BytesIO(archive("four:1", layers=LAYERS, steps=steps)))
    return console(settings)


def test_every_digest_stands_in_it_and_each_chain_says_how_it_is_computed(here: Console):
    document = json.loads(here("explain", "--json", "four:1"))
    root = ET.fromstring(here("explain", "--svg", "-", "four:1"))
    titles = [each.text or "" for each in root.iter(f"{SVG}title")]
    assert titles[0] == "How four:1 hangs together"
    shown = " ".join(titles)
    for layer in document["layers"]:
        assert layer["digest"] in shown
        assert layer["diffID"] in shown
        how = f'sha256("{layer["chainIDOf"]}")' if layer["chainIDOf"] else "the diff ID itself"
        assert f"{layer['chainID']} = {how}" in titles
    assert f"manifest {document['manifest']['digest']}" in titles
    assert f"config = image ID {document['imageID']}" in titles
    arrows = list(root.iter(f"{SVG}path"))
    assert (
        len(arrows) == 4 * 3 + 3 + 1
    )  # to blob, to diff ID, to chain ID; chains upwards; to the config


def test_nothing_of_the_image_is_markup_and_nothing_leaves_the_frame(here: Console, tmp_path: Path):
    path = tmp_path / "image.svg"
    assert here("explain", "--svg", str(path), "four:1") == ""
    root = ET.fromstring(path.read_bytes())
    kinds = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert kinds == {"svg", "style", "title", "rect", "text", "path", "g"}
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        x, y = float(box.attrib["x"]), float(box.attrib["y"])
        assert 0 <= x <= x + float(box.attrib["width"]) <= width
        assert 0 <= y <= y + float(box.attrib["height"]) <= height
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.attrib["y"]) < height
        assert (text.text or "").isprintable()


def test_one_thing_goes_to_stdout_and_a_command_has_no_picture(here: Console):
    assert "only one thing" in here.run("explain", "--json", "--svg", "-", "four:1").err
    assert "--svg is for an image" in here.run("explain", "--svg", "x", "pull", "four:1").err
