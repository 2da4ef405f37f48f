"""The document of an exploration: whole, valid by its schema, and lossless whatever files are called."""

import json
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.layer.test_view import ROOT, file, folder, link
from tests.study.explored import explored_pile
from tests.study.piles import Items

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.study.exploration import Exploration, explore
from lamina.study.exploration_document import SCHEMA, FileRows, written
from lamina.study.lives import lives, sweep, touches

FORM = Path(__file__).parents[2] / "docs" / "explore.schema.json"
LOW: Items = [
    ROOT, folder(b"a"), file(b"a/caf\xe9", b"c" * 10), file(b"a/gone", b"g" * 20), file(b"a/x", b"x" * 30),
    Entry(b"a/y", Kind.HARDLINK, link=b"a/x"), link(b"to", b"a/caf\xe9"), Entry(b"pipe", Kind.FIFO, 0o600),
    Entry(b"null", Kind.CHARACTER, 0o666, device=(1, 3)),
    (Entry(b"cap", Kind.FILE, 0o4755, 1, 2, mtime_ns=5, xattrs=(("user.x", b"\xff\0"),)), b"1234"),
    folder(b"var"), folder(b"var/cache"), folder(b"var/cache/apt"), file(b"var/cache/apt/p", b"p"),
]  # fmt: skip
HIGH: Items = [
    ROOT, folder(b"a"), file(b"a/.wh.caf\xe9"), file(b"a/x", b"X" * 30), file(b"a/\x1b[31m\n", b""),
    folder(b"srv"), file(b"srv/.env", b"API_TOKEN=abcdefgh12345678\n"),
]  # fmt: skip


def document_of(found: Exploration, layers: Sequence[SealedLayer]) -> list[str]:
    """Write the document of an exploration, which is made once more for it."""
    with FileRows(len(layers)) as rows:
        again = explore(layers, found.config, found.manifest, name=found.name, rows=rows)
        assert again == found
        return list(written(again, rows))


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    steps = ("ADD \udc80 <file>", "-CMD sh", "RUN make")
    with explored_pile(tmp_path, LOW, HIGH, steps=steps, settings={"Env": ["A=b"]}) as (
        found,
        layers,
    ):
        found_document = json.loads("".join(document_of(found, layers)))
    assert isinstance(found_document, dict)
    return found_document


def test_it_is_what_its_schema_says(document: dict[str, Any]):
    form = json.loads(FORM.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(form)
    Draft202012Validator(form).validate(document)
    assert document["schema"] == SCHEMA == form["properties"]["schema"]["const"]
    del document["layers"][0]["files"][0]["mode"]
    assert not Draft202012Validator(form).is_valid(document)


def test_the_facts_are_those_of_the_documents(document: dict[str, Any]):
    assert (document["name"], document["platform"]) == ("made:1", "linux/amd64")
    assert document["config"] == {"Env": ["A=b"]}
    assert [(row["layer"], row["instruction"]) for row in document["history"]] == [
        (1, "ADD ? <file>"),
        (None, "CMD sh"),
        (2, "RUN make"),
    ]
    assert document["history"][0]["created_by"] == "ADD \udc80 <file>"
    assert (document["size"], document["compressed_size"]) == (65 + 57, 300)
    assert document["waste"]["causes"] == [
        {"cause": "deleted later", "count": 1, "size": 10},
        {"cause": "package cache", "count": 1, "size": 1},
    ]
    assert [(row["path"], row["layer"]) for row in document["secrets"]] == [("/srv/.env", 2)]


def test_each_layer_has_all_its_files(document: dict[str, Any]):
    low, high = document["layers"]
    rows = {row["path"]: row for row in low["files"]}
    assert rows["/cap"] == {
        "path": "/cap", "change": "added", "kind": "file", "mode": "4755", "uid": 1, "gid": 2, "size": 4,
        "mtime_ns": 5, "attributes": {"user.x": "/wA="},
    }  # fmt: skip
    assert rows["/null"]["device"] == [1, 3]
    assert rows["/a/x"]["inode"] == rows["/a/y"]["inode"]
    assert [row["path"] for row in low["files"] if row.get("hidden_by") == 2] == [
        "/a/caf\ufffd",
        "/a/x",
    ]
    assert [(row["path"], row["change"]) for row in high["files"]] == [
        ("/a/\x1b[31m\n", "added"), ("/a/caf\ufffd", "removed"), ("/a/x", "changed"),
        ("/srv", "added"), ("/srv/.env", "added"),
    ]  # fmt: skip
    assert high["files"][2]["aspects"] == ["content"]
    for layer in document["layers"]:
        sums = [layer[name]["count"] for name in ("added", "changed", "repeated", "removed")]
        assert sum(sums) == len(layer["files"])


def test_a_name_that_is_no_text_is_there_whole(document: dict[str, Any]):
    low, high = document["layers"]
    row = low["files"][1]
    assert row["path"] == "/a/caf\ufffd"
    assert b64decode(row["path_base64"]) == b"/a/caf\xe9"
    (target,) = [row for row in low["files"] if row["path"] == "/to"]
    assert b64decode(target["target_base64"]) == b"a/caf\xe9"
    assert b64decode(high["files"][1]["removed_by_base64"]) == b"/a/caf\xe9"
    assert "path_base64" not in high["files"][0]


def test_a_terminal_that_shows_the_document_is_moved_by_no_name(tmp_path: Path):
    names = ["a\x9b2Jb", "a\u202eb", "a\x7fb", "a\xe9b"]
    pile: Items = [ROOT, *(file(name.encode()) for name in sorted(names))]
    with explored_pile(tmp_path, pile, steps=("RUN \x9b31m",)) as (found, layers):
        text = "".join(document_of(found, layers))
    assert text.replace("\n", "").isprintable()
    assert "a\xe9b" in text
    rows = json.loads(text)["layers"][0]["files"]
    assert {row["path"] for row in rows} == {f"/{name}" for name in names}


def test_many_files_are_written_in_pieces_and_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "lamina.study.exploration_document._IN_MEMORY", 1000
    )  # the rest on the disk
    names = [b"%04d" % number for number in range(1000)]
    many: Items = [ROOT, *(file(name) for name in names)]
    again: Items = [ROOT, *(file(name, b"x") for name in names[::2])]
    with explored_pile(tmp_path, many, again) as (found, layers):
        pieces = list(document_of(found, layers))
    assert max(map(len, pieces)) < 20_000
    low, high = json.loads("".join(pieces))["layers"]
    assert [row["path"] for row in low["files"]] == [f"/{name.decode()}" for name in names]
    assert [row["path"] for row in high["files"]] == [f"/{name.decode()}" for name in names[::2]]
    assert {row["change"] for row in high["files"]} == {"changed"}
    assert [row.get("hidden_by") for row in low["files"]] == [2, None] * 500


def test_each_layers_files_are_those_that_it_touches(tmp_path: Path):
    low: Items = [*LOW, folder(b"dir"), file(b"dir/x"), folder(b"dir2"), file(b"dir2/x")]
    high: Items = [*HIGH, file(b"dir", b"now a file"), folder(b"dir2"), file(b"dir2/.wh..wh..opq")]
    with explored_pile(tmp_path, low, high, [ROOT, file(b".wh.dir")]) as (found, layers):
        document = json.loads("".join(document_of(found, layers)))
        for layer in document["layers"]:
            told = [(row["path"], row["change"], row.get("hidden_by", 0)) for row in layer["files"]]
            assert told == [
                ("/" + path.decode("utf-8", "replace"), str(event.change), hidden_by)
                for path, event, hidden_by in touches(layers, layer["number"])
                if path
            ]


def test_rows_that_are_written_many_at_a_time_are_those_of_their_paths(tmp_path: Path):
    with explored_pile(tmp_path, LOW, HIGH) as (_, layers), FileRows(2) as one, FileRows(2) as many:
        for path, events in lives(layers):
            one.path(path, events)
        runs = 0
        for item in sweep(layers):
            if isinstance(item, tuple):
                many.path(*item)
            else:
                runs += 1
                many.run(item)
        assert runs
        for number in (1, 2):
            assert "".join(many.of(number)) == "".join(one.of(number))


def test_an_image_without_layers_is_a_document_too(tmp_path: Path):
    with explored_pile(tmp_path) as (found, layers):
        document = json.loads("".join(document_of(found, layers)))
    assert (document["layers"], document["waste"]["files"]) == ([], [])
