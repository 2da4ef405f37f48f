"""`--volumes-from`, by the command: who sees what, and which volumes stay."""

from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("inherited")) as lamina:
        yield lamina


def test_binds_and_volumes_of_another_are_there_and_stay_when_it_goes(lamina: Lamina, tmp_path):
    (tmp_path / "f").write_text("bound\n")
    words = ["-v", f"{tmp_path}:/b:ro", "-v", "kept:/n", "-v", "/a", "--tmpfs", "/t", "tiny"]
    lamina("run", "--name", "giver", *words, "sh", "-c", "echo named > /n/f; echo anonymous > /a/f")
    script = "cat /b/f /n/f /a/f; touch /b/x; echo $?; ls -d /t; true"
    found = lamina.attempt(
        "run", "--name", "taker", "--volumes-from", "giver", "tiny", "sh", "-c", script
    )
    assert found.out.splitlines() == ["bound", "named", "anonymous", "1"]
    shown = lamina("inspect", "-f", "{{json .HostConfig.VolumesFrom}}", "taker")
    assert shown == '["giver"]\n'
    lamina("rm", "-v", "giver")
    assert lamina("start", "-a", "taker", timeout_s=60).splitlines()[2] == "anonymous"
    lamina("rm", "-v", "taker")
    assert len(lamina("volume", "ls", "-q").split()) == 2, (
        "nobody's alone, so nobody's to take away"
    )
    assert len(lamina("volume", "prune", "-f").split()) > 4
    assert lamina("volume", "ls", "-q") == "kept\n"


def test_a_container_that_removes_itself_leaves_what_another_has(lamina: Lamina):
    lamina("run", "-d", "--rm", "--name", "giver", "-v", "/a", "tiny", "sleep", "1000")
    lamina("create", "--name", "taker", "--volumes-from", "giver:ro", "tiny", "touch", "/a/x")
    lamina("stop", "-t", "0", "giver")
    eventually(lambda: "giver" not in lamina("ps", "-a"))
    done = lamina.attempt("start", "-a", "taker")
    assert "Read-only file system" in done.err
    lamina("rm", "taker")


def test_what_is_mounted_already_is_not_replaced(lamina: Lamina):
    lamina("create", "--name", "giver", "-v", "one:/x", "tiny", "true")
    lamina("create", "--name", "taker", "-v", "two:/x", "--volumes-from", "giver", "tiny", "true")
    assert lamina("inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", "taker") == "two \n"
    lamina("rm", "giver", "taker")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", "No such container: nobody"),
        ("nobody:often", "invalid mode: often"),
        (":ro", "malformed volumes-from specification: :ro"),
    ],
)
def test_what_cannot_be_taken_from_is_named(lamina: Lamina, text, words):
    done = lamina.attempt("create", "--volumes-from", text, "tiny", "true")
    assert done.code != 0
    assert words in done.err
