"""Sessions with a process: its streams on pipes and on a real terminal, whatever becomes of either end."""

import hashlib
import os
import signal
import subprocess
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pexpect
import pytest
from tests.commands import Lamina, ended
from tests.containers import RUNTIMES, eventually, world
from tests.soaking import sized

SIZE = sized(8, 100) << 20


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("sessions"), runtime=request.param) as lamina:
        yield lamina


@pytest.fixture(scope="module")
def box(lamina: Lamina) -> Iterator[str]:
    """A container that runs on."""
    lamina("run", "-d", "--name=box", "tiny", "sleep", "10000")
    yield "box"
    lamina("rm", "-f", "box")


def spawn(lamina: Lamina, *words: str) -> "pexpect.spawn[bytes]":
    program, *arguments = lamina.argv(*words)
    return pexpect.spawn(program, arguments, env=lamina.environ, timeout=60, dimensions=(33, 99))


def is_raw(child: "pexpect.spawn[bytes]") -> bool:
    return not termios.tcgetattr(child.child_fd)[3] & termios.ICANON


# -- pipes ------------------------------------------------------------------------------------------


def test_nothing_is_lost_of_much_data_either_way(lamina):
    data = os.urandom(1 << 20) * (SIZE >> 20)
    done = subprocess.run(
        lamina.argv("run", "-i", "--rm", "tiny", "cat"),
        input=data, stdout=subprocess.PIPE, env=lamina.environ, check=True, timeout=300,
    )  # fmt: skip
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_who_gets_more_out_than_goes_in_is_not_stuck(lamina, box):
    """A blocking write of input once kept the command from reading the output, for ever."""
    data = os.urandom(1 << 20)
    done = subprocess.run(
        lamina.argv("exec", "-i", box, "od", "-v", "-t", "x1"),
        input=data, stdout=subprocess.PIPE, env=lamina.environ, check=True, timeout=300,
    )  # fmt: skip
    seen = b"".join(line.partition(b" ")[2] for line in done.stdout.splitlines())
    assert bytes.fromhex(seen.decode()) == data


def test_a_program_that_closes_its_input_early_ends_the_session(lamina, box):
    words = ("exec", "-i", box, "sh", "-c", "exec <&-; echo done; exit 7")
    told = lamina.attempt(*words, stdin=b"x" * SIZE)
    assert (told.code, told.out) == (7, "done\n")


def test_output_and_errors_stay_apart(lamina, box):
    told = lamina.attempt("exec", box, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (told.code, told.out, told.err) == (5, "out\n", "err\n")


@pytest.mark.parametrize("ending", ["stop", "rm"])
def test_whoever_does_not_read_cannot_keep_a_container_from_ending(lamina, ending):
    """The shim once waited for its client before it wrote the end down: `rm -f` hung."""
    deaf = lamina.start("run", "--name=flood", "tiny", "yes")
    assert eventually(lambda: "flood" in lamina("ps", "--format={{.Names}}"))
    flags = {"stop": ("-t", "0"), "rm": ("-f",)}[ending]
    lamina(ending, *flags, "flood")
    if ending != "rm":
        assert lamina("wait", "flood") in ("137\n", "143\n")
        lamina("rm", "flood")
    assert lamina("ps", "-aq", "-f", "name=flood") == ""
    deaf.kill()
    deaf.communicate()


def test_one_that_reads_slowly_loses_nothing_beside_one_that_reads(lamina):
    line = "x" * 200
    lamina(
        "run", "-d", "--name=many", "tiny", "sh", "-c",
        "until [ -e /go ]; do echo wait; sleep 0.05; done; i=0;"
        f"while [ $i -lt 5000 ]; do echo $i-{line}; i=$((i+1)); done",
    )  # fmt: skip
    readers = [lamina.start("attach", "many") for _ in range(2)]
    for reader in readers:  # whoever has a line is attached
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"wait\n"
    lamina("exec", "many", "touch", "/go")
    wanted = [f"{i}-{line}".encode() for i in range(5000)]
    outputs = [reader.stdout for reader in readers if reader.stdout]
    quick, _ = outputs
    while quick.readline() == b"wait\n":
        pass  # then the flood has begun, of which the other has read nothing
    lamina("exec", "many", "true")  # still answered
    # More than pipes and sockets hold: the rest comes only as both read.
    with ThreadPoolExecutor(2) as pool:
        rests = [out.splitlines() for out in pool.map(lambda output: output.read(), outputs)]
    assert rests[0] == wanted[1:]
    assert [row for row in rests[1] if row != b"wait"] == wanted
    assert [reader.wait(60) for reader in readers] == [0, 0]
    for reader in readers:
        reader.communicate()
    lamina("rm", "many")


# -- terminals --------------------------------------------------------------------------------------


def test_keys_that_mean_something_here_go_to_the_container(lamina, box):
    child = spawn(lamina, "exec", "-it", box, "sh", "-c", "stty raw -echo; echo rea''dy; od -c")
    child.expect("ready")
    child.send(b"\x03\x1a\x1c\x04\x11\x13" + b"\xff\x00" + b"x" * 8)
    child.expect_exact("003 032 034 004 021 023 377")
    child.kill(signal.SIGKILL)
    child.wait()
    child.close()


def test_ctrl_c_is_for_the_program_which_may_go_on(lamina):
    """bubblewrap, in the foreground beside it, once died of the first one and took the container along."""
    script = "trap 'echo cau''ght' INT; echo rea''dy; read -r line; read -r line; echo got $line"
    child = spawn(lamina, "run", "-it", "--rm", "--name=repl", "tiny", "sh", "-c", script)
    child.expect("ready")
    number = lamina("inspect", "-f", "{{.State.Pid}}", "repl").strip()
    assert b"trap" in Path(f"/proc/{number}/cmdline").read_bytes(), "the program, not bubblewrap"
    child.sendintr()
    child.expect("caught")
    child.sendline("all")
    child.expect("got all")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_the_terminal_as_it_was(lamina, box, number):
    """Nobody handled them: the person's shell had no echo and no lines afterwards."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    command = subprocess.Popen(
        lamina.argv("exec", "-it", box, "sh"),
        stdin=slave, stdout=slave, stderr=slave, env=lamina.environ,
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # noqa: PLW1509 - as nohup ignores it
    )  # fmt: skip
    assert eventually(lambda: termios.tcgetattr(slave) != before)
    seen = os.read(master, 10)  # the prompt: it runs
    assert seen
    command.send_signal(number)
    assert command.wait(60) == -number
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("ending", ["exit", "kill"])
def test_a_container_that_ends_leaves_the_terminal_as_it_was(lamina, ending):
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    command = subprocess.Popen(
        lamina.argv("run", "-it", "--rm", "--name=brief", "tiny", "sh"),
        stdin=slave, stdout=slave, stderr=slave, env=lamina.environ,
    )  # fmt: skip
    assert eventually(lambda: termios.tcgetattr(slave) != before)
    assert os.read(master, 10)
    if ending == "kill":
        lamina("kill", "brief")
    else:
        os.write(master, b"exit 4\n")
    assert command.wait(60) == (137 if ending == "kill" else 4)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_detach_keys_of_ones_own_leave_and_others_are_typed(lamina):
    child = spawn(lamina, "run", "-it", "--name=keys", "--detach-keys=ctrl-x,q", "tiny", "cat")
    assert eventually(lambda: is_raw(child))
    child.send("\x10\x11a\x18b\r")  # the default ones, and half of the sequence
    child.expect_exact("a^Xb")
    child.send("\x18q")
    child.expect("read escape sequence")
    assert ended(child) == 0
    assert lamina("inspect", "-f={{.State.Running}}", "keys") == "true\n"
    child = spawn(lamina, "attach", "keys")
    assert eventually(lambda: is_raw(child))
    child.send("\x04")  # the end of input, by key
    assert ended(child) == 0
    lamina("rm", "keys")


def test_detach_keys_come_from_the_flag_or_from_dockers_configuration_or_are_dockers(lamina):
    config = Path(lamina.settings.docker_config, "config.json")
    config.parent.mkdir(exist_ok=True)
    lamina("run", "-dit", "--name=three", "tiny", "cat")

    def leaves(typed: str, *words: str) -> None:
        child = spawn(lamina, "attach", *words, "three")
        assert eventually(lambda: is_raw(child))
        child.send(typed)
        child.expect("read escape sequence")
        assert ended(child) == 0

    leaves("\x10\x11")
    config.write_text('{"detachKeys": "ctrl-x,x"}')
    leaves("\x10\x11\x18x")  # the default ones are typed
    leaves("\x18xz", "--detach-keys=z")
    config.write_text('{"detachKeys": "ctrl-oops"}')
    child = spawn(lamina, "attach", "three")
    child.expect("`detachKeys` of docker's config.json: invalid detach keys 'ctrl-oops'")
    assert ended(child)
    config.unlink()
    lamina("rm", "-f", "three")


def test_a_new_size_of_the_window_is_a_signal_to_the_process(lamina, box):
    # The first size, told when the process runs already, is one too.
    script = "trap 'stty size | grep -q 40.120 && exit 8' WINCH; echo rea''dy; while :; do sleep 0.05; done"
    for words in (
        ("run", "-it", "--rm", "tiny"),
        ("run", "-t", "--rm", "tiny"),
        ("exec", "-it", box),
    ):
        child = spawn(lamina, *words, "sh", "-c", script)
        child.expect("ready")
        child.setwinsize(40, 120)
        assert ended(child) == 8


def test_signals_are_passed_on_unless_they_are_not_to_be(lamina):
    script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"

    def struck(*words: str) -> tuple[int, bytes]:
        command = lamina.start(*words)
        assert command.stdout is not None
        if words[0] == "attach":  # what was written before is not shown
            time = ("--since=1h", "--until=0s", "-f=event=attach", "-f=container=proxied")
            assert eventually(lambda: lamina("events", *time))
        else:
            assert command.stdout.readline() == b"ready\n"
        command.terminate()
        out, _ = command.communicate(timeout=60)
        return command.returncode, out

    assert struck("run", "--name=proxied", "tiny", "sh", "-c", script) == (5, b"got\n")
    assert struck("start", "-a", "proxied") == (5, b"got\n")
    lamina("rm", "proxied")
    words = ("run", "--sig-proxy=false", "--name=proxied", "tiny", "sh", "-c", script)
    assert struck(*words) == (-signal.SIGTERM, b"")
    assert lamina("inspect", "-f={{.State.Running}}", "proxied") == "true\n"
    assert struck("attach", "--sig-proxy=false", "proxied") == (-signal.SIGTERM, b"")
    assert lamina("inspect", "-f={{.State.Running}}", "proxied") == "true\n"
    lamina("rm", "-f", "proxied")
