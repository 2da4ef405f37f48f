"""The page's parts about layers."""

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.layer.test_view import ROOT, file, folder
from tests.study.explored import explored

from lamina.study.drawing.layer_parts import layer_parts


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(f"<div>{markup}</div>")


def test_the_table_has_each_layers_figures_the_topmost_first(tmp_path: Path):
    found = explored(
        tmp_path,
        [ROOT, folder(b"a"), file(b"a/one", b"1" * 600), file(b"a/two", b"2" * 300)],
        [ROOT, file(b"a/.wh.two"), file(b"a/one", b"!" * 100)],
        steps=("ADD <it>",),
    )
    (name, _, drawn), (_, _, contents) = layer_parts(found)
    cells = ["".join(one.itertext()) for one in parsed(drawn).iter("td")]
    assert name == "layers"
    assert cells == [
        "2", "(made without an instruction)", "", "1", "1", "100B", "10%", "200B", "",
        "1", "ADD <it>", "3", "", "", "900B", "90%", "100B", "900B",
    ]  # fmt: skip
    folds = list(parsed(contents).iter("details"))
    assert [(fold.get("open"), "".join(fold[0].itertext())) for fold in folds] == [
        (None, "2. (made without an instruction)100B"),
        ("", "1. ADD <it>900B"),  # the largest
    ]
    upper = ["".join(one.itertext()) for one in folds[0].iter() if one.tag in ("li", "p")]
    assert upper == ["1 path changed, 100B", "1 path removed, 300B", "900B of lower layers hidden"]
    lower = ["".join(one.itertext()) for one in folds[1].iter() if one.tag in ("li", "p", "pre")]
    assert lower == ["3 paths added, 900B", "900B of it wasted", "ADD <it>"]


def test_an_image_without_layers_has_no_such_parts(tmp_path: Path):
    assert list(layer_parts(explored(tmp_path))) == []


def test_a_layer_without_content_has_no_picture(tmp_path: Path):
    _, (_, _, contents) = layer_parts(explored(tmp_path, [ROOT, folder(b"a")]))
    assert "<svg" not in contents
