import json
import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import pexpect
import pytest
from tests.commands import Lamina, ended
from tests.containers import RUNTIMES, eventually, world

from lamina.runtime.strays import children


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("run"), runtime=request.param) as lamina:
        yield lamina


def spawn(lamina: Lamina, *words: str) -> "pexpect.spawn[bytes]":
    program, *arguments = lamina.argv(*words)
    return pexpect.spawn(
        program,
        arguments,
        env={**lamina.environ, "TERM": "xterm"},
        timeout=60,
        dimensions=(33, 99),
    )


def test_a_session_on_a_terminal_resizes_interrupts_detaches_and_comes_back(lamina: Lamina):
    child = spawn(lamina, "run", "-it", "--name", "tty", "tiny", "sh")
    child.expect("# ")
    child.sendline("stty size; tty; echo $TERM")
    child.expect("33 99")
    child.expect(r"/dev/(pts/0|console)\s+xterm")
    child.setwinsize(40, 120)
    child.sendline("until stty size | grep -q '40 120'; do sleep 0.1; done; echo re''sized")
    child.expect("resized")  # what is typed comes back, too, but with the quotes in it
    child.sendline("sh -c 'echo beg\"\"un; exec sleep 1000'")
    child.expect("begun")
    child.send("\x03")
    child.sendline("echo ended=$?")
    child.expect("ended=130")
    child.send("\x10\x11")
    child.expect("read escape sequence")
    assert ended(child) == 0
    child = spawn(lamina, "attach", "tty")
    child.sendline("echo back")
    child.expect("back\r\n")
    child.sendline("exit 9")
    assert ended(child) == 9
    child = spawn(lamina, "start", "-ai", "tty")
    child.expect("# ")
    child.sendline("exit 3")
    assert ended(child) == 3
    lamina("start", "tty")
    child = spawn(lamina, "exec", "-it", "tty", "sh")
    child.expect("# ")
    child.sendline("stty size; exit 6")
    child.expect("33 99")
    assert ended(child) == 6
    lamina("rm", "-f", "tty")


def test_the_persons_terminal_is_as_before(lamina: Lamina):
    words = " ".join(lamina.argv("run", "--rm", "-it", "tiny", "true"))
    child = pexpect.spawn(
        "/bin/sh", ["-c", f"stty -g; {words}; stty -g"], env={**lamina.environ}, timeout=60
    )
    child.expect(pexpect.EOF)
    before, after = child.before.split()
    assert ended(child) == 0
    assert before == after


def test_a_detached_container_prints_its_id_and_runs_on(lamina: Lamina, tmp_path):
    words = ("run", "-d", "--cidfile", f"{tmp_path}/cid", "-l", "tier=db", "tiny", "sleep", "1000")
    container = lamina(*words).strip()
    assert re.fullmatch("[0-9a-f]{64}", container)
    assert (tmp_path / "cid").read_text() == container
    assert lamina("ps", "-q", "-f", "label=tier=db") == f"{container[:12]}\n"
    assert "container ID file found" in lamina.attempt(*words).err
    lamina("rm", "-f", container)


def test_rm_removes_also_when_detached(lamina: Lamina):
    lamina("run", "-d", "--rm", "--name", "short", "tiny", "sleep", "0.2")
    assert eventually(lambda: lamina("ps", "-aq", "-f", "name=short") == "")


def test_input_from_a_pipe_ends_the_program_that_reads_it(lamina: Lamina):
    assert lamina("run", "--rm", "-i", "tiny", "wc", "-c", stdin="x" * 300_000).strip() == "300000"


def test_variables_and_the_working_folder_are_set(lamina: Lamina):
    out = lamina(
        "run", "--rm", "-e", "A=a b", "-w", "/tmp", "--tmpfs", "/tmp", "tiny", "sh", "-c",
        "echo $A $PWD $HOME; env | cut -d= -f1 | sort | tr '\\n' ' '",
    )  # fmt: skip
    assert out.startswith("a b /tmp /root\n")
    assert "HOSTNAME" in out


def test_an_entrypoint_is_put_before_the_command(lamina: Lamina):
    assert lamina("run", "--rm", "--entrypoint", "echo", "tiny", "a", "b") == "a b\n"


def test_no_network_has_loopback_alone(lamina: Lamina):
    out = lamina("run", "--rm", "--network", "none", "tiny", "cat", "/proc/net/dev")
    assert [line.split(":")[0].strip() for line in out.splitlines()[2:]] == ["lo"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--nosuch", "tiny"), "unknown flag: --nosuch"),
        (("--pull", "odd", "tiny"), "invalid pull option"),
        (("--pull", "never", "127.0.0.1:1/none"), "No such image"),
        (("--network", "mine", "tiny"), "network mine not found"),
        (("-v", "a:b:c:d", "tiny"), "invalid volume specification"),
        (("-it", "tiny"), "the input device is not a TTY"),
        (("-d", "-a", "stdout", "tiny"), "conflicting options"),
        (("--cap-add", "FLY", "tiny"), "invalid capability"),
    ],
)
def test_our_own_refusals_end_with_125(lamina: Lamina, words: tuple[str, ...], said: str):
    outcome = lamina.attempt("run", *words)
    assert outcome.code == 125
    assert said in outcome.err
    assert lamina("ps", "-aq") == ""


def test_an_image_that_is_not_here_is_looked_for(lamina: Lamina):
    outcome = lamina.attempt("run", "--rm", "127.0.0.1:1/none:x")
    assert "Unable to find image '127.0.0.1:1/none:x' locally" in outcome.err
    assert outcome.code == 125


def test_a_container_deaf_to_signals_does_not_hold_the_command_for_ever(lamina: Lamina):
    script = "trap 'echo got' INT; echo up; while :; do sleep 0.1; done"
    command = lamina.start("run", "--rm", "--name", "deaf", "tiny", "sh", "-c", script)
    assert command.stdout is not None
    try:
        assert command.stdout.readline() == b"up\n"
        for _ in range(2):
            command.send_signal(signal.SIGINT)
            assert command.stdout.readline() == b"got\n"
        command.send_signal(signal.SIGTERM)
        _, err = command.communicate(timeout=60)
    finally:
        command.kill()
        command.communicate()
    assert (command.returncode, b"got 3 SIGTERM/SIGINTs" in err) == (1, True), err
    assert lamina("ps", "-q", "--filter", "name=^deaf$")
    lamina("rm", "-f", "deaf")


def test_a_file_mounted_onto_a_folder_is_called_so(lamina: Lamina, tmp_path):
    (tmp_path / "file").write_text("")
    for wrong in (f"{tmp_path}/file:/etc", f"{tmp_path}:/etc/passwd"):
        outcome = lamina.attempt("run", "--rm", "-v", wrong, "tiny", "true")
        assert outcome.code == 125, outcome
        assert "is a file mounted onto a folder, or a folder onto a file?" in outcome.err, outcome


def test_one_that_runs_has_no_dead_child_beside_it(lamina: Lamina):
    lamina("run", "-d", "--name", "alone", "tiny", "sleep", "1000")
    shim = json.loads(lamina("inspect", "-f", "{{json .State}}", "alone"))["Pid"]
    with open(f"/proc/{shim}/stat", encoding="utf-8") as file:
        parent = int(file.read().rpartition(")")[2].split()[1])

    def states() -> list[str]:
        found = []
        for pid in children(parent):
            with suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                found.append(file.read().rpartition(")")[2].split()[0])
        return found

    eventually(lambda: states() and "Z" not in states())
    lamina("rm", "-f", "alone")
