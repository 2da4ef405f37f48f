"""`lamina load` tells the names it brought."""

from pathlib import Path

from tests.archives import archive
from tests.commands import Lamina


def test_loaded_names_are_told_once_each(lamina: Lamina, tmp_path: Path):
    source = tmp_path / "in.tar"
    source.write_bytes(archive("a:1", "example.com/b:2"))
    expected = "Loaded image: a:1\nLoaded image: example.com/b:2\n"
    assert lamina("load", "-i", str(source)) == expected
    assert lamina("load", stdin=source.read_bytes()) == expected
    assert lamina("load", "-q", "--input", str(source)) == expected


def test_an_image_without_a_name_is_told_by_its_id(lamina: Lamina):
    assert lamina("load", stdin=archive()).startswith("Loaded image ID: sha256:")


def test_what_was_saved_is_loaded_again(lamina: Lamina, tmp_path: Path):
    lamina("load", stdin=archive("a:1"))
    lamina("save", "-o", str(tmp_path / "s.tar"), "a:1")
    lamina("rmi", "a:1")
    assert lamina("load", "-i", str(tmp_path / "s.tar")) == "Loaded image: a:1\n"


def test_what_is_no_archive_is_refused(lamina: Lamina, tmp_path: Path):
    outcome = lamina.attempt("load", "-i", str(tmp_path / "nosuch"))
    assert outcome.code == 1
    assert outcome.err == f"lamina: open {tmp_path}/nosuch: no such file or directory\n"
    assert lamina.attempt("load", stdin=b"not a tar" * 1000).code == 1
