"""The contract of a runtime, kept by crun, runc and bubblewrap alike."""

import re
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world

from lamina.errors import Invalid
from lamina.runtime.runtime import RuntimeMissing, choose, find, make


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("runtime"), runtime=request.param) as lamina:
        yield lamina


def test_three_runtimes_are_here_to_be_tested():
    assert RUNTIMES == ("crun", "runc", "bwrap")


def test_the_first_process_is_number_one_with_its_own_names(lamina: Lamina):
    out = lamina("run", "--rm", "-h", "box", "tiny", "sh", "-c", "echo $$ $(hostname) $HOSTNAME")
    assert out == "1 box box\n"


def test_streams_and_the_exit_code_come_through(lamina: Lamina):
    outcome = lamina.attempt(
        "run", "--rm", "-i", "tiny", "sh", "-c", "cat; echo err >&2; exit 7", stdin="in\n"
    )
    assert (outcome.code, outcome.out, outcome.err) == (7, "in\n", "err\n")


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("nosuch", 127, "executable file not found in $PATH"),
        ("/nosuch", 127, "no such file or directory"),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
        ("/etc", 126, 'exec: "/etc": '),
    ],
)
def test_a_program_that_cannot_start_has_dockers_code_and_words(
    lamina: Lamina, program: str, code: int, words: str
):
    outcome = lamina.attempt("run", "--rm", "tiny", program)
    assert outcome.code == code
    assert words in outcome.err.lower() or words in outcome.err


def test_a_process_ended_by_a_signal_gives_128_and_its_number(lamina: Lamina):
    lamina("run", "-d", "--name", "victim", "tiny", "sleep", "100")
    lamina("kill", "victim")
    assert lamina("wait", "victim") == "137\n"
    lamina("rm", "victim")


def test_users_are_looked_up_in_the_image(lamina: Lamina):
    assert "uid=65534(nobody)" in lamina("run", "--rm", "-u", "nobody", "tiny", "id")
    assert "uid=7 gid=8" in lamina("run", "--rm", "-u", "7:8", "tiny", "id")
    outcome = lamina.attempt("run", "--rm", "-u", "joe", "tiny", "id")
    assert "unable to find user joe" in outcome.err


def test_what_docker_forbids_is_forbidden(lamina: Lamina):
    probe = (
        "grep -E 'CapEff|Seccomp:' /proc/self/status;"
        "mount -t tmpfs none /tmp 2>&1; echo 1 > /proc/sys/kernel/domainname; cat /proc/kcore | wc -c;"
        "ls /sys/firmware; unshare -U true; touch /sys/x"
    )
    out = lamina("run", "--rm", "tiny", "sh", "-c", f"({probe}) 2>&1; true")
    effective = int(re.search(r"CapEff:\s+(\w+)", out)[1], 16)  # type: ignore[index]
    assert effective & ~(1 << 27) == 0xA00425FB  # Docker's, CAP_MKNOD aside
    assert re.search(r"Seccomp:\s+2", out)
    assert "permission denied (are you root?)" in out or "Operation not permitted" in out
    assert out.count("Read-only file system") >= 2
    assert "\n0\n" in out
    assert re.search(r"unshare.*not permitted", out)


def test_capabilities_are_added_dropped_and_given_all(lamina: Lamina):
    def effective(*flags: str) -> int:
        out = lamina("run", "--rm", *flags, "tiny", "grep", "CapEff", "/proc/self/status")
        return int(out.split()[1], 16)

    assert effective("--cap-drop", "ALL") == 0
    assert effective("--cap-drop", "all", "--cap-add", "chown") == 1
    assert effective("--cap-add", "SYS_ADMIN") & 1 << 21
    assert effective("--privileged") & 1 << 21


def test_files_can_be_shown_inside_and_the_root_kept_from_writes(lamina: Lamina, tmp_path):
    (tmp_path / "f").write_text("from outside")
    out = lamina(
        "run", "--rm", "--read-only", "--tmpfs", "/run:size=1m", "-v", f"{tmp_path}:/data:ro",
        "tiny", "sh", "-c",
        "cat /data/f; touch /run/x && echo ' run'; touch /x /data/x 2>&1; df -k /run | tail -1",
    )  # fmt: skip
    assert out.startswith("from outside run\n")
    assert out.count("Read-only file system") == 2
    assert " 1024 " in out


def test_an_exec_is_in_the_same_container_with_its_own_user_and_environment(lamina: Lamina):
    lamina("run", "-d", "--name", "host", "-e", "A=1", "-w", "/home", "tiny", "sleep", "100")
    out = lamina("exec", "-e", "B=2", "host", "sh", "-c", "echo $A $B $PWD; echo x > /shared")
    assert out == "1 2 /home\n"
    out = lamina(
        "exec", "-u", "nobody", "-w", "/tmp", "host", "sh", "-c", "id -u; pwd; cat /shared"
    )
    assert out == "65534\n/tmp\nx\n"
    assert lamina.attempt("exec", "host", "sh", "-c", "exit 9").code == 9
    outcome = lamina.attempt("exec", "host", "nosuch")
    assert (outcome.code, "executable file not found in $PATH" in outcome.err) == (127, True)
    outcome = lamina.attempt("exec", "-w", "/nosuch", "host", "id")
    assert (outcome.code, "/nosuch" in outcome.err, "Errno" in outcome.err) == (127, True, False)
    assert lamina("exec", "-i", "host", "cat", stdin="typed") == "typed"
    lamina("exec", "-d", "host", "sh", "-c", "sleep 200")
    assert eventually(lambda: "sleep 200" in lamina("top", "host"))
    lamina("rm", "-f", "host")


def test_a_paused_container_stands_still(lamina: Lamina):
    loop = "i=0; while :; do i=$((i+1)); echo $i > /count; done"
    lamina("run", "-d", "--name", "busy", "tiny", "sh", "-c", loop)
    assert eventually(lambda: lamina.attempt("exec", "busy", "test", "-e", "/count").code == 0)
    lamina("pause", "busy")
    assert "(Paused)" in lamina("ps")

    def count() -> str:
        return lamina("cp", "busy:/count", "-")

    assert count() == count()
    assert "is paused" in lamina.attempt("exec", "busy", "true").err
    lamina("unpause", "busy")
    lamina("rm", "-f", "busy")


def test_nothing_of_a_removed_container_is_left(lamina: Lamina):
    lamina("run", "--rm", "tiny", "sh", "-c", "mkdir -p /a/b; chmod 0 /a; sleep 0")
    assert lamina("ps", "-aq") == ""
    root, run = lamina.settings.root, lamina.settings.run_root
    import os

    assert os.listdir(f"{root}/snapshots/active") == []
    assert os.listdir(f"{root}/containers/names") == []
    assert eventually(lambda: os.listdir(f"{run}/c") == [])


def test_the_best_runtime_is_chosen_and_says_why(monkeypatch):
    assert choose().name == "crun"
    assert choose("bwrap").reason == "asked for by LAMINA_RUNTIME"
    with pytest.raises(Invalid, match="unknown runtime"):
        choose("docker")


def test_without_any_runtime_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("lamina.runtime.runtime.find", lambda name: "")
    with pytest.raises(RuntimeMissing) as caught:
        choose()
    assert "pip install" in caught.value.hint
    with pytest.raises(RuntimeMissing, match="crun is not installed"):
        choose("crun")


def test_the_wheels_bubblewrap_serves_where_none_is_installed(monkeypatch):
    monkeypatch.setattr("lamina.runtime.runtime.which", lambda name: "")
    assert find("bwrap").endswith("bwrap")
    assert find("crun") == ""


def test_each_name_makes_its_runtime():
    assert [make(name, "/x").name for name in ("crun", "runc", "bwrap")] == [
        "crun",
        "runc",
        "bwrap",
    ]
