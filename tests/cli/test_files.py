"""Files for people appear whole or not at all."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.consoles import Console, text_of
from tests.store.disks import mounted
from tests.store.processes import killed_after

from lamina.cli import files
from lamina.cli.files import OutputRefused, input_file, output_file
from lamina.errors import Invalid, Unavailable
from lamina.stream.files import DiskFull


def test_a_file_gets_its_name_when_the_block_ends_well(tmp_path: Path):
    target = tmp_path / "out"
    with output_file(Console().context(), str(target), what="save") as out:
        out.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_was_there_is_replaced_and_nothing_stays_beside_it(tmp_path: Path):
    target = tmp_path / "out"
    target.write_bytes(b"before")
    with output_file(Console().context(), str(target), what="save") as out:
        out.write(b"whole")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("there", [True, False])
def test_a_symlink_stays_and_what_it_leads_to_is_written(tmp_path: Path, *, there: bool):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "page"
    if there:
        target.write_bytes(b"before")
    link = tmp_path / "out"
    link.symlink_to("far/page")
    with output_file(Console().context(), str(link), what="save") as out:
        out.write(b"whole")
    assert os.readlink(link) == "far/page"
    assert target.read_bytes() == b"whole"
    assert [*(tmp_path / "far").iterdir()] == [target]


def test_what_is_open_already_is_written_into(tmp_path: Path):
    with (tmp_path / "file").open("wb") as file:
        with output_file(Console().context(), f"/dev/fd/{file.fileno()}", what="save") as out:
            out.write(b"whole")
        file.seek(0, os.SEEK_END)
        file.write(b", and more")
    assert (tmp_path / "file").read_bytes() == b"whole, and more"


def test_without_files_that_have_no_name_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files, "_OPEN_FILES", str(tmp_path / "no-proc"))
    test_a_file_gets_its_name_when_the_block_ends_well(tmp_path)
    test_a_failure_keeps_what_was_there_and_leaves_no_part(tmp_path)
    test_a_file_that_was_there_is_replaced_and_nothing_stays_beside_it(tmp_path)


def test_a_replacement_that_fails_leaves_what_was_there_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    target = tmp_path / "out"
    target.write_bytes(b"before")
    monkeypatch.setattr(os, "replace", full)
    with (
        pytest.raises(DiskFull, match=f"no space left on device while writing {target}"),
        output_file(Console().context(), str(target), what="save") as out,
    ):
        out.write(b"whole")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.root
def test_no_room_is_told_with_the_file_that_needed_it(tmp_path: Path):
    with mounted(tmp_path / "tiny", "1m") as disk:
        with (
            pytest.raises(DiskFull, match=f"while writing {disk}/out"),
            output_file(Console().context(), f"{disk}/out", what="save") as out,
        ):
            out.write(bytes(2 << 20))
        assert os.listdir(disk) == []


def test_a_process_that_is_killed_in_the_middle_leaves_nothing(tmp_path: Path):
    def run(told: Callable[[], None]) -> None:
        with output_file(Console().context(), str(tmp_path / "out"), what="save") as out:
            out.write(b"half")
            out.flush()
            told()
            threading.Event().wait(60)

    killed_after(run, sign="wrote")
    assert list(tmp_path.iterdir()) == []


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
