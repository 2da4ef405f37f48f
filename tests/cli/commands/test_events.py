"""`lamina events`, of whole lives: each kind of thing is told as Docker tells it."""

import json
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world
from tests.images import tiny


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("events")) as lamina:
        yield lamina


def told(lamina: Lamina, *words: str) -> list[str]:
    return lamina("events", "--since=1h", "--until=0s", *words).splitlines()


def actions(lamina: Lamina, *words: str) -> list[str]:
    return [line.split()[2] for line in told(lamina, *words)]


def test_a_life_is_told_from_creation_to_the_end(lamina: Lamina):
    lamina.attempt("run", "--rm", "--name=brief", "-l=tier=1", "tiny", "sh", "-c", "exit 3")
    life = told(lamina, "--filter=container=brief")
    assert [line.split()[2] for line in life] == ["create", "start", "die", "destroy"]
    assert life[2].endswith(" (exitCode=3, image=tiny, name=brief, tier=1)")
    form = "--format={{.Type}} {{.Status}} {{.From}} {{.Scope}} {{.Actor.Attributes.exitCode}}"
    assert told(lamina, "-f=event=die", form) == ["container die tiny local 3"]
    event = json.loads(told(lamina, "-f=event=die", "--format=json")[0])
    assert list(event) == [
        *("status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"),
    ]
    assert (event["status"], event["from"]) == ("die", "tiny")
    form = "--format={{.ID}} {{.Time}} {{.TimeNano}}"
    assert told(lamina, "-f=event=die", form) == [
        f"{event['id']} {event['time']} {event['timeNano']}"
    ]


def test_what_is_done_to_a_running_container_is_told(lamina: Lamina, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    lamina("run", "-d", "--name=busy", "-v=/data", "tiny", "sleep", "1000")
    lamina("exec", "busy", "true")
    lamina.attempt("exec", "busy", "sh", "-c", "exit 3")
    lamina.attempt("exec", "busy", "/nosuch")
    lamina("top", "busy")
    lamina("cp", f"{tmp_path}/f", "busy:/f")
    lamina("cp", "busy:/f", f"{tmp_path}/g")
    lamina("export", "busy", "-o", f"{tmp_path}/tar")
    lamina("commit", "-m", "why", "busy", "made:1")
    lamina("stop", "-t", "0", "busy")
    lamina("rm", "-v", "busy")
    lines = [
        line.partition(" container ")[2].partition(" (")
        for line in told(lamina, "-f=container=busy")
    ]
    words = [before.rpartition(" ")[0] for before, _, _ in lines]
    assert words == [
        "create",
        "start",
        *("exec_create: true", "exec_start: true", "exec_die"),
        *("exec_create: sh -c exit 3", "exec_start: sh -c exit 3", "exec_die"),
        *("exec_create: /nosuch", "exec_start: /nosuch", "exec_die"),
        "top",
        "extract-to-dir",
        "archive-path",
        "export",
        *("pause", "unpause", "commit"),
        *("kill", "kill", "die", "stop", "destroy"),
    ]
    codes = [rest for _, _, rest in lines if "exitCode" in rest and "execID" in rest]
    assert ["exitCode=3" in rest for rest in codes] == [False, True, False]
    assert "exitCode=127" in codes[2]
    assert actions(lamina, "-f=type=volume") == ["create", "mount", "unmount", "destroy"]
    (mounted,) = told(lamina, "-f=event=mount")
    assert "destination=/data, driver=local, propagation=, read/write=true" in mounted
    image = told(lamina, "-f=image=made")
    assert image[0].split()[1:3] == ["image", "tag"]
    assert image[0].endswith(" (name=made:1)")
    (commit,) = told(lamina, "-f=event=commit")
    assert "comment=why, image=tiny, imageID=sha256:" in commit
    assert "imageRef=made:1" in commit


def test_images_are_told_by_what_is_done_with_them(lamina: Lamina, tmp_path):
    lamina("import", "-", "shown:1", stdin=tiny())
    lamina("tag", "shown:1", "shown:2")
    lamina("rmi", "shown:2")
    lamina("save", "shown:1", "-o", f"{tmp_path}/tar")
    lamina("rmi", "shown:1", "--now")
    lamina("load", "-i", f"{tmp_path}/tar")
    lamina("rmi", "shown:1")
    lamina("image", "prune", "-f")
    ident = told(lamina, "-f=image=shown:1", "-f=event=tag")[0].split()[3]
    found = told(lamina, "-f=type=image", f"-f=image={ident}")
    assert [line.split()[2] for line in found if "tiny" not in line] == [
        "tag", "import", "tag", "untag", "save", "untag", "delete", "load", "untag", "delete",
    ]  # fmt: skip
    (pruned,) = told(lamina, "-f=event=prune")
    assert pruned.split(" image ")[1].startswith("prune  (reclaimed=")


def test_networks_are_told_from_creation_to_the_end(lamina: Lamina):
    lamina("network", "create", "ours")
    lamina("create", "--name=member", "tiny", "true")
    ident = lamina("network", "inspect", "-f", "{{.Id}}", "ours").strip()
    lamina("network", "connect", "ours", "member")
    lamina("network", "disconnect", "ours", "member")
    lamina("network", "rm", "ours")
    assert actions(lamina, "-f=network=ours") == ["create", "connect", "disconnect", "destroy"]
    (connected,) = told(lamina, f"-f=network={ident[:12]}", "-f=event=connect")
    assert "name=ours, type=bridge" in connected
    lamina("rm", "member")


@pytest.mark.root
def test_a_container_joins_and_leaves_its_network_when_it_starts_and_ends(lamina: Lamina):
    lamina("network", "create", "wired")
    lamina("run", "--rm", "--name=joins", "--network=wired", "tiny", "true")
    assert actions(lamina, "-f=network=wired") == ["create", "connect", "disconnect"]
    kinds = [tuple(line.split()[1:3]) for line in told(lamina)]
    start = len(kinds) - 1 - kinds[::-1].index(("container", "start"))
    assert kinds[start - 1] == ("network", "connect")
    lamina("network", "rm", "wired")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "x"), 'failed to parse value as time or duration: "x"'),
        (("--filter", "foo=bar"), "invalid filter 'foo'"),
        (("--since", "1h", "--until", "0s", "--format", "{{.Nope}}"), "can't evaluate field Nope"),
    ],
)
def test_what_cannot_be_is_refused(lamina: Lamina, words: tuple[str, ...], said: str):
    wrong = lamina.attempt("events", *words)
    assert wrong.code == 1
    assert said in wrong.err
