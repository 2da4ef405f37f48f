"""`lamina stats` of nothing, and of what does not run."""

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
