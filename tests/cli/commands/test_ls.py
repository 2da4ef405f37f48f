"""`lamina ls`: what is listed, how, and what is said of what is not there."""

import json
import os
import pty
import subprocess

import pytest
from tests.cli.commands.reading import shelve
from tests.commands import Lamina
from tests.consoles import Console

from lamina.engine.engine import Engine
from lamina.settings import Settings


@pytest.fixture
def ls(settings: Settings, engine: Engine) -> Console:
    return shelve(settings, engine)


def test_names_come_one_a_line_sorted_by_their_bytes(ls: Console):
    assert ls("ls", "shelf:1") == "etc\nhome\nopt\nup\n"
    assert ls("ls", "shelf:1:/etc") == "conf\ndangling\ngroup\nlink\nloop\npasswd\n"
    assert ls("ls", "shelf:1:/opt/gone/") == "y\n"
    assert ls("ls", "docker.io/library/shelf:1:/home") == "\x1b[31mred\nbig\n"


def test_dotted_names_are_shown_when_asked_for(ls: Console):
    assert ls("ls", "-A", "shelf:1:/home").splitlines() == ["\x1b[31mred", ".profile", "big"]
    assert ls("ls", "-a", "shelf:1:/opt/gone") == ".\n..\ny\n"


def test_an_image_is_named_by_its_id_too(ls: Console):
    image_id = ls("images", "-q", "--no-trunc").strip()
    assert ls("ls", f"{image_id}:/opt") == "gone\nhard\nharder\n"
    assert ls("ls", f"{image_id.removeprefix('sha256:')[:12]}:/opt/gone") == "y\n"


def test_symlinks_are_followed_as_ls_follows_them(ls: Console):
    inside = ls("ls", "shelf:1:/etc")
    assert ls("ls", "shelf:1:/up") == ls("ls", "shelf:1:/up/") == inside
    assert ls("ls", "-d", "shelf:1:/up") == "/up\n"
    assert ls("ls", "-l", "shelf:1:/up").endswith(" /up -> ../../etc\n")
    assert "conf" in ls("ls", "-l", "shelf:1:/up/")
    assert ls("ls", "shelf:1:/etc/dangling") == "/etc/dangling\n"


def test_the_long_form_has_the_images_own_names_of_owners(ls: Console):
    lines = ls("ls", "-l", "shelf:1:/home").splitlines()
    assert lines[0] == "total 6"
    assert lines[2] == "-rw-r--r-- 1 alice 5    5000 Sep 21 14:13 big"
    hard = ls("ls", "-ln", "shelf:1:/opt").splitlines()
    assert hard[2] == "-rw-r--r-- 2 0 0  9 Nov 14  2023 hard"
    assert hard[3].endswith(" harder")
    assert " 4.9K " in ls("ls", "-lh", "shelf:1:/home/big")


def test_files_come_before_directories_and_these_have_headings(ls: Console):
    said = ls("ls", "shelf:1:/opt", "shelf:1:/etc/conf", "shelf:1:/opt/gone", "shelf:1:/etc/group")
    assert said == ("/etc/conf\n/etc/group\n\n/opt:\ngone\nhard\nharder\n\n/opt/gone:\ny\n")


def test_several_images_are_told_apart(ls: Console):
    ls("tag", "shelf:1", "other:2")
    said = ls("ls", "shelf:1:/opt/gone", "other:2:/opt/gone", "other:2:/etc/conf")
    assert said == "other:2:/etc/conf\n\nshelf:1:/opt/gone:\ny\n\nother:2:/opt/gone:\ny\n"


def test_everything_below_is_listed_as_ls_does(ls: Console):
    assert ls("ls", "-R", "shelf:1:/opt") == "/opt:\ngone\nhard\nharder\n\n/opt/gone:\ny\n"
    whole = ls("ls", "-R", "shelf:1")
    assert whole.startswith("/:\netc\nhome\nopt\nup\n\n/etc:\n")


def test_the_order_can_be_by_time_or_size_or_backwards(ls: Console):
    assert ls("ls", "-r", "shelf:1").split() == ["up", "opt", "home", "etc"]
    assert ls("ls", "-S", "shelf:1:/home").split() == ["big", "\x1b[31mred"]
    assert ls("ls", "-t", "shelf:1:/home").split() == ["big", "\x1b[31mred"]
    assert ls("ls", "-tr", "shelf:1:/home").split() == ["\x1b[31mred", "big"]


def test_one_layer_shows_what_it_adds_and_what_it_takes_away(ls: Console):
    assert ls("ls", "--layer", "1", "shelf:1:/etc") == "conf\ngroup\nold\npasswd\n"
    assert ls("ls", "--layer", "2", "shelf:1:/etc").split() == [
        ".wh.old", "conf", "dangling", "link", "loop",
    ]  # fmt: skip
    assert ls("ls", "--layer", "2", "shelf:1:/opt/gone").split() == [".wh..wh..opq", "y"]
    long = ls("ls", "-l", "--layer=2", "shelf:1:/etc").splitlines()
    assert long[1].split() == ["w---------", "-", "-", "-", "-", "-", ".wh.old"]
    rows = json.loads(ls("ls", "--json", "--layer=2", "shelf:1:/etc"))
    assert rows[0] == {"name": ".wh.old", "path": "/etc/.wh.old", "kind": "whiteout"}
    missing = ls.run("ls", "--layer", "2", "shelf:1:/home")
    assert (missing.code, "layer 2 says nothing of it" in missing.err) == (2, True)


def test_a_layer_is_found_by_its_digest_too(ls: Console):
    layers = json.loads(ls("layers", "--json", "shelf:1"))
    for row in layers:
        wanted = ls("ls", "--layer", str(row["number"]), "shelf:1:/etc")
        for word in (row["diff_id"], row["diff_id"].partition(":")[2][:12], row["digest"]):
            assert ls("ls", "--layer", word, "shelf:1:/etc") == wanted
    for word, shown in (("3", "number 3"), ("0", "number 0"), ("nosuch", "nosuch"), (":", ":")):
        said = ls.run("ls", "--layer", word, "shelf:1")
        assert said.code == 1
        assert f"has no layer {shown}" in said.err
        assert "`lamina layers shelf:1`" in said.err


def test_json_has_every_fact(ls: Console):
    rows = {row["name"]: row for row in json.loads(ls("ls", "--json", "-a", "shelf:1:/etc"))}
    assert rows["conf"] == {
        "name": "conf", "path": "/etc/conf", "kind": "file", "mode": "0600", "uid": 0, "gid": 0,
        "user": "root", "group": "root", "size": 5, "links": 1,
        "modified": "2023-11-14T22:13:20Z",
    }  # fmt: skip
    assert rows["link"]["target"] == "conf"
    assert "." not in rows
    (one,) = json.loads(ls("ls", "--json", "shelf:1:/etc/conf"))
    assert one["path"] == "/etc/conf"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("shelf:1:/nosuch",), 2, "shelf:1:/nosuch: No such file or directory"),
        (("shelf:1:/etc/conf/x",), 2, "shelf:1:/etc/conf/x: Not a directory"),
        (("shelf:1:/etc/conf/",), 2, "shelf:1:/etc/conf/: Not a directory"),
        (("shelf:1:/etc/loop",), 2, "Too many levels of symbolic links"),
        (("nosuch:/etc",), 1, "No such image: nosuch"),
        (("nosuch",), 1, "`lamina pull nosuch` fetches it"),
        (("UPPER:/etc",), 1, "No such image"),
        ((), 1, "requires at least 1 argument"),
    ],
)
def test_what_is_not_there_is_said(ls: Console, words: tuple[str, ...], code: int, said: str):
    outcome = ls.run("ls", *words)
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err


def test_what_is_there_is_listed_all_the_same(ls: Console):
    outcome = ls.run("ls", "shelf:1:/nosuch", "shelf:1:/opt/gone")
    assert (outcome.code, outcome.out) == (2, "/opt/gone:\ny\n")


def test_a_terminal_gets_columns_and_no_raw_control_characters(lamina: Lamina, ls: Console):
    assert ls("ls", "shelf:1:/home")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader:
        done = subprocess.run(
            lamina.argv("ls", "-A", "shelf:1:/home"), env=lamina.environ, stdout=theirs, check=True
        )
        os.close(theirs)
        assert done.returncode == 0
        said = reader.read(10_000)
    assert said == b"''$'\\033''[31mred'  .profile  big\r\n"


def test_a_pipe_that_closes_early_is_no_failure_in_words(lamina: Lamina, ls: Console):
    assert ls("ls", "shelf:1")
    command = " ".join(lamina.argv("ls", "-R", "shelf:1"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        env=lamina.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in ("141", "0")
    assert done.stderr == ""
