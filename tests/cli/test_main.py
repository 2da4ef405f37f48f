"""The command finds its commands, says what is wrong, and ends with docker's codes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.consoles import Console, console

from lamina.cli.main import main
from lamina.settings import Settings


def test_an_unknown_command_is_answered_with_those_that_may_be_meant():
    said = Console().run("imagse")
    assert said.code == 1
    assert said.err == (
        "lamina: 'imagse' is not a lamina command.\n\nDid you mean this?\n\timage\n\timages\n\n"
        "Run 'lamina --help' for more information\n"
    )


def test_an_unknown_command_like_no_other_gets_no_guess():
    assert Console().run("xyzzy").err == (
        "lamina: 'xyzzy' is not a lamina command.\n\nRun 'lamina --help' for more information\n"
    )


def test_an_unknown_member_of_a_group_is_told_with_the_group():
    said = Console().run("image", "insp")
    assert said.code == 1
    assert said.err.startswith("lamina: 'insp' is not a lamina image command.\n")
    assert "\tinspect\n" in said.err


def test_a_wrong_flag_shows_the_usage_and_ends_with_125():
    said = Console().run("images", "--foo")
    assert said.code == 125
    assert said.err == (
        "unknown flag: --foo\n\nUsage:  lamina images [OPTIONS] [REPOSITORY[:TAG]]\n\n"
        "Run 'lamina images --help' for more information\n"
    )


def test_a_flag_for_a_group_is_refused_with_125():
    said = Console().run("image", "--foo")
    assert (said.code, said.err.splitlines()[0]) == (125, "unknown flag: --foo")


def test_too_few_words_show_the_usage_and_end_with_1():
    said = Console().run("image", "tag", "a")
    assert said.code == 1
    assert said.err == (
        "lamina: 'lamina image tag' requires 2 arguments\n\n"
        "Usage:  lamina image tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\n"
        "Run 'lamina image tag --help' for more information\n"
    )


def test_help_before_the_command_is_help_of_the_command():
    assert Console()("help", "pull") == Console()("pull", "--help")


def test_a_failure_goes_to_stderr_with_what_to_do(settings: Settings):
    said = console(settings).run("history", "nosuch")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "lamina: No such image: nosuch:latest"
    assert said.err.splitlines()[1].startswith("hint: ")


def test_main_without_a_context_is_this_process(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("Lamina version ")


def start(settings: Settings, *words: str, **options: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "lamina", *words],
        stdin=subprocess.PIPE,
        stdout=options.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        env={**os.environ, "LAMINA_ROOT": settings.root, "LAMINA_RUN_ROOT": settings.run_root},
    )


def test_a_reader_that_goes_away_ends_the_command_quietly(settings: Settings):
    read, write = os.pipe()
    os.close(read)
    process = start(settings, "--help", stdout=write)
    os.close(write)
    _, err = process.communicate()
    assert err == b""
    assert process.returncode in (0, 141)


def test_an_interruption_ends_with_130_and_no_traceback(settings: Settings):
    process = start(settings, "import", "-")
    assert process.stdin is not None
    process.stdin.write(b"\0" * 100)
    process.stdin.flush()
    wait_for_the_handler(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err


def wait_for_the_handler(pid: int) -> None:
    """Wait until the interpreter waits for input: from then on it handles signals."""
    from tests.containers import eventually

    assert eventually(lambda: "pipe" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii"))


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_taken_for_the_null_device(closed: int, settings: Settings):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m lamina images {closed}>&-', sys.executable],
        env={**os.environ, "LAMINA_ROOT": settings.root, "LAMINA_RUN_ROOT": settings.run_root},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"" if closed == 1 else done.stdout.startswith(b"REPOSITORY")


def test_output_that_has_no_room_ends_with_1_and_no_traceback(settings: Settings):
    full = os.open("/dev/full", os.O_WRONLY)
    lamina = Lamina(settings)

    def run(*words: str, out: int, err: int) -> "subprocess.CompletedProcess[bytes]":
        argv = lamina.argv(*words)
        return subprocess.run(argv, env=lamina.environ, stdout=out, stderr=err, check=False)

    try:
        for words in (["images"], ["--version"]):
            ended = run(*words, out=full, err=subprocess.PIPE)
            assert ended.returncode == 1
            assert ended.stderr.startswith(b"lamina: no space left on device\nhint: ")
        assert run("rmi", "it", out=subprocess.PIPE, err=full).returncode == 1
        assert run("images", out=full, err=full).returncode == 1
    finally:
        os.close(full)


def test_output_that_half_fits_is_a_failure_though_python_is_to_buffer_nothing(
    settings: Settings, tmp_path: Path
):
    """Python's unbuffered text stream takes a short write for a whole one."""
    words = f"ulimit -f 1; exec {sys.executable} -m lamina --help > {tmp_path}/out"
    environ = {**Lamina(settings).environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(["sh", "-c", words], env=environ, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"larger than allowed" in done.stderr
