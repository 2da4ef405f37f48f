"""`lamina export` writes the merged tree as one tar."""

import io
import tarfile
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import tiny

pytestmark = pytest.mark.root


def test_the_tar_holds_image_and_changes(lamina: Lamina, tmp_path: Path):
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("run", "--name", "c1", "tiny:1", "/bin/sh", "-c", "echo hi > /new; rm /etc/group")
    assert lamina("export", "-o", str(tmp_path / "c.tar"), "c1") == ""
    data = (tmp_path / "c.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:  # noqa: TID251 - another reader
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert {"new", "bin/busybox"} <= names
    assert "etc/group" not in names


def test_no_container_means_no_file(lamina: Lamina, tmp_path: Path):
    outcome = lamina.attempt("export", "-o", str(tmp_path / "c.tar"), "nosuch")
    assert outcome.code == 1
    assert not (tmp_path / "c.tar").exists()
