"""Fixtures of the store's tests."""

import subprocess

import pytest


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 8 MB."""
    place = tmp_path / "tiny"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tiny", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)
