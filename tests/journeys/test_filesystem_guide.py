"""Every block of docs/guides/filesystem.md runs, as written, and leaves nothing open."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.commands import Lamina
from tests.images import tiny

from lamina.settings import Settings

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "filesystem.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def test_the_guide_to_images_as_files_runs_as_written(settings: Settings, tmp_path: Path):
    lamina = Lamina(settings)
    lamina("import", "-", "debian:12", stdin=tiny())
    assert len(BLOCKS) == 4
    script = tmp_path / "guide.py"
    script.write_text("\n".join(BLOCKS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**lamina.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
