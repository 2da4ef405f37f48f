"""`lamina base` names the images that another stands on."""

import io
import json

from tests.archives import STEPS, archive
from tests.consoles import Console
from tests.images import Piece, tar
from tests.servers import RegistryServer

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


def test_registries_are_looked_at_where_asked_and_what_was_not_is_said(
    shelf: Console, engine: Engine, registry: RegistryServer
):
    place = f"{registry.address}/cli/bases"
    for name, layers in (
        (f"{place}:low", (ONE,)),
        (f"{place}:mid", (ONE, TWO)),
        ("app", (ONE, TWO, THREE)),
    ):
        engine.images.load(io.BytesIO(archive(name, layers=layers, steps=[STEPS[0]] * len(layers))))
        if name != "app":
            engine.images.push(name)
            engine.images.remove(name)
    lines = shelf("base", "--at", place, "app").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [f"{place}:mid", f"{place}:low"]
    row = json.loads(shelf("base", "--json", "--at", f"{place}:low", "app"))[0]
    assert (row["names"], row["layers"], row["here"]) == ([f"{place}:low"], 1, False)
    assert row["digest"].startswith("sha256:")
    said = shelf.run("base", "--at", registry.address, "--limit", "1", "app")
    assert said.code == 0
    assert said.err == "looked at 1 of 2 tags; --limit says how many\n"
    said = shelf.run("base", "--at", f"{place}:low", "--at", f"{place}:nosuch", "app")
    assert said.code == 1
    assert said.err.startswith(f"could not be read: {place}:nosuch: ")
    assert f"{place}:low" in said.out
    assert shelf.run("base", "--at", place, "--limit", "-1", "app").code == 1
