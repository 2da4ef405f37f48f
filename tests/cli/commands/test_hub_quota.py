"""`lamina hub quota` on a hub that runs."""

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


def test_a_quota_is_set_listed_shown_kept_to_and_dropped(hub):
    console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time())
    alice = Client(hub.address, "alice")
    alice.push_blob("alice/a", b"x" * 1024)
    assert console("hub", "quota", "set", "alice", "2k") == "alice: 2.048kB\n"
    assert console("hub", "quota", "ls").splitlines()[1].split() == ["alice", "1.024kB", "2.048kB"]
    assert console("hub", "quota", "show", "alice").splitlines() == [
        "alice: 1.024kB, of 2.048kB", "REPOSITORY   HAS", "alice/a      1.024kB",
    ]  # fmt: skip
    shown = json.loads(console("hub", "quota", "show", "--json", "alice"))
    assert (shown["used"], shown["size"]) == (1024, 2048)
    assert alice.request("PATCH", alice.begin("alice/a"), b"y" * 1025).status == 403
    row = {"target": "alice", "size": 2048, "used": 1024, "own": True}
    assert json.loads(console("hub", "quota", "ls", "--json")) == [row]
    assert console("hub", "quota", "rm", "alice") == "alice\n"
    assert "no limit" in console("hub", "quota", "show", "alice")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "alice", "lots"), "invalid size: 'lots'"),
        (("set", "alice"), "is not known"),
        (("rm", "alice"), "has no quota of its own"),
        (("set", "Alice!", "1g"), "neither a repository nor a namespace"),
    ],
)
def test_what_cannot_be_is_said(hub, words, said):
    found = Console({"LAMINA_HUB_ROOT": hub.root}).run("hub", "quota", *words)
    assert (found.code, said in found.err) == (1, True)
