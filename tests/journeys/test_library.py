"""Every block of docs/library.md runs, as written, and leaves nothing behind."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import world

TEXT = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# What the guide does not show: a refusal that must leave no container, and input that is never read.
MORE = """
from lamina.runtime.process import StartFailed

with Engine() as engine:
    try:
        engine.containers.run("debian", ["/no/such/program"])
    except StartFailed as error:
        assert error.exit_code == 127
    with engine.containers.run("debian", ["sleep", "1000"], name="known") as box:
        assert engine.containers.get("known").id == box.id
        assert box.exec(["true"], input=bytes(1 << 20)).exit_code == 0
        assert len(box.exec(["cat"], input=bytes(1 << 20)).stdout) == 1 << 20
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Lamina]:
    tmp_path.chmod(0o711)
    with world(tmp_path) as lamina:
        lamina("tag", "tiny", "debian")
        yield lamina


def test_the_guide_runs_as_written_and_leaves_nothing(shelf: Lamina, tmp_path: Path):
    assert len(BLOCKS) == 14
    script = tmp_path / "guide.py"
    script.write_text("\n".join([*BLOCKS, MORE]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(script)],
        env={**shelf.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert shelf("ps", "-aq") == ""
    root = Path(shelf.settings.root)
    assert os.listdir(root / "snapshots/active") == os.listdir(root / "snapshots/frozen") == []
