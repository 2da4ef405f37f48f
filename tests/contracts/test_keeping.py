"""What ends is started again as its policy says, and checks tell how it is: on each runtime."""

import json
import os
import signal
from contextlib import suppress
from typing import Any

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), runtime=request.param) as lamina:
        yield lamina


def state_of(lamina: Lamina, container: str) -> dict[str, object]:
    """Read how a container is where its shim writes it: the command costs half a second here."""
    path = f"{lamina.settings.root}/containers/{container}/state.json"
    with open(path, encoding="utf-8") as file:
        state: dict[str, object] = json.load(file)
        return state


def children_of(parent: object) -> list[str]:
    """List the processes whose parent is `parent`, those included that nobody has waited for."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with (
            suppress(OSError),
            open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file,
        ):
            if file.read().rpartition(")")[2].split()[1] == str(parent):
                found.append(name)
    return found


def health_of(lamina: Lamina, container: str) -> dict[str, Any]:
    health = state_of(lamina, container)["health"]
    assert isinstance(health, dict)
    return health


def test_a_failure_is_tried_again_as_often_as_was_said(lamina):
    lives = "echo life; cat /n 2>/dev/null; echo x >> /n; exit 3"
    often = lamina("run", "-d", "--restart=on-failure:2", "tiny", "sh", "-c", lives).strip()
    assert eventually(lambda: state_of(lamina, often)["status"] == "exited")
    state = "{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}"
    assert lamina("inspect", "-f", state, often) == "exited 2 3\n"
    # The writable layer is the same in each life, and so is the log.
    assert lamina("logs", often).split() == ["life", "life", "x", "life", "x", "x"]


def test_what_is_stopped_stays_down_and_what_its_shim_lost_is_wanted_up(lamina):
    kept = lamina("run", "-d", "--restart=unless-stopped", "tiny", "sleep", "1000").strip()
    shim = state_of(lamina, kept)["shim"]
    assert isinstance(shim, int)
    os.kill(shim, signal.SIGKILL)  # as a machine that goes down
    assert eventually(lambda: not os.path.exists(f"/proc/{shim}"))
    assert lamina("start", "--all-restart").split() == [kept]
    assert state_of(lamina, kept)["status"] == "running"
    lamina("stop", "-t", "0", kept)
    assert state_of(lamina, kept)["status"] == "exited"
    assert lamina("start", "--all-restart") == ""


def test_checks_tell_how_it_is_and_do_not_wait_for_ever(lamina):
    flags = ("--health-interval=50ms", "--health-retries=1")
    words = ("tiny", "sh", "-c", "touch /ok; sleep 1000")
    box = lamina("run", "-d", *flags, "--health-cmd=cat /ok", *words).strip()
    assert eventually(lambda: health_of(lamina, box)["Status"] == "healthy")
    assert eventually(lambda: len(health_of(lamina, box)["Log"]) == 5)
    assert len(children_of(state_of(lamina, box)["shim"])) < 5  # checks that ended are not kept
    assert "(healthy)" in lamina("ps", "--filter=health=healthy", "--format={{.Status}}")
    lamina("exec", box, "rm", "/ok")
    assert eventually(lambda: health_of(lamina, box)["Status"] == "unhealthy")
    lamina("rm", "-f", box)
    # This one reads a pipe that nobody writes into.
    test = ("--health-timeout=300ms", "--health-cmd=mkfifo /slow; cat /slow")
    box = lamina("run", "-d", *flags, *test, "tiny", "sleep", "1000").strip()
    assert eventually(lambda: "exceeded timeout (0.3s)" in str(health_of(lamina, box)))
    lamina("rm", "-f", box)


def test_a_check_that_is_late_leaves_nothing_of_what_it_started(lamina):
    flags = ("--health-interval=50ms", "--health-timeout=200ms", "--health-retries=1")
    box = lamina(
        "run", "-d", *flags, "--health-cmd=sleep 777; true", "tiny", "sleep", "1000"
    ).strip()
    assert eventually(lambda: int(health_of(lamina, box)["FailingStreak"]) > 3)
    # What is there is of the check that is under way, or of the one before and about to end.
    assert eventually(lambda: lamina("exec", box, "ps").count("sleep 777") <= 2)
    lamina("rm", "-f", box)


def test_a_flood_of_output_stays_within_its_files(lamina):
    flags = ("--log-opt=max-size=64k", "--log-opt=max-file=2", "--log-opt=labels=tier", "-l=tier=1")
    words = "seq 1 20000"
    code = lamina.attempt("run", "--name=flood", *flags, "tiny", "sh", "-c", words)
    assert code.lines[-1] == "20000"
    whole = lamina("ps", "-aq", "--no-trunc", "--filter=name=flood").strip()
    folder = f"{lamina.settings.root}/containers/{whole}"
    files = [name for name in os.listdir(folder) if name.startswith("log")]
    assert sorted(files) == ["log", "log.1"]
    assert all(os.stat(f"{folder}/{name}").st_size <= 64_000 for name in files)
    assert lamina("logs", "--details", "--tail=2", "flood") == "tier=1 19999\ntier=1 20000\n"
