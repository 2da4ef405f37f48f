"""A machine goes down under containers and comes up again: what is told, what starts, what stays behind."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.soak.traces import files_below, groups_of, processes_of, traces

RUN = {
    "plain": (),
    "always": ("--restart=always", "-p=127.0.0.1::80"),
    "unless": ("--restart=unless-stopped",),
    "stopped": ("--restart=unless-stopped",),
    "failed": ("--restart=on-failure",),
    "brief": ("--rm", "-v=/data", "--network=home"),
}
UP_AGAIN = {"always", "unless", "failed"}


@pytest.fixture
def lamina(tmp_path: Path) -> Iterator[Lamina]:
    with world(tmp_path) as lamina:
        lamina("network", "create", "home")
        lamina("run", "--rm", "--network=home", "tiny", "true")  # what is made once for all
        yield lamina


def go_down(lamina: Lamina) -> None:
    """Leave of this engine what a machine has that was switched off: its disk, and nothing that ran."""
    pids = [int(row.split()[0]) for row in processes_of(lamina)]
    for number in (signal.SIGSTOP, signal.SIGKILL):  # so that none sees another's end
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):  # inside a container: ends with it
                os.kill(pid, number)
    assert eventually(lambda: not list(processes_of(lamina)))
    run_root = lamina.settings.run_root
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if (target := line.split()[4]).startswith(f"{run_root}/"):
            subprocess.run(["umount", "-l", target], check=True)
    for path in groups_of(set(os.listdir(f"{lamina.settings.root}/containers"))):
        assert eventually(partial(gone, path))
    for entry in os.scandir(run_root):
        shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def gone(group: str) -> bool:
    """Remove a control group, which is busy until the last that was killed in it has ended."""
    try:
        os.rmdir(group)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def statuses(lamina: Lamina) -> dict[str, str]:
    rows = lamina("ps", "-a", "--format={{.Names}}\t{{.Status}}").splitlines()
    return dict(row.split("\t") for row in rows)


def lives(lamina: Lamina) -> str:
    return lamina.attempt("exec", "always", "cat", "/lives").out


def test_after_a_reboot_the_truth_is_told_and_policies_are_kept(lamina: Lamina):
    before = files_below(lamina)
    lamina("create", "--name=made", "tiny", "true")
    lamina("run", "--name=done", "--restart=on-failure", "tiny", "true")
    words = "echo life >> /lives; exec sleep 1000"
    for name, flags in RUN.items():
        lamina("run", "-d", f"--name={name}", *flags, "tiny", "sh", "-c", words)
    lamina("stop", "-t=0", "stopped")
    assert eventually(lambda: lives(lamina) == "life\n")
    go_down(lamina)
    assert lamina("ps", "-q") == ""
    told = statuses(lamina)
    assert told.pop("made") == "Created"
    assert told.pop("done").startswith("Exited (0)")
    assert "brief" not in told  # as Docker's daemon removes it when it starts, its volume too
    assert lamina("volume", "ls", "-q") == ""
    assert all(status.startswith("Exited (137)") for status in told.values()), told
    started = lamina("start", "--all-restart").split()
    names = lamina("inspect", "--format={{.Name}}", *started).replace("/", "").split()
    assert set(names) == UP_AGAIN
    up = {name for name, status in statuses(lamina).items() if status.startswith("Up")}
    assert up == UP_AGAIN
    assert eventually(lambda: lives(lamina) == "life\nlife\n")
    assert "127.0.0.1" in lamina("port", "always")
    lamina("rm", "-f", *statuses(lamina))
    assert eventually(lambda: not list(processes_of(lamina)))
    kept = {f"{lamina.settings.run_root}/{name}" for name in ("n", "networks.lock")}
    lamina("system", "prune", "-f", "--volumes")
    assert not (left := traces(lamina, before | kept)), left


def test_what_goes_at_its_end_and_lost_its_shim_goes_with_whatever_removes_next(lamina: Lamina):
    for words in (("start", "--all-restart"), ("container", "prune", "-f"), ("ps", "-aq")):
        lamina("run", "-d", "--rm", "--name=brief", "tiny", "sleep", "1000")
        go_down(lamina)
        lamina(*words)
        assert os.listdir(f"{lamina.settings.root}/containers/names") == [], words
