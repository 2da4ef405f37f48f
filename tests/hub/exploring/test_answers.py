"""The document of answers has the figures that the stack has."""

import json
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.hub.exploring.images import HOSTILE, KEY, file, folder, gone
from tests.study.piles import pile

from lamina.hub.exploring.answers import answers_of
from lamina.layer.hollow import HollowLayer, pack, unpack
from lamina.spec.config import ImageConfig
from lamina.spec.wire import Document, encode


def answers(tmp_path: Path, *stack, env=()) -> Document:
    with ExitStack() as opened:
        hollow = []
        for number, layer in enumerate(opened.enter_context(pile(tmp_path, *stack))):
            notes = {"diff_id": str(layer.diff_id), "size": layer.tar_size}
            path = str(tmp_path / f"hollow{number}")
            unpack(pack(layer, lambda _: False, notes=encode(notes)), path)
            hollow.append(opened.enter_context(HollowLayer.open(path)))
        diff_ids = [str(layer.diff_id) for layer in hollow[:-1]] + [f"sha256:{0:064}"]
        config = ImageConfig.build(
            {"rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {"Env": list(env)}}
        )
        return answers_of(
            hollow, config, [[("a private key", "srv/id_rsa")], *[[] for _ in hollow[1:]]]
        )


def test_waste_is_told_by_cause_with_its_cure_and_secrets_with_what_hides_them(tmp_path: Path):
    low = [
        folder(b"srv"),
        file(b"srv/id_rsa", KEY),
        file(b"srv/" + HOSTILE, b"x" * 100),
        file(b"same", b"s"),
    ]
    high = [
        folder(b"srv"),
        gone(b"srv/id_rsa"),
        file(b"srv/" + HOSTILE, b"y" * 100),
        file(b"copy", b"s"),
    ]
    found = answers(tmp_path, low, high, env=["TOKEN=abcdef"])
    assert [(row["cause"], row["files"], row["size"]) for row in found["causes"]] == [
        ("overwritten", 1, 100), ("deleted later", 1, len(KEY)), ("duplicate content", 1, 1),
    ]  # fmt: skip
    assert all(row["cure"] for row in found["causes"])
    assert found["wasted"] == 100 + len(KEY) + 1
    assert [(row["path"], row["layer"], row["hidden_by"]) for row in found["secrets"]] == [
        ("srv/id_rsa", 1, 2), ("ENV TOKEN", 0, 0),
    ]  # fmt: skip
    assert [row["is_as_stated"] for row in found["layers"]] == [True, False]
    assert (found["layers"][1]["removed"], found["layers"][1]["changed"]) == (1, 1)
    assert json.loads(encode(found)) == found


def test_where_the_bytes_are_is_drawn_with_names_that_are_harmless(tmp_path: Path):
    many = [folder(b"usr"), file(b"usr/large", b"x" * 5000), file(b"usr/" + HOSTILE, b"y" * 4000)]
    drawn = answers(tmp_path, many, [file(b"top", b"z" * 900)])["map"]
    assert drawn.startswith("<svg")
    assert "<img" not in drawn
    assert "style=" not in drawn
    ET.fromstring(drawn)
