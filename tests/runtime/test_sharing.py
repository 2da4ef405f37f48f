"""Namespaces that containers share, with each runtime, as root and as a plain user."""

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress

import pytest
from tests.containers import RUNTIMES, eventually, world
from tests.soak.traces import processes_of

from lamina.runtime import cgroups, sharing, syscalls
from lamina.runtime.process import StartFailed


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("sharing"), runtime=request.param) as command:
        yield command


def state(lamina, name):
    container = json.loads(lamina("inspect", name))[0]["Id"]
    with open(f"{lamina.settings.root}/containers/{container}/state.json", "rb") as file:
        return json.load(file)


def there(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_processes_and_memory_of_another_container_are_seen_and_end_with_it(lamina):
    script = "echo shared > /dev/shm/x; exec sleep 1000"
    lamina("run", "-d", "--name", "lender", "--ipc", "shareable", "tiny", "sh", "-c", script)
    assert eventually(lambda: "sleep 1000" in lamina("top", "lender").replace(script, ""))
    see = "cat /dev/shm/x; tr '\\0' ' ' < /proc/1/cmdline; readlink /proc/self/ns/ipc"
    joined = ("--pid", "container:lender", "--ipc", "container:lender")
    said = lamina("run", "--rm", *joined, "tiny", "sh", "-c", see).splitlines()
    assert said[:1] == ["shared"]
    assert said[1].startswith("sleep 1000 ipc:")
    assert said[1].endswith(lamina("exec", "lender", "readlink", "/proc/self/ns/ipc").strip())
    lamina("run", "-d", "--name", "guest", *joined, "tiny", "sleep", "999")
    assert eventually(lambda: "sleep 999" in lamina("top", "guest"))
    assert "sleep 1000" not in lamina("top", "guest")
    assert lamina("exec", "guest", "cat", "/dev/shm/x") == "shared\n"
    lamina("kill", "lender")
    assert lamina("wait", "guest") == "137\n"
    lamina("rm", "guest", "lender")


def test_what_joined_others_leaves_no_folder_behind(lamina):
    lamina("run", "-d", "--name", "host", "--ipc", "shareable", "tiny", "sleep", "1000")
    before = os.listdir(f"{lamina.settings.run_root}/c")
    for kind in ("pid", "ipc"):
        lamina("run", "--rm", f"--{kind}", "container:host", "tiny", "true")
    # What was borrowed was mounted there, and what has a mount in it is not removed.
    assert eventually(lambda: os.listdir(f"{lamina.settings.run_root}/c") == before)
    lamina("rm", "-f", "host")


def test_the_machines_namespaces_are_had_when_asked_for(lamina):
    words = (
        "readlink /proc/self/ns/pid",
        "readlink /proc/self/ns/uts",
        "readlink /proc/self/ns/ipc",
    )
    shared = ("--pid", "host", "--uts", "host", "--ipc", "host")
    said = lamina("run", "--rm", *shared, "tiny", "sh", "-c", "; ".join(words)).split()
    assert said == [os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "uts", "ipc")]


def test_what_the_first_process_leaves_among_the_machines_ends_with_the_container(lamina):
    lamina(
        "run",
        "-d",
        "--name",
        "shared",
        "--pid",
        "host",
        "tiny",
        "sh",
        "-c",
        "sleep 997 & sleep 996",
    )
    assert eventually(lambda: "sleep 997" in lamina("top", "shared"))
    pids = [int(line.split()[1]) for line in lamina("top", "shared").splitlines()[1:]]
    lamina("kill", "shared")
    lamina("wait", "shared")
    assert eventually(lambda: not any(map(there, pids)))
    lamina("rm", "shared")


def test_a_shim_that_is_killed_among_the_machines_processes_leaves_none(lamina):
    lamina(
        "run", "-d", "--name", "lost", "--pid", "host", "tiny", "sh", "-c", "sleep 995 & sleep 994"
    )
    assert eventually(lambda: "sleep 995" in lamina("top", "lost"))
    pids = [int(line.split()[1]) for line in lamina("top", "lost").splitlines()[1:]]
    os.kill(state(lamina, "lost")["shim"], signal.SIGKILL)
    assert eventually(lambda: not any(map(there, pids)))
    assert "Exited (137)" in lamina("ps", "-a", "--filter", "name=lost")
    lamina("start", "lost")
    lamina("rm", "-f", "lost")


def processes(lamina, *names):
    """Give the engine's processes that are called by one of `names`."""
    rows = [row.split(" ", 1) for row in processes_of(lamina)]
    return {int(pid) for pid, words in rows if words.startswith(tuple(f"({n}" for n in names))}


def page(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return sock.makefile().read()
    except OSError:
        return ""


def test_what_carries_packets_and_ports_outlives_a_first_process_among_anothers(lamina):
    """Without a group everything below the shim was killed with it, the carriers of its ports too."""
    lamina("run", "-d", "--name", "lender", "--network", "none", "tiny", "sleep", "1000")
    serve = "sleep 993 & echo life > index.html; exec httpd -f -p 80"
    flags = (
        "--pid",
        "container:lender",
        "-p",
        "127.0.0.1::80",
        "--restart",
        "always",
        "-w",
        "/www",
    )
    lamina("run", "-d", "--name", "again", *flags, "tiny", "sh", "-c", serve)
    port = int(lamina("port", "again", "80").rpartition(":")[2])
    assert eventually(lambda: page(port).endswith("life\n"))
    carriers = processes(lamina, "lamina-ports", "pas")
    assert carriers
    first = state(lamina, "again")["pid"]
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: state(lamina, "again")["pid"] not in (0, first))
    assert eventually(lambda: page(port).endswith("life\n"))
    assert processes(lamina, "lamina-ports", "pas") == carriers
    assert eventually(lambda: lamina("top", "again").count("sleep 993\n") == 1)
    lamina("rm", "-f", "again")
    assert eventually(lambda: not processes(lamina, "lamina-ports", "pas", "lamina-net"))
    lamina("rm", "-f", "lender")


def test_a_container_sees_its_own_groups_and_cannot_write_them(lamina):
    if not cgroups.limitable(("memory",)):
        assert lamina("run", "--rm", "tiny", "true") == ""
        return
    look = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; grep -c :/$ /proc/self/cgroup"
    found = lamina.attempt(
        "run", "--rm", "-m", "64m", "--cgroupns", "private", "tiny", "sh", "-c", look
    )
    limit, groups = found.out.split()
    assert int(limit) == 64 << 20
    assert int(groups) > 0
    write = (
        "test -d /sys/fs/cgroup/memory && cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; mkdir x"
    )
    assert lamina.attempt("run", "--rm", "-m", "64m", "tiny", "sh", "-c", write).code == 1


def test_groups_below_a_parent_of_ones_own_go_with_the_container(lamina):
    if not cgroups.limitable(("memory",)):
        assert lamina("run", "--rm", "--cgroup-parent", "/jobs", "tiny", "true") == ""
        return
    parent = f"lamina-test-{os.getpid()}/night"
    lamina(
        "run",
        "-d",
        "--name",
        "job",
        "--cgroup-parent",
        parent,
        "-m",
        "64m",
        "tiny",
        "sleep",
        "1000",
    )
    pid = state(lamina, "job")["pid"]
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        assert f"/{parent}/" in file.read()
    assert "64MiB" in lamina("stats", "--no-stream", "job")
    os.kill(state(lamina, "job")["shim"], signal.SIGKILL)
    lamina("rm", "-f", "job")
    left = []
    for name in ("", *os.listdir("/sys/fs/cgroup")):
        folder = f"/sys/fs/cgroup/{name}/{parent}"
        if os.path.isdir(folder):
            left += [path for path in os.scandir(folder) if path.is_dir()]
            for path in (folder, os.path.dirname(folder)):
                with suppress(OSError):
                    os.rmdir(path)
    assert not left


def test_where_no_namespaces_may_be_made_it_is_said_what_the_outer_container_lacks(monkeypatch):
    def refuse(_flags):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(syscalls, "unshare", refuse)
    with pytest.raises(StartFailed, match="as is usual in a container") as caught:
        sharing.unshare({"bundle": {"pid": ""}})
    assert "--privileged" in caught.value.hint
    assert "pull, push" in StartFailed.wrap("cannot prepare", caught.value).hint


CHROOT = r"""
mount -t tmpfs none "$1"
for name in /*; do
  if [ -L "$name" ]; then cp -d "$name" "$1"
  elif [ -d "$name" ] && [ "$name" != /lost+found ]; then mkdir "$1$name"; mount --rbind "$name" "$1$name"
  fi
done
shift
exec chroot "$OLDPWD" "$@"
"""
STORY = r"""
"$@" run -d --name box tiny sleep 1000 > /dev/null
"$@" exec box ls /
"$@" cp box:/etc/group - | tar t
"$@" rm -f box
while grep -q "$LAMINA_RUN_ROOT/layers/" /proc/self/mountinfo; do sleep 0.1; done
"""


@pytest.mark.root
def test_an_exec_stays_inside_where_this_machine_is_a_chroot(lamina, tmp_path):
    """It was on the machine: who enters a mount namespace comes to its root, not to that of a chroot."""
    (tmp_path / "chroot").mkdir()
    inside = ["sh", "-ec", STORY, "sh", *lamina.argv()]
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-ec",
            f'cd "$1"; cd /; {CHROOT}',
            "sh",
            tmp_path / "chroot",
            *inside,
        ],
        capture_output=True,
        text=True,
        env=lamina.environ,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done
    here = lamina("run", "--rm", "tiny", "ls", "/").split()
    assert done.stdout.split() == [*here, "group", "box"]
