import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world
from tests.soak.strikes import tracer
from tests.soaking import sized

from lamina.runtime import syscalls
from lamina.runtime.strays import children, end_children

# A deputy writes two events, what a runtime needs, the process's ID and the state. Its third pipe is for
# what starts the process. The last blow hits that one: the program of the runtime, or our go-between.
STRIKES = [("write", 3), ("write", 4), ("pipe2", 3)]


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("strays"), runtime=request.param) as lamina:
        yield lamina


def inside(lamina: Lamina, words: str) -> bool:
    return any(words in row for row in lamina("top", "box").splitlines())


def shim_of(lamina: Lamina, box: str) -> int:
    with open(f"{lamina.settings.root}/containers/{box}/state.json", "rb") as file:
        return int(json.load(file)["shim"])


def own(lamina: Lamina, shim: int) -> set[int]:
    """Give the container's first process and what is between it and the shim.

    The kernel's list of children may leave one out while another ends, as a runtime that has just started it does.
    """
    pid = int(lamina("inspect", "-f", "{{.State.Pid}}", "box"))
    found = {pid}
    while (pid := int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])) != shim:
        found.add(pid)
    return found


def rows(shim: int) -> list[str]:
    """Tell what a shim's children are, for whoever reads of a failure."""
    return [
        Path(f"/proc/{pid}/{name}").read_text(errors="replace")
        for pid in children(shim)
        for name in ("stat", "cmdline")
    ]


def test_children_are_ended_with_theirs():
    child = os.fork()
    if not child:
        left = 1
        try:
            left = _with_a_child()
        finally:
            os._exit(left)
    assert os.waitpid(child, 0)[1] == 0


def _with_a_child() -> int:
    """Be a process with a child that has one; tell whether all of them go."""
    syscalls.become_subreaper()
    read, write = os.pipe()
    if not os.fork():
        os.fork()
        os.write(write, b"x")
        signal.pause()
    for _ in range(2):
        os.read(read, 1)
    end_children()
    return len(list(children(os.getpid())))


@contextmanager
def striking(shim: int, calls: str, number: int) -> Iterator[None]:
    """For the body: kill each fork of a shim at its `number`-th of `calls`."""
    inject = f"inject={calls}:signal=KILL:when={number}"
    words = [tracer(), "-f", "-qqq", "-o", os.devnull, "-e", f"trace={calls}", "-e", inject]
    with subprocess.Popen([*words, "-p", str(shim)], stderr=subprocess.DEVNULL) as tracing:
        status = Path(f"/proc/{shim}/status")
        assert eventually(lambda: f"TracerPid:\t{tracing.pid}" in status.read_text())
        try:
            yield
        finally:
            tracing.send_signal(signal.SIGINT)


@pytest.mark.root  # whose shim can be traced
@pytest.mark.parametrize("shared", [False, True])
def test_an_exec_whose_deputy_is_killed_before_it_noted_the_process_leaves_nothing(lamina, shared):
    """Nobody knew the process then: it ran on, unwatched, for as long as the container."""
    flags = ("--network=none", *(("--pid=host",) if shared else ()))
    box = lamina("run", "-d", "--name=box", *flags, "tiny", "sleep", "1000").strip()
    shim = shim_of(lamina, box)
    folders = Path(lamina.settings.run_root, "c", box[:16])
    codes = []
    strikes = [*STRIKES, ("setns", 1) if lamina.settings.runtime == "bwrap" else ("write", 5)]
    for calls, number in strikes:
        with striking(shim, calls, number):
            codes.append(lamina.attempt("exec", "box", "sleep", "777").code)
            assert eventually(lambda: not inside(lamina, "sleep 777")), (calls, number)
            assert eventually(lambda: not list(folders.glob("exec/*"))), (calls, number)
    assert 0 not in codes
    assert lamina("exec", "box", "echo", "fine") == "fine\n"
    wanted = ("--since=1h", "--until=0s", f"-f=container={box}", "--format={{.Action}}")
    told = [row.partition(":")[0] for row in lamina("events", *wanted).splitlines()]
    assert told.count("exec_create") == told.count("exec_die") == len(strikes) + 1
    lamina("rm", "-f", "box")


@pytest.mark.parametrize("shared", [False, True])
def test_an_exec_whose_deputy_is_killed_at_any_moment_leaves_nothing(lamina, shared):
    flags = ("--network=none", *(("--pid=host",) if shared else ()))
    box = lamina("run", "-d", "--name=box", *flags, "tiny", "sleep", "1000").strip()
    shim = shim_of(lamina, box)
    before = own(lamina, shim) | set(children(shim))
    for moment in range(sized(2, 100)):
        command = lamina.start("exec", "box", "sleep", "777")
        while not (deputies := set(children(shim)) - before):
            pass
        for _ in range(moment % 25 * 40):  # so that it gets on a little
            os.sched_yield()
        for deputy in deputies:
            with suppress(ProcessLookupError):
                os.kill(deputy, signal.SIGKILL)
        command.communicate(timeout=60)
        assert command.returncode
        assert eventually(lambda: not inside(lamina, "sleep 777"))
        assert eventually(lambda: not set(children(shim)) - before), rows(shim)
    assert not list(Path(lamina.settings.run_root).glob("c/*/exec/*"))
    lamina("rm", "-f", "box")
