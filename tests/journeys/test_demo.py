"""`make demo` as a person runs it: the whole story, offline, and nothing left behind."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import unmount_below

DEMO = Path(__file__).resolve().parent.parent.parent / "tools" / "demo.py"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, for the demo to put its own into."""
    with tempfile.TemporaryDirectory(prefix="lamina-") as folder:
        yield Path(folder)
        unmount_below(Path(folder))


@pytest.mark.parametrize("runtime", ["", "bwrap"])
def test_the_story_plays_by_itself_and_leaves_nothing_behind(place: Path, runtime: str):
    environ = {**os.environ, "DEMO_OFFLINE": "1", "TMPDIR": str(place), "LAMINA_RUNTIME": runtime}
    done = subprocess.run(
        [sys.executable, str(DEMO)], env=environ, stdin=subprocess.DEVNULL, timeout=200,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    said = done.stdout
    assert "Hello, Ada" in said
    assert "Hello, Grace" in said
    assert "ValueError: malformed node" in said
    pushed, pulled = re.search(r"patched: digest: (\S+)", said), re.search(r"Digest: (\S+)", said)
    assert pushed
    assert pulled
    assert pushed[1] == pulled[1]
    assert re.search(r"The page: http://127\.0\.0\.1:\d+/alice/greet", said)
    assert "by alice" in said
    assert list(place.iterdir()) == []


def test_a_step_that_fails_ends_the_story_with_the_command_and_nothing_stays(place: Path):
    environ = {**os.environ, "DEMO_OFFLINE": "1", "TMPDIR": str(place), "LAMINA_RUNTIME": "none"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], env=environ, stdin=subprocess.DEVNULL, timeout=200,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "demo: this command ended with" in done.stderr
    assert list(place.iterdir()) == []
