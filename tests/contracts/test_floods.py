"""Whoever floods is held by its limit: the commands beside it answer, and `rm -f` ends it."""

import os
import subprocess
from contextlib import suppress

import pytest
from tests.containers import RUNTIMES, eventually, world
from tests.probes import PYTHON

from lamina.runtime.cgroups import limitable

FILES = """
import os
try:
    while True: os.open("/", os.O_RDONLY)
except OSError as error: print(error.strerror)
"""


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("floods"), runtime=request.param) as lamina:
        yield lamina


@pytest.mark.root
def test_who_takes_all_memory_is_killed_and_it_is_told(lamina):
    told = lamina.attempt("run", "--name=hog", "-m=16m", "tiny", "tail", "/dev/zero")
    assert told.code == 137
    state = "{{.State.OOMKilled}} {{.State.ExitCode}}"
    assert lamina("inspect", f"-f={state}", "hog") == "true 137\n"
    wanted = ("--since=1h", "--until=0s", "-f=container=hog", "--format={{.Action}}")
    assert lamina("events", *wanted).split()[-3:-1] == ["start", "oom"]
    lamina("rm", "hog")


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_flood_of_lines_keeps_to_the_size_of_its_log(lamina, driver):
    flags = (f"--log-driver={driver}", "--log-opt=max-size=64k", "--log-opt=max-file=2")
    box = lamina("run", "-d", *flags, "tiny", "yes", "x" * 100).strip()
    folder = f"{lamina.settings.root}/containers/{box}"
    logs = lambda: [name for name in os.listdir(folder) if name.startswith("log")]  # noqa: E731
    assert eventually(lambda: len(logs()) > 1)
    for _ in range(20):
        total = 0
        for name in logs():
            with suppress(FileNotFoundError):  # it got another name meanwhile
                total += os.stat(f"{folder}/{name}").st_size
        assert total < 3 * (64 << 10)  # one piece may be on its way from one file to the next
    assert lamina("logs", "--tail=1", box) == "x" * 100 + "\n"
    lamina("rm", "-f", box)


def test_floods_of_bytes_of_files_and_of_descriptors_end_at_their_limits(lamina):
    words = (
        "head -c 9000000 /dev/zero > /small/x || stat -c %s /small/x; "
        "i=0; while [ $i -lt 99 ] && touch /few/$i; do i=$((i+1)); done; echo $i"
    )
    mounts = ("--tmpfs=/small:size=1m", "--tmpfs=/few:nr_inodes=20")
    told = lamina.attempt("run", "--rm", *mounts, "tiny", "sh", "-c", words)
    assert told.out == f"{1 << 20}\n19\n"  # the folder itself takes one of 20
    flags = ("--rm", "--ulimit=nofile=64:64", *PYTHON)
    told = lamina("run", *flags, "tiny", "/usr/bin/python3", "-c", FILES)
    assert told == "Too many open files\n"


def test_limits_that_nobody_can_keep_here_are_named(lamina):
    for name, flag in (("pids", "--pids-limit=20"), ("memory", "-m=32m"), ("cpu", "--cpus=0.5")):
        told = lamina.attempt("run", "--rm", flag, "tiny", "true")
        assert told.code == 0
        assert bool(told.err) == (not limitable((name,)))


def test_a_limit_of_processes_holds_for_a_user_inside(lamina):
    words = "sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & echo all"
    told = lamina.attempt("run", "--rm", "-u=1000", "--ulimit=nproc=3", "tiny", "sh", "-c", words)
    assert "Resource temporarily unavailable" in told.err
    assert told.out == ""
    assert told.code != 0


@pytest.mark.parametrize("blocks", [1, 8, 12])
def test_a_limit_of_file_sizes_is_named_wherever_it_stops_a_start(lamina, blocks):
    """A memory file counts, too: the shim got half of its order, and `run` knew only that it went away."""
    line = ["sh", "-c", f'ulimit -f {blocks} && exec "$@"', "sh"]
    words = lamina.argv("run", "--rm", "tiny", "true")
    done = subprocess.run(
        [*line, *words], env=lamina.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 125)
    assert done.returncode == 0 or "`ulimit -f" in done.stderr
    assert lamina("ps", "-aq") == ""
