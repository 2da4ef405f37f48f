"""Kill -9 of what carries a container's network: another takes its place, and addresses stay."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.soak.traces import networks_of, processes_of

from lamina.runtime.net.mending import Mending
from lamina.runtime.net.wires import Wires

SERVE = "while :; do echo hi | nc -l -p 80; done"


@pytest.fixture
def lamina(tmp_path) -> Iterator[Lamina]:
    with world(tmp_path) as lamina:
        lamina("network", "create", "home")
        yield lamina


def running(lamina: Lamina, name: str) -> list[int]:
    """List the engine's processes that are called `name`, oldest first."""
    rows = [row.split(" ", 1) for row in processes_of(lamina)]
    return sorted(int(pid) for pid, words in rows if words.startswith(f"({name}"))


def killed(lamina: Lamina, name: str) -> None:
    """Kill the processes called so, and wait until others have taken their place."""
    before = running(lamina, name)
    assert before, list(processes_of(lamina))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: (now := running(lamina, name)) and not set(now) & set(before))


def reaches(lamina: Lamina, by: str, of: str) -> bool:
    """Tell whether a container finds another by its name, and gets through to it."""
    return lamina.attempt("exec", by, "ping", "-c1", "-W2", of).code == 0


def is_published(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            return sock.recv(10) == b"hi\n"
    except OSError:
        return False


def address(lamina: Lamina, name: str) -> str:
    """Give a container's address; nothing while its interface is not there."""
    shown = lamina.attempt("exec", name, "sh", "-c", "ip -o -4 address show eth0").out.split()
    return shown[3] if shown else ""


def test_a_network_outlives_its_keeper_and_whoever_took_over(lamina: Lamina):
    lamina("run", "-d", "--name=one", "--network=home", "-p=80", "tiny", "sh", "-c", SERVE)
    lamina("run", "-d", "--name=two", "--network=home", "tiny", "sh", "-c", SERVE)
    port = int(lamina("port", "one").split()[-1].rpartition(":")[2])
    before = address(lamina, "one"), address(lamina, "two")
    killed(lamina, "lamina-net")
    assert eventually(lambda: reaches(lamina, "one", "two") and reaches(lamina, "two", "one"))
    assert (address(lamina, "one"), address(lamina, "two")) == before
    assert eventually(lambda: is_published(port))
    # The keeper is a child of one of the shims now; with that one it goes, and the other's shim goes on.
    lamina("stop", "-t", "0", "one")
    lamina("run", "-d", "--name=three", "--network=home", "tiny", "sh", "-c", SERVE)
    assert eventually(lambda: reaches(lamina, "two", "three") and reaches(lamina, "three", "two"))
    assert address(lamina, "two") == before[1]
    lamina("rm", "-f", "one", "two", "three")
    assert eventually(lambda: not list(processes_of(lamina)) and not networks_of(lamina))
    assert eventually(lambda: not os.listdir(f"{lamina.settings.run_root}/n"))


def test_whoever_comes_while_no_keeper_answers_is_in_the_members_user_namespace(lamina: Lamina):
    lamina("run", "-d", "--name=one", "--network=home", "tiny", "sleep", "1000")
    (folder,) = os.scandir(f"{lamina.settings.run_root}/n")
    if os.geteuid() != 0:  # root's networks are all in one, and a second way out of one is refused
        os.rename(f"{folder.path}/s", f"{folder.path}/away")
    lamina("run", "-d", "--name=two", "--network=home", "tiny", "sleep", "1000")
    found = {lamina("exec", name, "readlink", "/proc/self/ns/user") for name in ("one", "two")}
    assert len(found) == 1
    lamina("rm", "-f", "one", "two")


def test_what_carries_ports_and_packets_is_replaced(lamina: Lamina):
    lamina("run", "-d", "--name=one", "--network=home", "-p=80", "tiny", "sh", "-c", SERVE)
    port = int(lamina("port", "one").split()[-1].rpartition(":")[2])
    killed(lamina, "lamina-ports")
    assert eventually(lambda: is_published(port))
    if os.geteuid() != 0:  # root's network needs no program
        killed(lamina, "pas")
        assert eventually(lambda: is_published(port))
    lamina("rm", "-f", "one")
    assert eventually(lambda: not list(processes_of(lamina)) and not networks_of(lamina))


def test_the_default_network_is_mended_too(lamina: Lamina):
    lamina("run", "-d", "--name=one", "tiny", "sleep", "1000")
    assert (before := address(lamina, "one"))
    killed(lamina, "lamina-net" if os.geteuid() == 0 else "pas")
    assert eventually(lambda: address(lamina, "one") == before)
    lamina("rm", "-f", "one")


class Broken(Wires):
    """Wires that cannot be restored."""

    tries = 0

    def restore(self) -> None:
        self.tries += 1
        raise OSError("no room")


def test_what_cannot_be_replaced_is_tried_again_ever_more_slowly(tmp_path):
    order = {"id": "1", "folder": str(tmp_path), "run_folder": "", "network": {"mode": "tunnel"}}
    wires = Broken(order)
    told: list[int] = []
    now = [100.0]
    mending = Mending(wires, lambda: told.append(1), lambda: now[0])
    waits = []
    for _ in range(8):
        mending.turn(())
        waits.append(mending.wait_s())
        mending.turn(())  # not yet
        now[0] += waits[-1] or 0
    assert [round(span or 0, 3) for span in waits] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert wires.tries == len(told) == 8
    assert (tmp_path / "shim.log").read_text().count("no room") == 8
