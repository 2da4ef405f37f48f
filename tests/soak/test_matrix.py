"""Kill -9 of everything that takes part in a container's life, in turn and at each step of its start."""

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world
from tests.soak.strikes import tracer
from tests.soak.traces import files_below, groups_of, processes_of, traces
from tests.soaking import sized

SEED = int(os.environ.get("SOAK_SEED", "20261127"))
# How often a command, its shim, a keeper, a carrier or the runtime makes each kind of call, about.
CALLS = {
    "clone,clone3,fork,vfork": 12,
    "unshare,setns": 5,
    "mount,move_mount,fsmount,open_tree,mount_setattr": 30,
    "umount2,pivot_root": 4,
    "mkdir,mkdirat,symlink,symlinkat,link,linkat": 12,
    "rename,renameat,renameat2": 6,
    "unlink,unlinkat,rmdir": 12,
    "bind,listen,connect": 8,
    "sendto,sendmsg": 12,
    "write": 12,
    "wait4": 8,
    "capset,setresuid,setresgid,setgroups": 5,
    "seccomp,prctl": 6,
    "sethostname": 1,
    "flock": 4,
    "fcntl": 20,
}
NAMES = ("--network=home", "-p=127.0.0.1::80", "-v=/data", "tiny", "sleep", "1000")
SERVING = {"deputy", "first", "lamina-net", "lamina-ports", "shim"}
DEEDS = {
    "run-in-background": ("run", "-d", "--name=work", *NAMES),
    "run-and-remove": ("run", "--rm", "--name=work", *NAMES[:-2], "true"),
    "start": ("start", "work"),
}


@pytest.fixture(params=RUNTIMES[: sized(1, 3)])
def lamina(request, tmp_path: Path) -> Iterator[Lamina]:
    with world(tmp_path, runtime=request.param) as lamina:
        lamina("network", "create", "home")
        lamina("run", "--rm", "--network=home", "tiny", "true")  # what is made once for all
        yield lamina


def state_of(lamina: Lamina, container: str) -> dict[str, object]:
    path = Path(lamina.settings.root, "containers", container, "state.json")
    with suppress(OSError, ValueError):
        found: dict[str, object] = json.loads(path.read_text())
        return found
    return {}


def is_true(lamina: Lamina) -> bool:
    """Tell whether what is said of the container is so: up with a process, or down without any."""
    rows = lamina("ps", "-a", "--no-trunc", "--format={{.ID}} {{.Status}}").splitlines()
    if not rows:
        return not list(processes_of(lamina))
    (row,) = rows
    container, _, status = row.partition(" ")
    if status.startswith("Up"):  # not by an exec, which may be struck in its turn
        return os.path.exists(f"/proc/{state_of(lamina, container)['pid']}")
    return not list(processes_of(lamina))


def is_up(lamina: Lamina) -> bool:
    return lamina("ps", "-a", "--format={{.Status}}").startswith("Up")


def nothing_left(lamina: Lamina, before: set[str], sign: object) -> None:
    """Assert that what is said is true, and that nothing stays once the container was removed."""
    assert eventually(lambda: is_true(lamina), fail=False), (
        sign,
        lamina("ps", "-a"),
        list(processes_of(lamina)),
    )
    ids = set(os.listdir(f"{lamina.settings.root}/containers"))
    if names := lamina("ps", "-aq").split():
        lamina("rm", "-f", "-v", *names)
    lamina("container", "prune", "-f")
    lamina("image", "prune", "-f")  # and what a killed command had under way
    lamina("volume", "prune", "-f")
    kept = {f"{lamina.settings.run_root}/{name}" for name in ("n", "networks.lock")}
    left = [""]

    def is_clean() -> bool:
        left[:] = [*traces(lamina, before | kept), *groups_of(ids)]
        return not left

    assert eventually(is_clean, fail=False), (sign, left)


def strike(lamina: Lamina, calls: str, number: int, *words: str) -> bool:
    """Run a command whose every process is killed at its `number`-th of `calls`; tell whether one was.

    The tracer goes on with the shim in the background, as long as that lives.
    """
    trace = Path(lamina.settings.root, "..", "trace")
    inject = f"inject={calls}:signal=KILL:when={number}"
    options = ["-D", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", inject]
    subprocess.run(
        [tracer(), *options, *lamina.argv(*words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=lamina.environ,
        timeout=120,
        check=False,
    )
    return "killed by SIGKILL" in trace.read_text(errors="replace")


@pytest.mark.root  # a plain user's commands go through set-user-ID programs
@pytest.mark.timeout(4 * 3600)
def test_whatever_is_killed_while_a_container_starts_nothing_stays(lamina: Lamina):
    before = files_below(lamina)
    chance = random.Random(SEED)
    every = [
        (name, calls, n) for name in DEEDS for calls, most in CALLS.items() for n in range(1, most)
    ]
    hit = 0
    chosen = chance.sample(every, sized(4, len(every)))
    for name, calls, number in chosen:
        if name == "start":
            lamina("create", "--name=work", *NAMES)
        hit += strike(lamina, calls, number, *DEEDS[name])
        nothing_left(lamina, before, (name, calls, number))
    assert hit


def victims(lamina: Lamina) -> dict[str, list[int]]:
    """Give the processes that serve the container `work`, by what they do."""
    rows = [row.split(" ", 1) for row in processes_of(lamina)]
    found: dict[str, list[int]] = {}
    container = lamina("ps", "-aq", "--no-trunc").strip()
    state = state_of(lamina, container)
    for pid, words in rows:
        name = words.partition(")")[0].removeprefix("(")
        kind = "shim" if int(pid) == state["shim"] else "deputy" if name == "lamina-exec" else name
        found.setdefault(kind, []).append(int(pid))
    return {**found, "first": [int(str(state["pid"]))]}


def test_whoever_is_killed_beside_a_container_what_is_said_is_true_and_nothing_stays(
    lamina: Lamina,
):
    before = files_below(lamina)
    kinds: list[str] = []
    while True:
        lamina("run", "-d", "--name=work", *NAMES)
        lamina("exec", "-d", "work", "sleep", "999")
        assert eventually(lambda: set(victims(lamina)) >= SERVING)
        found = victims(lamina)
        kinds = kinds or sorted(found)
        kind = kinds.pop()
        for pid in found.get(kind, ()):  # one that was just ending is there once
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if kind in ("first", "shim"):
            assert eventually(lambda: not is_up(lamina)), kind
        else:  # and is as good as before
            assert is_up(lamina), kind
            assert eventually(lambda: lamina.attempt("exec", "work", "true").code == 0)
        nothing_left(lamina, before, kind)
        if not kinds:
            return


@pytest.mark.root
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name == "runc"])
def test_a_runc_that_is_killed_while_it_makes_groups_leaves_none(tmp_path: Path, runtime: str):
    """They were in hierarchies that the shim does not use, and `runc delete` knew of nothing."""
    with world(tmp_path, runtime=runtime) as lamina:
        lamina("run", "--rm", "tiny", "true")
        before = files_below(lamina)
        for number in (4, 6):
            lamina("create", "--name=work", "--network=none", "tiny", "sleep", "1000")
            assert strike(lamina, "mkdir,mkdirat", number, "start", "work")
            nothing_left(lamina, before, number)
