"""`lamina base` names the images that another stands on."""

import io
import json

from tests.archives import STEPS, archive
from tests.consoles import Console
from tests.images import Piece, tar

from lamina.engine.engine import Engine

ONE, TWO, THREE = (tar([Piece(name, b"x")]) for name in ("one", "two", "three"))


def test_the_nearest_base_comes_first_and_a_stranger_is_none(shelf: Console, engine: Engine):
    for name, layers in (("low", (ONE,)), ("mid", (ONE, TWO)), ("app", (ONE, TWO, THREE))):
        steps = [STEPS[0]] * len(layers)
        engine.images.load(io.BytesIO(archive(f"{name}:1", layers=layers, steps=steps)))
    rows = [line.split() for line in shelf("base", "app:1").splitlines()]
    assert [(row[0], *row[2:]) for row in rows[1:]] == [("mid:1", "2", "1"), ("low:1", "1", "2")]
    assert json.loads(shelf("base", "--json", "mid:1"))[0]["names"] == ["low:1"]
    assert shelf("base", "-q", "low:1") == ""
    assert shelf.run("base", "nosuch").code == 1
