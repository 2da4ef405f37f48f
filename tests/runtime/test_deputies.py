import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world
from tests.soak.traces import processes_of

from lamina.runtime import syscalls
from lamina.runtime.deputies import GO_BETWEEN, Deputies, note_process
from lamina.runtime.strays import children, end_children


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("deputies"), runtime=request.param) as lamina:
        yield lamina


def inside(lamina: Lamina, words: str) -> bool:
    return any(words in row for row in lamina("top", "box").splitlines())


def test_what_a_killed_exec_or_check_had_started_ends_with_it(lamina: Lamina):
    checks = ("--health-cmd=sleep 778", "--health-interval=1ms")
    lamina("run", "-d", "--name=box", "--network=none", *checks, "tiny", "sleep", "1000")
    lamina("exec", "-d", "box", "sleep", "777")
    assert eventually(lambda: inside(lamina, "sleep 777") and inside(lamina, "sleep 778"))
    shim = lamina("inspect", "--format={{.State.Pid}}", "box")
    for row in processes_of(lamina):
        if "lamina-shim" in row and not _is_first(row):
            os.kill(int(row.split()[0]), signal.SIGKILL)
    assert eventually(lambda: not inside(lamina, "sleep 777"))
    assert lamina("inspect", "--format={{.State.Pid}}", "box") == shim
    assert lamina("exec", "box", "echo", "fine") == "fine\n"
    lamina("rm", "-f", "box")


def _is_first(row: str) -> bool:
    """Tell whether a shim is the first process of its namespace, rather than a fork of one."""
    with suppress(OSError):
        for line in Path(f"/proc/{row.split(maxsplit=1)[0]}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1] == "1"
    return True


def test_a_number_that_is_another_processs_by_now_is_let_be(tmp_path):
    """The process that is noted is no child of ours, so the deputy's was reaped long ago."""
    other = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE)
    assert other.stdout
    pid = int(other.stdout.readline())
    note_process(str(tmp_path), pid)
    deputies = Deputies()
    child = os.fork()
    if not child:
        signal.pause()
    deputies.add(child, str(tmp_path))
    os.kill(child, signal.SIGKILL)
    while len(deputies):
        deputies.turn(deputies.fds)
        time.sleep(0.01)
    os.kill(pid, 0)
    for number in (pid, other.pid):
        os.kill(number, signal.SIGKILL)
    other.communicate()


def test_what_goes_between_is_waited_for_and_what_it_starts_is_ended(tmp_path):
    """A deputy was killed while the process was inside that starts an exec's: that ran on, unwatched."""
    shim = os.fork()
    if not shim:
        left = 1
        try:
            left = _left_of_a_killed_deputy(str(tmp_path))
        finally:
            os._exit(left)
    assert os.waitpid(shim, 0)[1] == 0


def _left_of_a_killed_deputy(folder: str) -> int:
    """Be a shim whose deputy is killed while another process is about to start one for it."""
    syscalls.become_subreaper()
    go_on, release = os.pipe()
    said, say = os.pipe()
    deputies = Deputies(kills=False)
    deputy = os.fork()
    if not deputy:
        if not os.fork():
            Path(folder, GO_BETWEEN).write_text(str(os.getpid()))
            os.write(say, b"x")
            os.read(go_on, 1)
            if started := os.fork():
                Path(folder, "exec.pid").write_text(str(started))
                os._exit(0)
        signal.pause()
    deputies.add(deputy, folder)
    os.read(said, 1)
    os.kill(deputy, signal.SIGKILL)
    deputies.ended(*os.waitpid(deputy, 0))
    os.write(release, b"x")
    while len(deputies):
        deputies.turn(deputies.fds)
        time.sleep(0.01)
    left = len(list(children(os.getpid())))
    end_children()
    return left
