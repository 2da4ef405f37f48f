"""An image that says things to terminals: none of its letters reaches one as it is."""

import io
import json
import re

import pytest
from tests.archives import archive
from tests.consoles import NOW, console
from tests.images import Piece, tar

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.engine.engine import Engine
from lamina.settings import Settings

EVIL = "\x1b[31m\x9b\u202e\x07"
"""Red by an escape, the same of eight bits, right to left, and a bell."""
NOT_UTF8 = "etc/b\udce9"
LOW = tar([
    Piece("etc/", directory=True), Piece(f"etc/{EVIL}a", b"x" * 100), Piece("etc/link", link=f"{EVIL}/t"),
    Piece(NOT_UTF8, b"y" * 50), Piece(f"{EVIL}d/", directory=True), Piece(f"{EVIL}d/f", b"one\n"),
    Piece(f"{EVIL}d/id_rsa", b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"),
    Piece("var/lib/dpkg/status", (
        f"Package: p{EVIL}\nStatus: install ok installed\nArchitecture: {EVIL}\nVersion: 1{EVIL}\n"
        "Description: x\n\n").encode()),
    Piece(f"usr/lib/python3/dist-packages/six{EVIL}-1.dist-info/METADATA",
          f"Metadata-Version: 2.1\nName: six{EVIL}\nVersion: {EVIL}\nLicense: {EVIL}\n".encode()),
    Piece(f"var/cache/apt/{EVIL}.bin", b"p" * 40),
])  # fmt: skip
HIGH = tar([
    Piece(f"{EVIL}d/.wh.id_rsa"), Piece(f"{EVIL}d/f", f"two{EVIL}\n".encode()),
    Piece("etc/link", link=f"{EVIL}/u"), Piece(NOT_UTF8, b"z" * 50),
])  # fmt: skip
STEPS: tuple[dict[str, object], ...] = (
    {"created": "2024-01-02T03:04:05Z", "created_by": f"RUN {EVIL}\n\r evil\tx", "comment": EVIL},
    {"created": EVIL, "created_by": f"/bin/sh -c #(nop) {EVIL}", "comment": EVIL, "author": EVIL},
)
COMMANDS = (
    ("whence", "bad", f"/{EVIL}d/f"), ("whence", "-p", "bad", f"/{EVIL}d/f"), ("whence", "-a", "bad", "/"),
    ("whence", "--json", "-a", "bad", "/"), ("whence", "bad", f"/no{EVIL}"), ("whence", "bad", "/etc/link"),
    ("waste", "bad"), ("waste", "--files", "--deep", "bad"), ("waste", "--json", "bad"),
    ("packages", "bad"), ("packages", "-q", "bad"), ("packages", "--json", "bad"),
    ("packages", "--spdx", "bad"), ("packages", "--cyclonedx", "bad"),
    ("packages", "--format", "{{.Name}} {{.License}} {{json .}}", "bad"), ("secrets", "bad"),
    ("secrets", "-q", "bad"), ("secrets", "--json", "bad"), ("diff", "low", "bad"),
    ("diff", "-p", "low", "bad"), ("diff", "--stat", "low", "bad"), ("diff", "--name-only", "low", "bad"),
    ("diff", "--json", "low", "bad"), ("layers", "bad"), ("layers", "--json", "bad"),
    ("layers", "--format", "table {{.Comment}} {{.Author}}", "bad"), ("layers", "--shared"),
    ("history", "bad"), ("history", "--no-trunc", "bad"), ("history", "--format", "{{.CreatedBy}}", "bad"),
    ("ls", "-laR", "bad:/"), ("ls", "--layer", "1", "-laR", "bad:/"), ("cat", f"bad:/no{EVIL}"),
    ("base", "bad"), ("inspect", "bad"), ("inspect", "-f", "{{.Config.Labels}}", "bad"), ("images",),
)  # fmt: skip


class Terminal(io.TextIOWrapper):
    """A stream in memory that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shelf(settings: Settings, engine: Engine) -> dict[str, str]:
    """The surroundings of a root with `low:latest` and, a layer above it, `bad:latest`."""
    labels = {EVIL: EVIL, "half": "\ud800", "password": f"x{EVIL}"}
    for name, layers in (("low", (LOW,)), ("bad", (LOW, HIGH))):
        steps = STEPS[: len(layers)]
        engine.images.load(io.BytesIO(archive(name, layers=layers, steps=steps, labels=labels)))
    return console(settings).environ


@pytest.mark.parametrize("colour", [True, False])
def test_no_command_sends_it_to_a_terminal(shelf: dict[str, str], colour: bool):
    environ = shelf if colour else {**shelf, "NO_COLOR": "1"}
    for words in COMMANDS:
        out, err = Terminal(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
        context = Context(out=out, err=err, stdin=io.StringIO(), environ=environ, now=lambda: NOW)
        missing = any("/no" in word for word in words)
        assert main(words, context) == int(missing), (words, err.getvalue())
        buffer = out.buffer
        assert isinstance(buffer, io.BytesIO)
        said = buffer.getvalue().decode() + err.getvalue()
        if colour:
            assert words[0] == "ls" or "\x1b[31m" not in said, words
            said = re.sub("\x1b\\[[0-9;]*m", "", said)
        assert all(letter.isprintable() or letter in "\n\t" for letter in said), (words, said)


def test_json_has_it_all_the_same_and_names_that_are_no_text(
    shelf: dict[str, str], settings: Settings
):
    ask = console(settings)
    told = ask("whence", "--json", "-a", "bad", "/")
    assert "\x9b" not in told
    rows = {row["path"]: row for row in json.loads(told)}
    assert rows[f"/{EVIL}d/f"]["events"][-1]["change"] == "changed"
    assert rows["/etc/b\ufffd"]["path_hex"] == b"etc/b\xe9".hex()
    wasted = json.loads(ask("waste", "--json", "bad"))["files"]
    odd = next(one for one in wasted if one["path"] == "/etc/b\ufffd")
    assert odd["path_hex"] == b"etc/b\xe9".hex()
    labels = json.loads(ask("inspect", "bad"))[0]["Config"]["Labels"]
    assert (labels[EVIL], labels["half"]) == (EVIL, "\ud800")
