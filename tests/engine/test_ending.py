import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world
from tests.images import tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest


@pytest.fixture
def shelf(engine: Engine) -> Engine:
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny", changes=("CMD sh",)))
    return engine


@pytest.mark.root
def test_a_container_that_ignores_the_stop_signal_is_killed(shelf: Engine):
    script = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    record = shelf.containers.create(CreateRequest("tiny", ("sh", "-c", script), stop_timeout_s=0))
    with shelf.containers.start(record.id) as attachment:
        attachment.receive()
        shelf.containers.stop(record.id)
    assert shelf.containers.state(record.id).exit_code == 137


@pytest.mark.root
def test_a_stop_signal_of_the_containers_own_is_sent(shelf: Engine):
    script = "trap 'exit 4' USR1; echo up; while :; do sleep 0.1; done"
    record = shelf.containers.create(
        CreateRequest("tiny", ("sh", "-c", script), stop_signal="USR1")
    )
    with shelf.containers.start(record.id) as attachment:
        attachment.receive()
        shelf.containers.stop(record.id)
    assert shelf.containers.state(record.id).exit_code == 4


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("ending"), runtime=RUNTIMES[0]) as lamina:
        yield lamina


class Sticking:
    """A runtime that never comes to an end with a start: the installed one behind a long wait."""

    def __init__(self, lamina: Lamina, folder: Path) -> None:
        self._lamina = lamina
        self._path = f"{folder}:{os.environ['PATH']}"
        real = shutil.which(RUNTIMES[0])
        program = folder / RUNTIMES[0]
        waits = 'case "$*" in *version*|*features*) ;; *) sleep 1000;; esac'
        program.write_text(f'#!/bin/sh\n{waits}\nexec {real} "$@"\n')
        program.chmod(0o755)
        folder.chmod(0o755)

    def start(self, *words: str):
        """Start a command that starts a container; give it once its shim waits for the runtime."""
        lamina = Lamina(self._lamina.settings)
        lamina.environ["PATH"] = self._path
        command = lamina.start(*words)
        folders = Path(lamina.settings.root, "containers")

        def is_stuck() -> bool:
            states = []
            for path in folders.glob("*/state.json"):
                with suppress(OSError):  # one is just being removed
                    states.append(json.loads(path.read_text()))
            return any(state.get("starting") and _sleeps(state["shim"]) for state in states)

        assert eventually(is_stuck), command.communicate()
        return command


def _sleeps(shim: int) -> bool:
    """Tell whether a process far below `shim` waits in `sleep 1000`."""
    pids = [shim]
    words = []
    with suppress(OSError):  # one has ended: look again
        for pid in pids:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            words.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return b"sleep\x001000\x00" in words


@pytest.fixture
def sticking(lamina: Lamina, tmp_path: Path) -> Sticking:
    return Sticking(lamina, tmp_path)


def state(lamina: Lamina, name: str):
    container = lamina("inspect", "--format", "{{.Id}}", name).strip()
    path = Path(lamina.settings.root, "containers", container, "state.json")
    return json.loads(path.read_text())


def test_a_container_whose_start_is_stuck_can_be_removed(lamina: Lamina, sticking: Sticking):
    command = sticking.start("run", "-d", "--name", "stuck", "tiny", "sleep", "1000")
    assert lamina("rm", "-f", "stuck") == "stuck\n"
    _, said = command.communicate(timeout=60)
    assert command.returncode == 125
    assert b"shim went away" in said
    assert "stuck" not in lamina("ps", "-a")


def test_a_shim_that_is_killed_while_it_starts_leaves_what_was_known(
    lamina: Lamina, sticking: Sticking
):
    """And `start --all-restart` starts what its policy wants up, as it was being started."""
    lamina("create", "--name", "new", "--restart", "always", "tiny", "sleep", "1000")
    lamina("create", "--name", "idle", "--restart", "always", "tiny", "sleep", "1000")
    lamina.attempt("run", "--name", "old", "tiny", "sh", "-c", "exit 3")
    for name, shown in (("new", "Created"), ("old", "Exited (3)")):
        command = sticking.start("start", name)
        row = f"name=^{name}$"
        assert shown in lamina("ps", "-a", "--filter", row)
        os.kill(state(lamina, name)["shim"], signal.SIGKILL)
        command.communicate(timeout=60)
        assert command.returncode == 1
        assert shown in lamina("ps", "-a", "--filter", row)
    lamina("update", "--restart", "unless-stopped", "old")
    wanted = lamina("inspect", "-f", "{{.Id}}", "new", "old")
    assert set(lamina("start", "--all-restart").split()) == set(wanted.split())
    assert "Up" in lamina("ps", "--filter", "name=^new$")
    assert "Created" in lamina("ps", "-a", "--filter", "name=^idle$")
    lamina("rm", "-f", "new", "old", "idle")
