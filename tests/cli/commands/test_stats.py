"""`lamina stats` of nothing, and of what does not run."""

import json
import subprocess

import pytest
from tests.commands import Lamina
from tests.images import tiny


def test_nothing_runs_nothing_is_shown(lamina: Lamina):
    assert lamina("stats", "--no-stream").split()[:3] == ["CONTAINER", "ID", "NAME"]
    assert lamina.attempt("stats", "--no-stream", "none").code == 1


@pytest.mark.root
def test_what_does_not_run_uses_nothing(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    lamina("create", "--name=idle", "tiny", "x")
    assert lamina("stats", "--no-stream", "--format={{.Name}}") == ""
    form = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}"
    assert lamina("stats", "-a", "--no-stream", f"--format={form}") == "idle 0.00% 0B / 0B 0\n"


@pytest.mark.root
def test_the_fields_are_dockers_and_a_container_is_called_as_it_was_asked_for(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    ident = lamina("create", "--name=named", "tiny", "x").strip()
    row = json.loads(lamina("stats", "--no-stream", "--format=json", "named"))
    assert list(row) == [
        *("BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"),
    ]
    assert (row["Container"], row["ID"]) == ("named", ident[:12])
    whole = lamina("stats", "-a", "--no-stream", "--no-trunc", "--format={{.Container}} {{.ID}}")
    assert whole == f"{ident} {ident}\n"
    assert (
        "can't evaluate field Nope"
        in lamina.attempt("stats", "--no-stream", "--format={{.Nope}}", "named").err
    )


@pytest.mark.root
def test_a_stream_ends_when_all_it_was_asked_for_are_gone(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    lamina("create", "--name=short", "tiny", "x")
    line = lamina.argv("stats", "--format={{.Name}}", "short")
    stream = subprocess.Popen(line, env=lamina.environ, stdout=subprocess.PIPE)
    assert stream.stdout is not None
    assert stream.stdout.readline() == b"short\n"
    lamina("rm", "short")
    assert set(stream.communicate()[0].split()) <= {b"short"}
    assert stream.returncode == 0
