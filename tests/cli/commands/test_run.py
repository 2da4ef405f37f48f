import re
from collections.abc import Iterator

import pexpect
import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world


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


def ended(child: "pexpect.spawn[bytes]") -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    code: int | None = child.exitstatus
    return code


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
    child.close()
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
