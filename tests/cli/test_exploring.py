"""`lamina explore` without a terminal: a document, a page, a verdict."""

import io
import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.archives import archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

FORM = Path(__file__).parents[2] / "docs" / "explore.schema.json"
LOW = tar([Piece("a/", directory=True), Piece("a/one", b"1" * 3000), Piece("a/two", b"2" * 5000)])
HIGH = tar([Piece("a/.wh.one"), Piece("srv/.env", b"API_TOKEN=abcdefgh12345678\n")])


@pytest.fixture
def here(
    settings: Settings, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Console:
    """`two:latest` with waste and a secret, in an empty folder."""
    engine.images.load(io.BytesIO(archive("two:latest", layers=(LOW, HIGH))))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return console(settings)


def test_everything_is_one_document(here: Console):
    document = json.loads(here("explore", "--json", "two"))
    Draft202012Validator(json.loads(FORM.read_text(encoding="utf-8"))).validate(document)
    assert (document["name"], document["size"]) == ("two", 8027)
    assert [row["path"] for row in document["layers"][1]["files"]] == [
        "/a/one",
        "/srv",
        "/srv/.env",
    ]
    assert document["waste"]["files"][0]["path"] == "/a/one"


def test_the_document_is_utf_8_wherever_it_goes(settings: Settings, engine: Engine):
    odd = tar([Piece("caf\u00e9", b"x"), Piece("b\udce9", b"y")])
    engine.images.load(io.BytesIO(archive("odd", layers=(odd, HIGH))))
    said = console(settings).run("explore", "--json", "odd", encoding="ascii")
    assert said.code == 0
    files = json.loads(said.out)["layers"][0]["files"]
    assert [row["path"] for row in files] == ["/b\ufffd", "/café"]


def test_a_page_is_written_to_a_file_or_to_stdout(here: Console):
    said = here.run("explore", "--html", "page.html", "two")
    assert (said.code, said.out, said.err) == (0, "", "wrote page.html\n")
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>\n")
    assert here("explore", "--html", "-", "two") == page
    assert os.listdir() == ["page.html"]


def test_what_is_no_regular_file_stays_what_it_is(here: Console):
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.set_blocking(reader, True)
        import threading

        found: list[bytes] = []
        thread = threading.Thread(
            target=lambda: found.extend(iter(lambda: os.read(reader, 65536), b""))
        )
        writer = os.open("pipe", os.O_WRONLY)  # the reader does not end before there is something
        thread.start()
        assert here.run("explore", "--html", "pipe", "two").code == 0
        os.close(writer)
        thread.join()
    finally:
        os.close(reader)
    assert b"".join(found).startswith(b"<!doctype html>")
    assert Path("pipe").is_fifo()


def test_a_page_and_a_document_at_once(here: Console):
    said = here.run("explore", "--html", "page.html", "--json", "two")
    assert json.loads(said.out)["name"] == "two"
    assert Path("page.html").stat().st_size > 5000
    said = here.run("explore", "--html", "-", "--json", "two")
    assert (said.code, said.out) == (1, "")
    assert "name a file for the page" in said.err
    said = here.run("explore", "--html", "no/such/page.html", "two")
    assert (said.code, said.err) == (
        1, "lamina: cannot write no/such/page.html: No such file or directory\n",
    )  # fmt: skip
    said = here.run("explore", "--html", ".", "two")
    assert (said.code, said.err) == (1, "lamina: . is a directory\nhint: name a file\n")
    assert here.run("explore", "--html=", "two").code == 1


def test_rules_are_told_with_their_figures_and_one_that_fails_gives_code_1(here: Console):
    said = here.run(
        "explore",
        "--ci",
        "--rule",
        "waste<1kB",
        "--rule",
        "max-layers=2",
        "--rule",
        "no-secrets",
        "two",
    )
    assert said.code == 1
    assert said.out == (
        "two  8.03kB in 2 layers; rules: --rule\n"
        "FAIL  waste<1kB     3kB\n"
        "pass  max-layers=2  2\n"
        "FAIL  no-secrets    1 secret: a password in settings\n"
        "2 of 3 rules failed\n"
    )
    assert said.err == "hint: `lamina waste two` and `lamina secrets two` say more\n"
    said = here.run("explore", "--rule", "waste<1MB", "two")
    assert (said.code, said.out.splitlines()[-1], said.err) == (0, "all of 1 rule kept", "")


def test_rules_are_read_from_a_file_and_the_command_lines_go_before_them(here: Console):
    assert here.run("explore", "--ci", "two").out.splitlines()[0].endswith("rules: lamina's own")
    Path(".dive-ci").write_text("rules:\n  highestWastedBytes: 1KB\n", encoding="utf-8")
    said = here.run("explore", "--ci", "two")
    assert said.code == 1
    assert [line.split()[:2] for line in said.out.splitlines()[1:4]] == [
        ["FAIL", "efficiency>=0.9"], ["FAIL", "user-waste<=0.1"], ["FAIL", "waste<=1KB"],
    ]  # fmt: skip
    Path(".lamina-ci").write_text("waste<20MB\nno-package=telnetd\n", encoding="utf-8")
    assert here("explore", "--ci", "two").splitlines()[1:3] == [
        "pass  waste<20MB          3kB",
        "pass  no-package=telnetd  not there",
    ]
    said = here.run("explore", "--ci", "--rule", "waste<1B", "two")
    assert [line.split()[1] for line in said.out.splitlines()[1:3]] == [
        "no-package=telnetd",
        "waste<1B",
    ]
    said = here.run("explore", "--ci-config", ".dive-ci", "two")
    assert (said.code, said.out.splitlines()[0]) == (1, "two  8.03kB in 2 layers; rules: .dive-ci")


def test_a_layer_that_cannot_be_read_is_told_of_and_the_rest_is_there(
    here: Console, engine: Engine
):
    image = engine.images.resolve("two")
    with open(engine.layers.path(image.config.diff_ids[:1]), "r+b") as file:
        file.truncate(100)
    Path(engine.store.blobs.path(image.manifest.layers[0].digest)).unlink()
    said = here.run("explore", "--json", "--html", "page.html", "two")
    assert said.code == 1
    assert said.err.startswith("layer 1 cannot be read, and is left out: no such blob: ")
    low, high = json.loads(said.out)["layers"]
    assert "cannot be read, and is left out: no such blob" in low["lost"]
    assert (low["files"], high["lost"]) == ([], None)
    assert [row["path"] for row in high["files"]] == ["/a", "/srv", "/srv/.env"]
    assert "Layer 1 cannot be read" in Path("page.html").read_text(encoding="utf-8")
    assert here.run("explore", "--rule", "max-layers=2", "two").code == 1


def test_a_verdict_is_a_document_too(here: Console):
    said = here.run("explore", "--ci", "--rule", "efficiency>0.9", "--json", "two")
    document = json.loads(said.out)
    assert said.code == 1
    assert (document["image"], document["passed"]) == ("two", False)
    assert document["rules"] == [
        {"rule": "efficiency>0.9", "passed": False, "figure": 5027 / 8027, "said": "0.6263"}
    ]


def test_a_rule_that_is_not_understood_is_code_125_before_anything_is_read(here: Console):
    said = here.run("explore", "--ci", "--rule", "wast<20MB", "nosuch")
    assert (said.code, said.out) == (125, "")
    assert said.err == "lamina: no rule is called `wast`\nhint: did you mean `waste`?\n"
    Path("rules").write_text("no-secrets\nlayer<many\n", encoding="utf-8")
    said = here.run("explore", "--ci-config", "rules", "two")
    assert said.code == 125
    assert "rules, line 2: rule `layer<many`: `many` is not a size" in said.err
    said = here.run("explore", "--ci-config", "none", "two")
    assert (said.code, "there is no file none" in said.err) == (125, True)
    assert here.run("explore", "--json", "nosuch").code == 1
