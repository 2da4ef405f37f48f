"""`lamina whence` tells each layer's deed on a path, newest first."""

import io
import json
from pathlib import Path

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings
from lamina.spec.wire import encode_pretty

LOW = tar([
    Piece("etc/", directory=True), Piece("etc/motd", b"hello\nold line\n"), Piece("etc/gone", b"x"),
    Piece("bin", link="usr/bin"), Piece("usr/", directory=True), Piece("usr/bin/", directory=True),
    Piece("usr/bin/tool", b"#!/bin/sh\n", 0o755), Piece("etc/evil\x1b[31m", b"x"),
])  # fmt: skip
HIGH = tar([
    Piece("etc/", directory=True), Piece("etc/motd", b"hello\nnew line\x07\n", 0o600),
    Piece("etc/.wh.gone"), Piece("usr/bin/.wh.tool"),
])  # fmt: skip


@pytest.fixture
def two(settings: Settings, engine: Engine) -> Console:
    """`two:latest`, whose second layer changes a text and removes two files."""
    engine.images.load(io.BytesIO(archive("two:latest", layers=(LOW, HIGH))))
    return console(settings)


def test_a_path_that_changed_is_told_newest_first_with_who_did_it(two: Console):
    assert (
        two("whence", "-p", "two", "/etc/motd")
        == """\
/etc/motd
    2  changed: content (15B → 16B), mode 0644 → 0600
       RUN initialise
       @@ -1,2 +1,2 @@
        hello
       -old line
       +new line?
    1  added: file 0644 0:0 15B
       ADD file:12 in /
"""
    )
    assert "@@" not in two("whence", "two:/etc/motd")


def test_what_is_not_there_any_more_is_told_through_links_of_its_directories(two: Console):
    assert two("whence", "two", "bin/tool").splitlines() == [
        "/bin/tool is /usr/bin/tool  (not in the image any more)",
        "    2  removed: /usr/bin/tool",
        "       RUN initialise",
        "    1  added: file 0755 0:0 10B",
        "       ADD file:12 in /",
    ]


def test_a_whole_directory_has_a_line_for_each_path(two: Console):
    rows = [line.split() for line in two("whence", "--all", "two", "/etc").splitlines()]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("LAYER", "CHANGE", "PATH"),
        ("1", "added", "/etc"),
        ("1", "added", "'/etc/evil'$'\\033''[31m'"),
        ("2", "removed", "/etc/gone"),
        ("2", "changed", "/etc/motd"),
    ]


def test_json_has_every_event_in_order(two: Console):
    gone, motd = json.loads(two("whence", "--json", "two", "/etc/gone", "/etc/motd"))
    assert (gone["path"], gone["present"]) == ("/etc/gone", False)
    assert [(e["layer"], e["change"]) for e in gone["events"]] == [(1, "added"), (2, "removed")]
    assert gone["events"][1]["removed_by"] == "/etc/gone"
    assert motd["events"][1]["aspects"] == ["content", "mode"]
    assert (motd["events"][1]["mode"], motd["events"][1]["size"]) == ("0600", 16)
    assert motd["events"][0]["created_by"] == "/bin/sh -c #(nop) ADD file:12 in / "


def test_what_was_never_there_is_said_and_the_rest_told(two: Console):
    said = two.run("whence", "two", "/no/such", "/etc/motd")
    assert said.code == 1
    assert (
        said.err
        == "lamina: two: no layer ever had /no/such\nhint: `lamina ls two` shows what is there\n"
    )
    assert said.out.startswith("/etc/motd\n")
    said = two.run("whence", "two")
    assert said.code == 1
    assert "a path of two is missing" in said.err
    assert two.run("whence", "nosuch", "/etc").code == 1


def test_packages_are_named_harmlessly_and_not_by_the_hundred(settings: Settings, engine: Engine):
    names = ["evil\x1b]0;owned\x07\u202e", *(f"p{number}" for number in range(7))]
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1\x1b[2J\n\n" for name in names
    )
    pieces = [Piece("etc/", directory=True), Piece("var/lib/dpkg/status", status.encode())]
    pieces += [Piece(f"var/lib/dpkg/info/{name}.list", b"/etc\n") for name in names]
    engine.images.load(io.BytesIO(archive("many:1", layers=(tar(pieces),))))
    engine.images.load(io.BytesIO(archive("none:1", layers=(tar([Piece("x")]),))))
    run = console(settings)
    told = run("whence", "many:1", "/etc")
    assert told.count(" package ") == 5
    assert told.endswith("       and 3 packages more; --json has all\n")
    for text in (told, run("diff", "none:1", "many:1"), run("diff", "many:1", "none:1")):
        assert "evil" in text
        assert text.replace("\n", "").isprintable()
    (life,) = json.loads(run("whence", "--json", "many:1", "/etc"))
    assert {one["name"] for one in life["events"][0]["packages"]} == set(names)


def test_a_terminal_without_unicode_gets_plain_arrows(two: Console):
    said = two.run("whence", "two", "/etc/motd", encoding="ascii")
    assert "15B -> 16B" in said.out
    assert said.out.isascii()


def test_what_a_container_wrote_is_told_before_the_image_s_layers(lamina: Lamina, tmp_path: Path):
    lamina("load", stdin=archive("two:latest", layers=(LOW, HIGH)))
    (tmp_path / "motd").write_text("mine\n")
    lamina("create", "--name", "it", "two")
    lamina("cp", str(tmp_path / "motd"), "it:/etc/motd")
    lines = lamina("whence", "it", "/etc/motd").splitlines()
    assert lines[1].startswith("    3  changed: content (16B → 5B), mode 0600 → ")
    assert lines[2] == "       what container it wrote; not committed"
    event = json.loads(lamina("whence", "--json", "it", "/etc/motd"))[0]["events"][-1]
    assert (event["layer"], event["diff_id"], event["created_by"]) == (3, None, "")
    assert "overwritten    2      3          /etc/motd" in lamina("waste", "it")
    assert "wrote; not committed" not in lamina("whence", "it", "/usr")


def test_json_comes_row_by_row_and_is_laid_out_as_one_array(two: Console):
    said = two("whence", "--all", "--json", "two", "/etc", "/usr")
    assert said == encode_pretty(json.loads(said), indent=2) + "\n"
    assert [row["path"] for row in json.loads(said)][:2] == ["/etc", "/etc/evil\x1b[31m"]
    none = two.run("whence", "--json", "two", "/nosuch")
    assert (none.code, none.out) == (1, "[]\n")
