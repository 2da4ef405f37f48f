"""What hostile images and processes are let loose on."""

from pathlib import Path

import pytest

OUTSIDE = "outside"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of this machine's with a secret in it, and nothing else."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "secret").write_text(OUTSIDE)
    return folder
