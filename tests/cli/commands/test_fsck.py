"""`lamina fsck` says what is wrong, mends what can be, and ends with 0 only when all is well."""

import json

from tests.commands import Lamina
from tests.engine.test_fsck import blob_of, in_index, layer_of, spoil
from tests.engine.worlds import import_image

from lamina.engine.engine import Engine


def test_a_clean_store(engine: Engine, lamina: Lamina):
    import_image(engine, "base")
    lines = lamina("fsck").splitlines()
    assert lines[0].startswith("Checked 1 names, 3 blobs and 1 layers, ")
    assert lines[1] == "Everything is as it should be"
    assert lamina("system", "fsck", "--quiet") == ""
    assert json.loads(lamina("fsck", "--json")) == []


def test_damage_is_told_with_what_to_do_and_repaired(engine: Engine, lamina: Lamina):
    import_image(engine, "base")
    spoil(layer_of(engine), in_index(layer_of(engine)))
    outcome = lamina.attempt("fsck")
    assert outcome.code == 1
    assert outcome.lines[0].startswith("broken: damaged layer sha256:")
    assert outcome.lines[0].endswith("(in docker.io/library/base:latest)")
    assert "fsck --repair" in outcome.err
    [row] = json.loads(lamina.attempt("fsck", "--json").out)
    assert (row["health"], row["part"], row["images"]) == (
        "broken", "layer", ["docker.io/library/base:latest"],
    )  # fmt: skip
    assert "mended: damaged layer" in lamina("fsck", "--repair")
    assert "Everything" in lamina("fsck")


def test_what_cannot_be_repaired_ends_with_1(engine: Engine, lamina: Lamina):
    import_image(engine, "base")
    blob_of(engine).unlink()
    outcome = lamina.attempt("fsck", "--repair")
    assert outcome.code == 1
    assert "broken: missing blob" in outcome.out
    assert "lamina rmi" in outcome.err
