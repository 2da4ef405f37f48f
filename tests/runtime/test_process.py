import os
import sys
import time

import pytest

from lamina.runtime.process import (
    StartFailed,
    Stdio,
    exit_code,
    last_error,
    reap,
    spawn,
)


@pytest.mark.parametrize(
    ("said", "args", "words", "code"),
    [
        ("executable file `x` not found in $PATH: No such file", ["x"], "executable file not found in $PATH", 127),
        ('exec: "x": executable file not found in $PATH', ["x"], "executable file not found in $PATH", 127),
        ("open executable: Permission denied", ["/a"], 'exec: "/a": permission denied', 126),
        ("open executable: Operation not permitted", ["/etc"], 'exec: "/etc": permission denied', 126),
        ('runc run failed: x: exec: "/etc": permission denied', ["/etc"], 'exec: "/etc": permission denied', 126),
        ('exec: "/etc": is a directory', ["/etc"], "is a directory", 126),
        ("chdir: No such file or directory", ["x"], "no such file or directory", 127),
        ("cannot setresgid to 33: Invalid argument", ["x"], "not among the user ids you have", 125),
        ("unable to setup user: invalid argument", ["x"], "not among the user ids you have", 125),
        ("setrlimit: Operation not permitted", ["x"], "setrlimit", 125),
        ("", [], "said nothing", 125),
        ("open /proc/sys/net/core/nope: No such file or directory", ["x"], "/proc/sys/net", 125),
    ],
)  # fmt: skip
def test_a_runtimes_words_become_dockers(said: str, args: list[str], words: str, code: int):
    error = StartFailed.explain(said, args)
    assert words in error.message.lower() or words in error.message
    assert error.exit_code == code


def test_what_a_failure_says_already_is_not_said_twice():
    known = StartFailed.explain("executable file `x` not found in $PATH: No such file", ["x"])
    assert known.with_words("executable file `x` not found in $PATH").message == known.message
    denied = StartFailed("out").with_words("bwrap: execvp /b/x: Permission denied")
    assert (denied.message, denied.exit_code) == ('exec: "/b/x": permission denied', 126)
    other = StartFailed.explain("", ["x"])
    assert other.with_words("out of luck").message == f"{other.message}: out of luck"


def test_a_program_gets_the_descriptors_it_is_given():
    read, write = os.pipe()
    pid = spawn([sys.executable, "-c", "import os; os.write(1, os.read(0, 9))"], Stdio(-1, write))
    os.close(write)
    assert os.read(read, 9) == b""
    os.close(read)
    assert reap(pid) == 0


def test_a_program_that_is_not_there_says_so_at_once(tmp_path):
    with pytest.raises(StartFailed, match="cannot start none"):
        spawn([str(tmp_path / "none")], Stdio())


def test_a_signals_exit_code_is_128_and_its_number():
    pid = spawn(["/bin/sh", "-c", "kill -9 $$"], Stdio())
    assert reap(pid) == 137


def test_waiting_for_a_stranger_ends(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert reap(1) == 125


def test_the_last_error_of_a_runtimes_log_is_read(tmp_path):
    log = tmp_path / "log"
    log.write_text('{"level":"warning","msg":"a"}\n{"level":"error","msg":"b"}\n')
    assert last_error(str(log)) == "b"
    log.write_text("plain words\n")
    assert last_error(str(log)) == "plain words"
    assert last_error(str(tmp_path / "none")) == ""


def test_wait_statuses_are_shell_codes():
    assert exit_code(3 << 8) == 3
    assert exit_code(15) == 143


def test_a_limit_beyond_what_this_machine_allows_comes_with_a_hint():
    def before() -> None:
        raise OSError("cannot set RLIMIT_NOFILE: not allowed to raise maximum limit")

    with pytest.raises(StartFailed, match="RLIMIT_NOFILE") as error:
        spawn(["/bin/true"], Stdio(), before=before)
    assert "--ulimit" in error.value.hint
