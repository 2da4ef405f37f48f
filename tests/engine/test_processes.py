import os

import pytest

from lamina.engine.processes import top
from lamina.errors import Unsupported


class _Inside:
    def __init__(self) -> None:
        self.containers = self

    def processes(self, name: str) -> tuple[int, ...]:
        return (os.getpid(), 2**22 + 1)


def test_only_the_containers_processes_are_shown():
    titles, rows = top(_Inside(), "x", ["-eo", "pid,comm"])  # type: ignore[arg-type]
    assert titles == ("PID", "COMMAND")
    assert [row[0] for row in rows] == [str(os.getpid())]


def test_without_ps_the_kernel_is_read(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    titles, rows = top(_Inside(), "x", [])  # type: ignore[arg-type]
    assert titles == ("UID", "PID", "CMD")
    assert [row[1] for row in rows] == [str(os.getpid())]
    with pytest.raises(Unsupported, match="`ps` is not installed"):
        top(_Inside(), "x", ["-e"])  # type: ignore[arg-type]
