"""`lamina hub retention` on a hub that runs."""

import json
import time

import pytest
from tests.consoles import Console
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "data")) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def console(hub) -> Console:
    return Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time() + 60)


def test_a_rule_is_tried_made_listed_done_and_dropped(hub, console):
    alice = Client(hub.address, "alice")
    for tag in ("one", "two", "three"):
        alice.image("alice/a", tag, seed=tag)
    words = ("--keep-newest", "1", "--keep", "on?")
    said = console.run("hub", "retention", "plan", "alice/a", *words)
    assert said.err == "1 would go, 2 would stay\n"
    assert said.out.splitlines()[1].split() == [
        "alice/a:two", *said.out.splitlines()[1].split()[1:2], "not", "among", "the", "newest", "1",
    ]  # fmt: skip
    assert (
        console("hub", "retention", "set", "alice", *words)
        == "alice: keep the newest 1, like on?\n"
    )
    lines = console("hub", "retention", "ls").splitlines()
    assert lines[1].split(maxsplit=1) == ["alice", "keep the newest 1, like on?"]
    rule = json.loads(console("hub", "retention", "ls", "--json"))[0]
    assert (rule["target"], rule["keep_newest"], rule["keep"]) == ("alice", 1, ["on?"])
    shown = json.loads(console("hub", "retention", "plan", "--all", "--json"))
    assert {each["reference"]: each["why"] for each in shown} == {
        "three": "among the newest 1", "two": "not among the newest 1", "one": "like on?",
    }  # fmt: skip
    assert "goes" in console("hub", "retention", "plan", "--all")
    assert console.run("hub", "retention", "run").err.startswith("Took 1 tag and 0 without a tag;")
    assert alice.get("/v2/alice/a/manifests/two").status == 404
    assert alice.get("/v2/alice/a/manifests/one").status == 200
    assert console("hub", "retention", "rm", "alice") == "alice\n"
    assert console("hub", "retention", "ls").split() == ["TARGET", "RULE"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm", "alice/none"), "has no retention rule"),
        (("set", "alice"), "the rule lets nothing go"),
        (("set", "Alice/A", "--keep-newest", "1"), "neither a repository nor a namespace"),
        (("set",), "is not known"),
        (("sweep",), "is not known"),
    ],
)
def test_what_cannot_be_is_said(console, words, said):
    found = console.run("hub", "retention", *words)
    assert (found.code, found.out) == (1, "")
    assert said in found.err
