"""`lamina layers --shared`, as people type it."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.cli.commands.conftest import shelf as shelf  # noqa: PLC0414 - a fixture
from tests.consoles import Console


def test_all_images_or_those_named_are_drawn(shelf: Console):
    text = shelf("layers", "--shared")
    lines = text.splitlines()
    assert lines[0].startswith("2 images of 3 layers take ")
    assert [line.split()[:2] for line in lines if "█" in line][-2:] == [
        ["mysql:latest", "█"], ["example.com/app:v1", "█"],
    ]  # fmt: skip
    one = shelf("layers", "--shared", "mysql")
    assert "example.com" not in one
    assert "of it stay when they go" in one


def test_json_has_every_part_and_files_are_written_beside_it(shelf: Console, tmp_path: Path):
    svg, html = tmp_path / "a.svg", tmp_path / "a.html"
    document = json.loads(
        shelf("layers", "--shared", "--json", "--svg", str(svg), "--html", str(html))
    )
    assert len(document["images"]) == 2
    shared = [part for part in document["parts"] if len(part["images"]) == 2]
    assert [len(part["diff_ids"]) for part in shared] == [1]
    assert document["alone"] == document["size"] + shared[0]["size"]
    assert ET.fromstring(svg.read_text()).tag.endswith("svg")
    assert html.read_text().startswith("<!doctype html>")
    assert shelf("layers", "--shared", "--svg", "-") == svg.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("--shared", "-q"), ("--shared", "--format", "x"), ("--shared", "--no-trunc"),
        ("--shared", "--json", "--svg", "-"), ("--shared", "--html", "-", "--svg", "-"),
        ("--svg", "x.svg", "mysql"), (), ("mysql", "mysql"), ("--shared", "nosuch"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(shelf: Console, words: tuple[str, ...]):
    said = shelf.run("layers", *words)
    assert said.code == 1
    assert said.err.startswith("lamina: ")
    assert said.out == ""
