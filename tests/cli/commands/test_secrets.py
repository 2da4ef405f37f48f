"""`lamina secrets` finds keys in every layer, also in those that a later one hides."""

import io
import json

import pytest
from tests.archives import STEPS, archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n"
TOKEN = "ghp_" + "a1B2" * 9
LOW = tar([
    Piece("srv/.ssh/id_ed25519", KEY), Piece("srv/app.conf", f"token={TOKEN}\n".encode()),
    Piece("srv/kept.pem", KEY), Piece("usr/share/doc/example.pem", KEY),
])  # fmt: skip
HIGH = tar([Piece("srv/.wh..ssh"), Piece("srv/app.conf", b"token=\n")])


@pytest.fixture
def leaky(settings: Settings, engine: Engine) -> Console:
    """`leaky:latest`, whose second layer hides two of three keys, and whose history has a token."""
    steps = [
        STEPS[0],
        {**STEPS[1], "created_by": f"RUN |1 TOKEN={TOKEN} /bin/sh -c make"},
        STEPS[2],
    ]
    data = archive("leaky:latest", layers=(LOW, HIGH), steps=steps, labels={"x": f"{TOKEN}"})
    engine.images.load(io.BytesIO(data))
    return console(settings)


def test_what_is_hidden_is_found_and_said_to_be_there(leaky: Console):
    rows = json.loads(leaky("secrets", "--json", "leaky"))
    assert [(row["what"], row["path"], row["layer"], row["hidden_by"]) for row in rows] == [
        ("a private key of ssh", "/srv/.ssh/id_ed25519", 1, 2),
        ("a token of GitHub", "/srv/app.conf", 1, 2),
        ("a private key", "/srv/kept.pem", 1, None),
        ("a token of GitHub", "LABEL x", None, None),
        ("a token of GitHub", "step 2 of the history", None, None),
    ]
    lines = leaky("secrets", "leaky").splitlines()
    assert lines[1].split("   ")[0] == "a private key of ssh"
    assert "layer 2" in lines[1]
    assert lines[-1].endswith("step 2 of the history")
    assert TOKEN not in "\n".join(lines)
    assert leaky("secrets", "-q", "leaky").splitlines()[0] == "/srv/.ssh/id_ed25519"


def test_a_key_in_the_command_that_made_a_layer_is_not_printed(settings: Settings, engine: Engine):
    step = {**STEPS[0], "created_by": f"RUN |1 TOKEN={TOKEN} /bin/sh -c \udc80"}
    data = archive("told:1", layers=(LOW,), steps=[step])
    engine.images.load(io.BytesIO(data))
    run = console(settings)
    for text in (run("secrets", "told:1"), run("secrets", "--json", "told:1")):
        assert TOKEN[:12] not in text
        assert "RUN |1 TOKEN=*** /bin/sh" in text


def test_strict_ends_with_1_where_anything_is_found(leaky: Console, shelf: Console):
    assert leaky.run("secrets", "--strict", "leaky").code == 1
    assert shelf.run("secrets", "--strict", "mysql").code == 0
    assert shelf.run("secrets", "nosuch").code == 1
