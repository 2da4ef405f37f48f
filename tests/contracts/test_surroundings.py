"""Commands work wherever they are called from: no home, no locale, odd folders, streams that are closed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world

LONG = "long-" + "x" * 150  # a socket's path has 107 bytes
AWAY = ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME")


@pytest.fixture(scope="module")
def lamina(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("surroundings")) as lamina:
        lamina("run", "-d", "--name", "box", "tiny", "sleep", "1000")
        yield lamina


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/{LONG}")
        yield folder


def story(lamina: Lamina, environ: dict[str, str], *, around: str = 'exec "$@"') -> list[str]:
    """Run, exec, cp, commit and ps with nothing but `environ`; `around` is a shell's line."""
    own = {key: value for key, value in lamina.environ.items() if key not in AWAY}
    said = []
    for words in (
        ["run", "--rm", "tiny", "echo", "ran"],
        ["exec", "box", "echo", "execd"],
        ["cp", "box:/etc/group", "copied"],
        ["commit", "-q", "box", "made"],
        ["ps", "-q"],
    ):
        with tempfile.TemporaryDirectory() as here:
            argv = ["sh", "-c", around, "sh", *lamina.argv(*words)]
            done = subprocess.run(
                argv,
                env={**own, **environ},
                capture_output=True,
                timeout=120,
                check=False,
                cwd=here,
            )
            assert done.returncode == 0, (words, done)
            if words[0] == "cp":
                assert os.path.getsize(f"{here}/copied") > 0
        said.append(done.stdout.decode())
    return said


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"},
        {"TMPDIR": "/nonexistent", "LC_ALL": "C"},
        {
            "TMPDIR": "{folder}/" + LONG,
            "XDG_RUNTIME_DIR": "{folder}/" + LONG,
            "LC_ALL": "xx_YY.none",
        },
    ],
)
def test_no_variable_is_needed_and_none_misleads(lamina: Lamina, folder: str, environ):
    said = story(lamina, {key: text.format(folder=folder) for key, text in environ.items()})
    assert said[:2] == ["ran\n", "execd\n"]
    assert len(said[4].split()) == 1


def test_a_strict_umask_keeps_nobody_out_who_must_get_in(lamina: Lamina):
    said = story(lamina, {"HOME": "/"}, around='umask 077; exec "$@"')
    assert said[:2] == ["ran\n", "execd\n"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_none_of_our_files(lamina: Lamina, closed: str):
    said = story(lamina, {"HOME": "/"}, around=f'exec "$@" {closed}')
    if ">&-" not in closed.split():
        assert said[:2] == ["ran\n", "execd\n"]
