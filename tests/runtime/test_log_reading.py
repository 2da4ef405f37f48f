import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.runtime.log import LogWriter
from lamina.runtime.log_reading import read_log


def texts(path, **wanted) -> list[str]:
    return [line.text.strip() for line in read_log(str(path), **wanted)]


@pytest.fixture
def rotated(tmp_path):
    """A log of the lines 0 to 99 in four files of about ten lines; the oldest are gone."""
    path = tmp_path / "log"
    writer = LogWriter(str(path), max_size=700, max_files=4)
    for number in range(100):
        writer.write(1, b"%d\n" % number)
    writer.close()
    return path


def test_files_are_no_larger_and_no_more_than_was_said(rotated):
    files = sorted(os.listdir(rotated.parent))
    assert files == ["log", "log.1", "log.2", "log.3"]
    assert all((rotated.parent / name).stat().st_size <= 700 for name in files)


def test_all_files_are_read_in_order_and_tail_counts_across_them(rotated):
    lines = texts(rotated)
    assert lines == [str(n) for n in range(100 - len(lines), 100)]
    assert len(lines) > 20
    for count in range(len(lines) + 3):
        assert texts(rotated, tail=count) == lines[len(lines) - min(count, len(lines)) :]


def test_a_single_file_is_emptied(tmp_path):
    writer = LogWriter(str(tmp_path / "log"), max_size=700)
    for number in range(100):
        writer.write(1, b"%d\n" % number)
    assert os.listdir(tmp_path) == ["log"]
    assert texts(tmp_path / "log")[-1] == "99"
    assert (tmp_path / "log").stat().st_size <= 700
    writer.close()


def test_a_reader_that_follows_misses_nothing_when_the_log_moves_on(tmp_path):
    path = tmp_path / "log"
    writer = LogWriter(str(path), max_size=200, max_files=4)
    numbers = iter(range(40))
    looks = itertools.count()

    def more() -> bool:
        """Write two more lines, about one file, each third time the reader looks; False at the end."""
        if next(looks) % 3:
            return True
        first = next(numbers, None)
        if first is not None:
            writer.write(1, b"%d\n%d\n" % (first, next(numbers)))
        return first is not None

    assert texts(path, follow=more) == [str(n) for n in range(40)]
    writer.close()
    assert len(os.listdir(tmp_path)) == 4


@given(
    st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=30),
    st.integers(1, 600),
    st.integers(1, 5),
    st.integers(0, 40),
)
def test_what_is_left_is_always_the_end_of_what_was_written(
    tmp_path_factory, lines, size, files, tail
):
    path = str(tmp_path_factory.mktemp("log") / "log")
    writer = LogWriter(path, max_size=size, max_files=files)
    for line in lines:
        writer.write(1, line + b"\n")
    writer.close()
    written = [line.decode("utf-8", "replace") + "\n" for line in lines]
    left = [line.text for line in read_log(path)]
    assert left == written[len(written) - len(left) :]
    assert [line.text for line in read_log(path, tail=tail)] == left[max(0, len(left) - tail) :]


def test_attributes_go_with_each_line(tmp_path):
    writer = LogWriter(str(tmp_path / "log"), attributes={"tier": "1"})
    writer.write(2, b"x\n")
    writer.close()
    (line,) = read_log(str(tmp_path / "log"))
    assert (line.stream, line.attributes) == ("stderr", {"tier": "1"})


def test_no_log_is_no_lines(tmp_path):
    assert texts(tmp_path / "log") == []
    assert texts(tmp_path / "log", tail=3) == []
