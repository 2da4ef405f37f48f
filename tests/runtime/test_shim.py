import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.store.disks import fill, mounted


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("shim")) as lamina:
        yield lamina


def state(lamina: Lamina, name: str):
    container = lamina("inspect", "--format", "{{.Id}}", name).strip()
    path = Path(lamina.settings.root, "containers", container, "state.json")
    return json.loads(path.read_text())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def test_a_killed_shim_takes_everything_in_the_container_with_it(lamina: Lamina):
    lamina("run", "-d", "--name", "lost", "tiny", "sh", "-c", "sleep 1000 & sleep 1000")
    lamina("exec", "-d", "lost", "sleep", "1000")
    facts = state(lamina, "lost")

    def inside() -> list[int]:
        return [int(row.split()[1]) for row in lamina("top", "lost").splitlines()[1:]]

    assert eventually(lambda: len(inside()) == 3)
    pids = inside()
    assert facts["pid"] in pids
    os.kill(facts["shim"], signal.SIGKILL)
    eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert "Exited (137)" in lamina("ps", "-a")
    assert "shim was killed" in lamina("inspect", "--format", "{{.State.Error}}", "lost")
    assert lamina("wait", "lost") == "137\n"
    lamina("start", "lost")
    assert state(lamina, "lost")["status"] == "running"
    lamina("rm", "-f", "lost")


def test_the_container_goes_on_when_the_command_is_killed(lamina: Lamina):
    command = lamina.start(
        "run", "--name", "orphan", "tiny", "sh", "-c", "sleep 1; echo late; sleep 100"
    )
    eventually(lambda: "orphan" in lamina("ps"))
    command.kill()
    command.wait()
    eventually(lambda: "late" in lamina("logs", "orphan"))
    assert "Up " in lamina("ps")
    lamina("rm", "-f", "orphan")
    for stream in (command.stdout, command.stderr):
        if stream:
            stream.close()


def test_signals_to_the_command_reach_the_process(lamina: Lamina):
    trap = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    command = lamina.start("run", "--rm", "--name", "trap", "tiny", "sh", "-c", trap)
    eventually(lambda: "ready" in lamina("logs", "trap") if "trap" in lamina("ps") else False)
    command.send_signal(signal.SIGTERM)
    out, _ = command.communicate(timeout=60)
    assert command.returncode == 5
    assert out == b"ready\ngot\n"


def test_a_shim_is_small_and_holds_no_terminal(lamina: Lamina):
    lamina("run", "-d", "--name", "idle", "tiny", "sleep", "1000")
    shim = state(lamina, "idle")["shim"]
    status = Path(f"/proc/{shim}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines())
    assert facts["Name"].strip() == "lamina-shim"
    assert int(facts["RssAnon"].split()[0]) < 15_000
    lamina("rm", "-f", "idle")


def test_a_shim_in_the_way_of_nobody_is_gone_with_its_container(lamina: Lamina):
    lamina("run", "-d", "--name", "short", "tiny", "sleep", "1000")
    shim = state(lamina, "short")["shim"]
    lamina("stop", "-t", "0", "short")
    eventually(lambda: not is_alive(shim))
    assert "Exited (137)" in lamina("ps", "-a")
    lamina("rm", "short")


def test_the_process_that_watches_a_container_tells_no_secrets_and_keeps_no_files(lamina: Lamina):
    lamina("run", "-d", "--name", "quiet", "-e", "PASSWORD=hidden", "tiny", "sleep", "1000")
    facts = state(lamina, "quiet")
    words = Path(f"/proc/{facts['shim']}/cmdline").read_bytes()
    assert words.rstrip(b"\0").startswith(b"lamina-shim\0")
    assert b"PASSWORD" not in words
    folder = Path(f"/proc/{facts['shim']}/fd")
    known = ("/dev/null", "socket:", "pipe:", "anon_inode:", "mnt:", "net:", "/proc", "/")

    def is_bare() -> bool:
        files = []
        for row in folder.iterdir() if os.access(folder, os.R_OK) else ():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                files.append(os.readlink(row))
        kept = {Path(path).name for path in files if path.startswith(lamina.settings.root)}
        return all(path.startswith(known) for path in files) and kept <= {"lock", "log"}

    assert eventually(is_bare)
    lamina("rm", "-f", "quiet")


def test_a_program_that_uses_the_library_is_not_copied(lamina: Lamina):
    """The library never copies the process it is in: that may be anybody's."""
    program = """
import sys
from lamina.engine.engine import Engine
with Engine() as engine:
    engine.containers.start(sys.argv[1]).close()
"""
    container = lamina("create", "--name", "library", "tiny", "sleep", "1000").strip()
    environ = lamina.environ
    subprocess.run([sys.executable, "-c", program, container], env=environ, check=True, timeout=60)
    words = Path(f"/proc/{state(lamina, 'library')['shim']}/cmdline").read_bytes()
    assert b"supervise.py" in words
    lamina("rm", "-f", "library")


@pytest.mark.root
def test_an_exit_code_survives_a_disk_that_is_full(tmp_path: Path):
    with mounted(tmp_path / "disk", "60m") as disk, world(disk) as lamina:
        script = "trap 'exit 7' USR1; echo up; while :; do sleep 0.05; done"
        lamina("run", "-d", "--name", "full", "tiny", "sh", "-c", script)
        assert eventually(lambda: "up" in lamina("logs", "full"))
        shim = state(lamina, "full")["shim"]
        fill(disk / "ballast", 4096)
        lamina("kill", "-s", "USR1", "full")
        assert lamina("wait", "full") == "7\n"
        assert eventually(lambda: not is_alive(shim))
        assert "Exited (7)" in lamina("ps", "-a")
        assert list(Path(lamina.settings.run_root, "c").iterdir()) == []
        (disk / "ballast").unlink()
        lamina("start", "full")
        assert "Up " in lamina("ps")


def test_an_end_is_told_before_an_attached_client_has_read_it_all(lamina: Lamina):
    """As of `lamina run … | less`: the rest is there for whoever reads on."""
    script = "head -c 600000 /dev/zero | tr '\\0' x; exit 4"
    command = lamina.start("run", "--name", "paged", "tiny", "sh", "-c", script)
    assert eventually(lambda: "Exited (4)" in lamina("ps", "-a"))
    assert len(lamina("logs", "paged")) == 600_000
    lamina("rm", "paged")
    out, _ = command.communicate(timeout=60)
    assert len(out) == 600_000
    assert command.returncode == 4
