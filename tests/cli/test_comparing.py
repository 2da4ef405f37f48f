"""`lamina diff` of two images, in each of its forms."""

import io
import json
from pathlib import Path

import pytest
from tests.archives import STEPS, archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

STATUS = b"Package: tool\nStatus: install ok installed\nVersion: %s\nArchitecture: all\n\n"
LOW = tar([
    Piece("etc/", directory=True), Piece("etc/motd", b"hello\n"), Piece("etc/gone", b"x" * 9),
    Piece("var/lib/dpkg/status", STATUS % b"1"),
])  # fmt: skip
HIGH = tar([
    Piece("etc/", directory=True), Piece("etc/motd", b"good bye\n"), Piece("etc/.wh.gone"),
    Piece("etc/e\x1b", b"n"), Piece("var/lib/dpkg/status", STATUS % b"2"),
])  # fmt: skip


@pytest.fixture
def pair(settings: Settings, engine: Engine) -> Console:
    """`old:1` and `new:1`, one layer more with a label and a step of its own."""
    engine.images.load(io.BytesIO(archive("old:1", layers=(LOW,), steps=STEPS[:1])))
    newer = archive("new:1", layers=(LOW, HIGH), labels={"a": "b"})
    engine.images.load(io.BytesIO(newer))
    return console(settings)


def test_files_packages_configuration_and_history(pair: Console):
    assert pair("diff", "-p", "old:1", "new:1") == """\
A '/etc/e'$'\\033'
D /etc/gone
C /etc/motd  (content)
    @@ -1 +1 @@
    -hello
    +good bye
C /var/lib/dpkg/status  (content)
    @@ -1,5 +1,5 @@
     Package: tool
     Status: install ok installed
    -Version: 1
    +Version: 2
     Architecture: all
    {blank}
1 added, 1 removed, 2 changed; -5B

Packages
  tool 1 → 2 (deb)

Configuration
  Label a: (none) → b

History, after 1 step in common
  + RUN initialise
  + CMD ["sleep" "3600"]
""".replace("{blank}", " ")  # fmt: skip


def test_counts_paths_alone_and_json(pair: Console):
    rows = [line.split() for line in pair("diff", "--stat", "old:1", "new:1").splitlines()]
    assert rows[1:3] == [["1", "1", "1", "-5B", "/etc"], ["0", "0", "1", "0B", "/var/lib"]]
    assert pair("diff", "--name-only", "old:1", "new:1").splitlines()[1:] == [
        "/etc/gone", "/etc/motd", "/var/lib/dpkg/status",
    ]  # fmt: skip
    document = json.loads(pair("diff", "--json", "old:1", "new:1"))
    assert [one["change"] for one in document["files"]] == [
        "added",
        "removed",
        "changed",
        "changed",
    ]
    assert document["packages"] == [
        {"type": "deb", "name": "tool", "before": ["1"], "after": ["2"]}
    ]
    assert document["history"]["common"] == 1
    assert pair("diff", "old:1", "old:1") == "No path differs.\n"


@pytest.mark.root
def test_what_the_runtime_made_in_a_container_to_mount_on_is_no_difference(
    pair: Console, engine: Engine
):
    pair("create", "--name", "it", "old:1", "sh")
    record = engine.containers.record("it")
    upper = Path(engine.snapshotter.stack(record.id).upper)
    for folder in ("etc", "proc", "sys", "dev"):
        (upper / folder).mkdir(exist_ok=True)
    for name in ("hosts", "hostname", "resolv.conf", "own"):
        (upper / "etc" / name).write_bytes(b"")
    assert pair("diff", "--name-only", "old:1", "it").split() == ["/etc/own"]
    assert pair("diff", "--name-only", "it", "old:1").split() == ["/etc/own"]
    assert pair("diff", "--name-only", "it", "it") == ""
    assert "/etc/own" in pair("diff", "--json", "it", "new:1")
    assert "hosts" not in pair("diff", "--json", "it", "new:1")


def test_what_cannot_be_is_refused(pair: Console):
    said = pair.run("diff", "--stat", "old:1")
    assert (said.code, "--stat is of two images or containers" in said.err) == (1, True)
    assert pair.run("diff", "--stat", "--json", "old:1", "new:1").code == 1
    assert pair.run("diff", "old:1", "nosuch").code == 1
