"""`lamina update` of what runs; and `stats`, which shows it."""

import os

import pytest
from tests.commands import Lamina
from tests.images import tiny

from lamina.runtime import hierarchies


def test_without_flags_there_is_nothing_to_do(lamina: Lamina):
    told = lamina.attempt("update", "any")
    assert told.code == 1
    assert "you must provide one or more flags when using this command" in told.err


@pytest.mark.root
def test_limits_of_what_runs_change_at_once_and_stats_shows_them(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    box = lamina("run", "-d", "--pids-limit=50", "tiny", "sleep", "1000").strip()
    assert lamina("update", "-m=64m", "--pids-limit=3", "--restart=always", box) == f"{box}\n"
    folder = hierarchies.bases()["pids"]
    with open(f"{folder}/lamina/{box}/pids.max", encoding="ascii") as file:
        assert file.read() == "3\n"
    form = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}"
    assert lamina("inspect", "-f", form, box) == "67108864 3 always\n"
    shown = lamina("stats", "--no-stream", "--format={{.PIDs}} {{.MemUsage}}", box).strip()
    assert shown.startswith("1 ")
    assert shown.endswith(" / 64MiB")
    refused = lamina.attempt("update", "-m=1m", box)
    assert refused.code == 1
    assert "Minimum memory limit allowed is 6MB" in refused.err
    lamina("rm", "-f", box)
    assert not os.path.exists(f"{folder}/lamina/{box}")
