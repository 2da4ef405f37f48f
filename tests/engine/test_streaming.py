"""Processes read while they run, and the other handy methods of a container in Python's hand."""

import io

import pytest
from tests.containers import world

from lamina.engine.engine import Engine
from lamina.runtime.process import StartFailed


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streaming")
    with world(folder) as lamina:
        lamina("run", "-d", "--name", "box", "tiny", "sleep", "1000")
        with Engine(lamina.settings) as engine:
            yield engine.containers.get("box")


def test_output_comes_as_it_is_written_and_input_goes_in(box):
    script = "echo ready; read word; echo got $word >&2; exit 7"
    with box.stream(["sh", "-c", script], stdin=True) as process:
        pieces = iter(process)
        assert next(pieces) == ("stdout", b"ready\n")
        code = process.exit_code
        assert code is None
        process.send(b"it\n")
        assert list(pieces) == [("stderr", b"got it\n")]
        assert process.exit_code == process.wait() == 7
        process.send(b"too late")
    with box.stream(["cat"], stdin=True) as process:
        process.send(b"x" * 100_000)
        process.end_input()
        assert sum(len(data) for _, data in process) == 100_000


def test_what_cannot_start_is_an_error_at_once(box):
    with pytest.raises(StartFailed) as caught:
        box.stream(["/none"])
    assert caught.value.exit_code == 127


@pytest.mark.root  # a plain user's test process, with its threads, cannot enter a user namespace
def test_a_container_is_asked_looked_at_and_renamed_by_its_methods(box):
    assert box.inspect()["State"]["Running"]
    assert next(box.stats(every_s=0)).threads > 0
    box.rename("other")
    assert box.name == "other"
    out = io.BytesIO()
    box.export(out)
    assert b"bin/sh" in out.getvalue()
    box.restart(timeout_s=0)
    assert box.state.is_running
    box.kill()
    box.wait()
    assert list(box.stats()) == []
