"""Files for people appear whole or not at all."""

import os
from pathlib import Path

import pytest
from tests.consoles import Console, text_of

from lamina.cli.files import OutputRefused, input_file, output_file
from lamina.errors import Invalid, Unavailable


def test_a_file_gets_its_name_when_the_block_ends_well(tmp_path: Path):
    target = tmp_path / "out"
    with output_file(Console().context(), str(target), what="save") as out:
        out.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_keeps_what_was_there_and_leaves_no_part(tmp_path: Path):
    target = tmp_path / "out"
    target.write_bytes(b"before")
    with (
        pytest.raises(ZeroDivisionError),
        output_file(Console().context(), str(target), what="save") as out,
    ):
        out.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", ["", "-"])
def test_no_name_or_a_dash_is_stdout(path: str):
    context = Console().context()
    with output_file(context, path, what="save") as out:
        out.write(b"data")
    assert text_of(context) == "data"


def test_a_device_is_written_as_it_is():
    with output_file(Console().context(), os.devnull, what="save") as out:
        out.write(b"x")
    assert not os.path.isfile(os.devnull)


def test_a_directory_and_a_missing_folder_are_refused(tmp_path: Path):
    with (
        pytest.raises(OutputRefused, match="is a directory"),
        output_file(Console().context(), str(tmp_path), what="save"),
    ):
        pass
    with (
        pytest.raises(Unavailable, match="cannot write"),
        output_file(Console().context(), str(tmp_path / "no" / "x"), what="save"),
    ):
        pass


def test_input_is_a_file_or_stdin(tmp_path: Path):
    (tmp_path / "in").write_bytes(b"file")
    context = Console().context(stdin=b"stdin")
    with input_file(context, str(tmp_path / "in"), command="load") as stream:
        assert stream.read() == b"file"
    with input_file(context, "-", command="load") as stream:
        assert stream.read() == b"stdin"
    with (
        pytest.raises(Invalid, match="no such file or directory"),
        input_file(context, str(tmp_path / "gone"), command="load"),
    ):
        pass
