"""`lamina snapshot`, `rollback` and `fork`: what a person sees, whatever holds the layers."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.images import Piece, tar

DRIVERS = ("", "copied") if os.geteuid() == 0 else ("",)
RUN = ("run", "--network", "none")


@pytest.fixture(scope="module", params=DRIVERS)
def box(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lamina]:
    folder = tmp_path_factory.mktemp("box")
    folder.chmod(0o711)
    with world(folder, driver=request.param) as lamina:
        yield lamina


def test_a_rollback_gives_back_what_was_and_keeps_what_is(box: Lamina):
    box(*RUN, "--name", "one", "tiny", "sh", "-c", "echo one > /f; rm /etc/group; mv /home /house")
    assert box("snapshot", "one", "good") == "good\n"
    box(*RUN, "--name", "two", "tiny", "true")
    box("fork", "one", "--name", "next")
    box("cp", "-", "one:/", stdin=tar([Piece("f", b"two\n")]))
    assert box("cat", "one:/f") == "two\n"
    changed = box("diff", "one")
    assert box("rollback", "one", "good") == "one\n"
    assert box("cat", "one:/f") == "one\n"
    assert [line for line in box("diff", "one").splitlines() if "/etc" in line] == [
        "C /etc", "D /etc/group",
    ]  # fmt: skip
    assert box("snapshot", "-lq", "one").splitlines() == ["good", "before-rollback"]
    box("rollback", "one", "before-rollback")
    assert box("cat", "one:/f") == "two\n"
    assert box("diff", "one") == changed
    assert box("diff", "next") == box("diff", "one")
    box("rm", "one", "two")
    assert box("cat", "next:/f") == "one\n"
    again = box.attempt("start", "-a", "next").err  # its command finds its work done
    assert "can't rename '/home'" in again
    box("rm", "next")
    assert left(box) == []


def test_a_commit_after_checkpoints_is_the_one_without(box: Lamina):
    steps = (
        "mkdir -p /w/x; echo 1 > /w/x/y; chmod 600 /etc/passwd",
        "rm -r /w/x; mkdir /w/x",
        "mv /w /v; rm /bin/wget",
    )
    ids = []
    for name in ("plain", "frozen"):
        box("create", "-i", "--network", "none", "--name", name, "tiny", "sh")
        for step in steps:
            box("start", "-ai", name, stdin=step)
            if name == "frozen":
                box("snapshot", name)
        ids.append(box.attempt("commit", name, SOURCE_DATE_EPOCH="1500000000").out)
    assert ids[0].startswith("sha256:")
    assert ids[0] == ids[1]
    assert box("snapshot", "-lq", "frozen").split() == ["1", "2", "3"]
    box("rm", "plain", "frozen")
    assert left(box) == []


def test_a_container_that_runs_is_copied_and_not_rolled_back(box: Lamina):
    script = "echo first > /f; ln /f /g; touch /ready; sleep 1000"
    box(*RUN, "-d", "--name", "busy", "tiny", "sh", "-c", script)
    _until(box, "busy", "/ready")
    box("snapshot", "busy", "mid")
    box("exec", "busy", "sh", "-c", "echo second > /f")
    assert box("exec", "busy", "cat", "/g") == "second\n"  # its processes noticed nothing
    answer = box.attempt("rollback", "busy", "mid")
    assert answer.code == 1
    assert "container busy is running, and its processes hold its files open" in answer.err
    assert box("fork", "--from", "mid", "busy", "2").count("\n") == 2
    for name in ("busy-1", "busy-2"):
        assert box("cat", f"{name}:/f") + box("cat", f"{name}:/g") == "first\nfirst\n"
    box("stop", "-t", "0", "busy")
    box("rollback", "--discard", "busy", "mid")
    assert box("snapshot", "-lq", "busy") == "mid\n"
    assert box("cat", "busy:/f") == "first\n"
    box("start", "busy")  # which empties the file and writes it anew
    assert eventually(lambda: box("exec", "busy", "cat", "/f") == "first\n")
    box("rm", "-f", "busy", "busy-1", "busy-2")
    assert left(box) == []


def test_what_cannot_be_is_said(box: Lamina):
    box("create", "--name", "still", "tiny")
    box("snapshot", "still", "one")
    for words, code, message in (
        (("snapshot", "still", "one"), 1, "has a snapshot 'one' already"),
        (("snapshot", "still", "../x"), 1, "invalid snapshot name"),
        (("snapshot", "nobody"), 1, "No such container: nobody"),
        (("rollback", "still", "two"), 1, "no snapshot 'two'"),
        (("fork", "still", "0"), 1, "invalid number of forks: 0"),
        (("fork", "still", "many"), 1, "invalid number of forks: 'many'"),
        (("fork", "--name", "xx", "still", "2"), 1, "2 forks need 2 names, not 1"),
        (("fork", "--name", "yy", "--name", "still", "still"), 1, "is already in use"),
        (("snapshot", "--remove", "still"), 1, "--remove needs the name"),
    ):
        answer = box.attempt(*words)
        assert (answer.code, message in answer.err) == (code, True), answer.err
    assert box("ps", "-aq", "--filter", "name=yy") == ""  # none of several, where one cannot be
    rows = json.loads(box("snapshot", "--list", "--json", "still"))
    assert [row["Name"] for row in rows] == ["one"]
    box("snapshot", "--remove", "still", "one")
    assert box("snapshot", "-l", "still").splitlines() == ["NAME      CREATED"]
    box("rm", "still")
    assert left(box) == []


def test_fsck_and_df_know_frozen_states(box: Lamina):
    box(*RUN, "--name", "big", "tiny", "sh", "-c", "head -c 3000000 /dev/urandom > /big")
    box("snapshot", "big", "full")
    box("fork", "big", "2")
    assert box.attempt("fsck").code == 0
    lines = box("system", "df", "--format", "json").splitlines()
    rows = {row["Type"]: row for row in map(json.loads, lines)}
    assert rows["Containers"]["TotalCount"] == "3"
    assert float(rows["Containers"]["Size"].removesuffix("MB")) > 2.9
    box("rm", "big", "big-1")
    assert box("ls", "-l", "big-2:/big").split()[4] == "3000000"
    box("rm", "big-2")
    assert left(box) == []


def left(box: Lamina) -> list[str]:
    """Give what is left of frozen states once every container is gone."""
    root = Path(box.settings.root) / "snapshots"
    kinds = ("frozen", "names", "new", "active")
    return sorted(f"{kind}/{name}" for kind in kinds for name in _names(root / kind))


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _until(box: Lamina, container: str, path: str) -> None:
    eventually(lambda: box.attempt("cat", f"{container}:{path}").code == 0)
