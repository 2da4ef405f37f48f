"""`lamina undo` brings back what rmi, prune and moved tags took."""

import json
import re

from tests.archives import archive
from tests.commands import Lamina
from tests.consoles import Console


def test_rmi_of_several_is_taken_back_by_one_undo(shelf: Console, lamina: Lamina):
    before = lamina("images")
    lamina("rmi", "mysql", "example.com/app:v1")
    assert len(lamina("images").splitlines()) == 1
    said = lamina("undo").splitlines()
    assert said == ["Back: mysql:latest", "Back: example.com/app:v1"]
    assert lamina("images").splitlines() == before.splitlines()


def test_the_list_says_what_was_taken_and_how_long_it_is_kept(shelf: Console, lamina: Lamina):
    lamina("rmi", "mysql")
    title, line = lamina("undo", "--list").splitlines()
    assert title.split() == [
        "CHANGE",
        "WHEN",
        "COMMAND",
        "TOOK",
        "AWAY",
        "STATE",
        "SIZE",
        "KEPT",
        "FOR",
    ]
    assert re.match(
        r"1 +.+ ago +rmi mysql +mysql:latest +kept +[\d.]+kB +(59 minutes|About an hour)$", line
    )
    (row,) = json.loads(lamina("undo", "--list", "--json"))
    assert row["lost"][0]["name"] == "docker.io/library/mysql:latest"
    assert (row["change"], row["state"]) == (1, "kept")
    assert row["size"] > 0
    assert lamina("undo", "-l", "-q") == "1\n"
    assert lamina("undo", "-l", "--format", "{{.Change}} {{.Lost}}") == "1 mysql:latest\n"


def test_the_list_names_the_command_that_moved_a_tag_and_what_it_stood_for(
    shelf: Console, lamina: Lamina
):
    old = lamina("images", "-q", "mysql").strip()
    lamina("tag", "example.com/app:v1", "mysql")
    lamina("load", stdin=archive("mysql:latest", "example.com/app:v1", labels={"a": "b"}))
    rows = lamina("undo", "--list", "--format", "{{.Command}}|{{.Lost}}").splitlines()
    app = lamina("undo", "--list", "--json")
    assert rows[1] == f"tag example.com/app:v1 mysql:latest|mysql:latest as {old}"
    first, second = (
        row["image"].removeprefix("sha256:")[:12] for row in json.loads(app)[0]["lost"]
    )
    assert first == second != old
    assert rows[0] in (
        f"load|mysql:latest as {first}, example.com/app:v1 as {first}",
        f"load|example.com/app:v1 as {first}, mysql:latest as {first}",
    )
    assert sorted(lamina("undo").splitlines()) == ["Back: example.com/app:v1", "Back: mysql:latest"]
    lamina("undo")
    assert lamina("images", "-q", "mysql").strip() == old


def test_prune_says_what_it_keeps_and_now_frees_it(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    done = lamina.attempt("image", "prune", "-a", "-f")
    assert done.out.splitlines()[-1] == "Total reclaimed space: 0B"
    assert re.search(r"[\d.]+kB are kept for about an hour: `lamina undo` brings", done.err)
    done = lamina.attempt("image", "prune", "-f", "--now")
    assert re.fullmatch(r"Total reclaimed space: [\d.]+kB\n", done.out)
    assert done.err == ""
    failed = lamina.attempt("undo")
    assert failed.code == 1
    assert "not here any more" in failed.err


def test_nothing_to_undo_and_numbers_that_are_none_are_said_so(lamina: Lamina):
    for words, said in (
        ((), "nothing to undo"),
        (("3",), "there is no change 3"),
        (("x",), "'x' is no change"),
        (("-l", "3"), "--list takes no change"),
    ):
        outcome = lamina.attempt("undo", *words)
        assert outcome.code == 1
        assert outcome.err.startswith(f"lamina: {said}")


def test_the_time_of_keeping_is_a_setting(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    assert lamina.attempt("rmi", "a:1", LAMINA_UNDO="off").code == 0
    assert lamina.attempt("undo").code == 1
    bad = lamina.attempt("images", LAMINA_UNDO="soon")
    assert (bad.code, "LAMINA_UNDO=soon" in bad.err) == (1, True)
