"""Fixtures of these tests."""

import pytest
from tests.store.disks import mounted


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 8 MB."""
    with mounted(tmp_path / "tiny", "8m") as place:
        yield place
