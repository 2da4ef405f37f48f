"""`lamina save` writes archives that stdout, files and other tools take."""

import io
import os
import pty
import tarfile
from pathlib import Path

from tests.commands import Lamina
from tests.consoles import Console


def names_in(data: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:  # noqa: TID251 - another reader
        return set(archive.getnames())


def test_a_file_and_stdout_get_the_same_bytes(shelf: Console, tmp_path: Path):
    target = tmp_path / "out.tar"
    assert shelf("save", "-o", str(target), "mysql") == ""
    context = shelf.context()
    from lamina.cli.main import main

    assert main(["save", "mysql"], context) == 0
    buffer = context.binary_out
    assert isinstance(buffer, io.BytesIO)
    assert buffer.getvalue() == target.read_bytes()
    assert {"manifest.json", "index.json", "oci-layout"} <= names_in(target.read_bytes())


def test_the_oci_form_has_no_docker_manifest(shelf: Console, tmp_path: Path):
    target = tmp_path / "out.tar"
    shelf("save", "--format=oci", "-o", str(target), "mysql")
    assert "manifest.json" not in names_in(target.read_bytes())
    assert shelf.run("save", "--format=zip", "-o", str(target), "mysql").code == 1


def test_a_failure_leaves_neither_file_nor_part(shelf: Console, tmp_path: Path):
    target = tmp_path / "out.tar"
    assert shelf.run("save", "-o", str(target), "mysql", "nosuch").code == 1
    assert shelf.run("save", "--format=zip", "-o", str(target), "mysql").code == 1
    assert list(tmp_path.glob("out*")) == []


def test_a_terminal_is_refused(shelf: Console, lamina: Lamina):
    import subprocess

    outer, inner = pty.openpty()
    done = subprocess.run(
        lamina.argv("save", "mysql"),
        env=lamina.environ,
        stdout=inner,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(outer)
    os.close(inner)
    assert done.returncode == 1
    assert done.stderr.startswith(b"lamina: cowardly refusing to save to a terminal")
