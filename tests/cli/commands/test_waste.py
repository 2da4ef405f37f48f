"""`lamina waste` tells what nobody sees, by cause, and what gains it."""

import io
import json

import pytest
from tests.archives import archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

LOW = tar([
    Piece("a/", directory=True), Piece("a/one", b"1" * 300), Piece("a/two", b"2" * 300),
    Piece("a/three", b"3" * 300), Piece("a/kept", b"k" * 2000), Piece("etc/", directory=True),
    Piece("etc/conf", b"c" * 50), Piece("var/cache/apt/", directory=True),
    Piece("var/cache/apt/pkgcache.bin", b"p" * 40),
])  # fmt: skip
HIGH = tar([Piece(".wh.a"), Piece("etc/conf", b"C" * 60), Piece("new", b"p" * 40)])


@pytest.fixture
def two(settings: Settings, engine: Engine) -> Console:
    """`two:latest`, whose second layer removes a directory and changes a file."""
    engine.images.load(io.BytesIO(archive("two:latest", layers=(LOW, HIGH))))
    return console(settings)


def test_groups_and_what_gains_their_bytes(two: Console):
    assert two("waste", "two") == """\
two  3.09kB of files in 2 layers, 2.95kB of it never seen; efficiency 0.045

BYTES  FILES  CAUSE          LAYER  HIDDEN BY  WHERE
2.9kB  4      deleted later  1      2          /a
50B    1      overwritten    1      2          /etc/conf
40B    1      package cache  1                 /var/cache/apt/pkgcache.bin

   2.9kB  remove them in the step that brings them, layer 1 (ADD file:12 in /): layer 2 (RUN initialise) only hides them
     50B  write them once, in one step or in a stage before: layer 2 (RUN initialise) replaces what layer 1 (ADD file:12 in /) brought
     40B  layer 1 (ADD file:12 in /) leaves a cache of apt behind: `apt-get clean` before the commit; `rm -rf /var/lib/apt/lists/*` before the commit
"""  # fmt: skip


def test_each_file_and_what_only_content_tells(two: Console):
    said = two("waste", "--files", "--deep", "two")
    assert "/a/three" in said
    assert "/a\n" not in said
    assert "duplicate" not in said  # of the cache's file: that is told already
    document = json.loads(two("waste", "--json", "two"))
    assert (document["total"], document["visible"], document["wasted"]) == (3090, 140, 2990)
    assert document["files"][0] == {
        "path": "/a/kept", "size": 2000, "cause": "deleted later", "layer": 1, "hidden_by": 2, "note": "a",
    }  # fmt: skip


def test_an_image_without_waste_says_so(shelf: Console):
    assert shelf("waste", "mysql").splitlines()[-1] == "Nothing is wasted."
    assert "efficiency 1.000" in shelf("waste", "mysql")
    assert shelf.run("waste", "nosuch").code == 1
