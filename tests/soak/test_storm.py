"""Containers started and removed side by side, some by commands that are killed: nothing is left of them."""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world
from tests.soak.traces import files_below, groups_of, processes_of, traces
from tests.soaking import sized

SEED = int(os.environ.get("SOAK_SEED", "20261124"))
NETWORKS = ("host", "bridge", "none", "home")


@pytest.fixture(params=RUNTIMES[: sized(1, 3)])
def lamina(request, tmp_path: Path) -> Iterator[Lamina]:
    with world(tmp_path, runtime=request.param) as lamina:
        lamina("network", "create", "home")
        lamina("run", "--rm", "--network=home", "tiny", "true")  # what is made once for all
        yield lamina


def ended_by_itself(lamina: Lamina, name: str, *flags: str) -> None:
    lamina("run", "--rm", f"--name={name}", *flags, "tiny", "sh", "-c", "echo x > /f")


def removed_by_itself(lamina: Lamina, name: str, *flags: str) -> None:
    lamina("run", "-d", "--rm", f"--name={name}", *flags, "tiny", "sh", "-c", "echo x > /f")


def removed_by_force(lamina: Lamina, name: str, *flags: str) -> None:
    lamina("run", "-d", f"--name={name}", *flags, "tiny", "sleep", "1000")
    lamina("exec", "-d", name, "sleep", "1000")
    lamina("rm", "-f", "-v", name)


def killed_and_removed(lamina: Lamina, name: str, *flags: str) -> None:
    lamina("create", f"--name={name}", *flags, "tiny", "sleep", "1000")
    lamina("start", name)
    lamina("kill", name)
    lamina("rm", "-f", "-v", name)


def run_by_a_killed_command(lamina: Lamina, name: str, *flags: str) -> None:
    words = ("--rm", f"--name={name}", *flags, "tiny", "true")
    command = lamina.start("run", *words)
    time.sleep(random.Random(name).random())
    command.kill()
    command.communicate()


LIVES: tuple[Callable[..., None], ...] = (
    ended_by_itself,
    removed_by_itself,
    removed_by_force,
    killed_and_removed,
    run_by_a_killed_command,
)


@pytest.mark.timeout(1800)
def test_containers_side_by_side_leave_nothing(lamina: Lamina):
    before = files_below(lamina)
    ids: set[str] = set()

    def live(number: int) -> None:
        chance = random.Random(SEED + number)
        network = NETWORKS[number % len(NETWORKS)]
        flags = [f"--network={network}", "-v", f"/v{number}"]
        if network in ("bridge", "home") and chance.random() < 0.5:
            flags.append("-p=80")
        LIVES[number % len(LIVES)](lamina, f"c-{number}", *flags)

    with ThreadPoolExecutor(sized(4, 16)) as pool:
        list(pool.map(live, range(sized(10, 200))))
    ids |= set(os.listdir(f"{lamina.settings.root}/containers"))
    assert eventually(lambda: not list(processes_of(lamina)))
    lamina("system", "prune", "-f", "--volumes")  # what killed commands had begun
    before = {path for path in before if os.path.exists(path)}
    left = traces(lamina, before | _kept(lamina))
    assert eventually(lambda: not traces(lamina, before | _kept(lamina))), left
    assert eventually(lambda: groups_of(ids) == [])


def _kept(lamina: Lamina) -> set[str]:
    """Give what stays of networks: a folder and a lock, empty both."""
    return {f"{lamina.settings.run_root}/{name}" for name in ("n", "networks.lock")}
