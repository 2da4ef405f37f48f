import gzip
import os
from collections.abc import Iterator

import pytest

from lamina.runtime.log_files import LogFile, PackedLogFile, PlainLogFile, is_same, open_log_file
from lamina.runtime.log_packing import Packing

LINES = [b"%d\n" % number for number in range(40_000)]


@pytest.fixture(params=["plain", "packed"])
def file(request, tmp_path) -> Iterator[LogFile]:
    path = tmp_path / "log.1"
    path.write_bytes(b"".join(LINES))
    if request.param == "packed":
        Packing(str(path)).finish()
    found = open_log_file(str(tmp_path / "log"), 1)
    assert found is not None
    yield found
    found.close()


def rest(file: LogFile) -> bytes:
    pieces = []
    while data := file.read():
        pieces.append(data)
    return b"".join(pieces)


def test_a_file_is_read_in_pieces_to_its_end(file: LogFile):
    assert file.has_more()
    assert rest(file) == b"".join(LINES)
    assert not file.has_more()
    assert file.read() == b""


@pytest.mark.parametrize("count", [0, 1, 2, 7000, 39_999, 40_000, 50_000])
def test_the_last_lines_are_found_and_counted(file: LogFile, count: int):
    assert file.skip_to_last(count) == min(count, len(LINES))
    assert rest(file) == b"".join(LINES[max(0, len(LINES) - count) :])


def test_looking_ahead_loses_nothing(file: LogFile):
    first = file.read()
    assert file.has_more()
    assert first + rest(file) == b"".join(LINES)


def test_a_file_is_known_again_when_it_is_packed(tmp_path):
    path = tmp_path / "log.1"
    path.write_bytes(b"x\n")
    before = open_log_file(str(tmp_path / "log"), 1)
    Packing(str(path)).finish()
    after = open_log_file(str(tmp_path / "log"), 1)
    assert before is not None
    assert after is not None
    assert isinstance(before, PlainLogFile)
    assert isinstance(after, PackedLogFile)
    assert before.identity == after.identity
    for file in (before, after):
        assert file.read() == b"x\n"
        file.close()


def test_a_newer_file_that_got_the_number_of_a_packed_one_is_another(tmp_path):
    """Inodes are given out again: lines of a whole file were once left out for it."""
    (tmp_path / "log.1").write_bytes(b"older\n")
    number = os.stat(tmp_path / "log.1").st_ino
    Packing(str(tmp_path / "log.1")).finish()
    newer = tmp_path / "log"
    newer.write_bytes(b"newer\n")
    data = (tmp_path / "log.1.gz").read_bytes()
    noted, taken = (one.to_bytes(8, "little") for one in (number, os.stat(newer).st_ino))
    assert data.count(noted) == 1
    (tmp_path / "log.1.gz").write_bytes(data.replace(noted, taken))
    plain, packed = (open_log_file(str(newer), place) for place in (0, 1))
    assert plain is not None
    assert packed is not None
    assert plain.identity == packed.identity
    assert not is_same(plain, packed)
    assert is_same(packed, packed)
    plain.close()
    packed.close()


def test_the_plain_file_is_taken_where_a_kill_left_both(tmp_path):
    (tmp_path / "log.1").write_bytes(b"x\n")
    (tmp_path / "log.1.gz").write_bytes(b"half")
    file = open_log_file(str(tmp_path / "log"), 1)
    assert isinstance(file, PlainLogFile)
    file.close()


def test_no_file_is_none_and_the_one_that_is_written_is_never_packed(tmp_path):
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"x\n"))
    assert open_log_file(str(tmp_path / "log"), 0) is None
    assert open_log_file(str(tmp_path / "log"), 1) is None


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: data[:9000] + b"\xff" * 99]
)
def test_a_damaged_packed_file_ends_where_the_damage_is(tmp_path, damage):
    data = b"".join(LINES)
    (tmp_path / "log.1.gz").write_bytes(damage(gzip.compress(data)))
    file = open_log_file(str(tmp_path / "log"), 1)
    assert file is not None
    found = rest(file)
    assert found
    assert data.startswith(found[: len(found) // 2])
    assert file.skip_to_last(3) in range(4)
    file.close()


def test_each_files_descriptor_is_closed_by_its_owner(tmp_path):
    (tmp_path / "log").write_bytes(b"x\n")

    def opened() -> int:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sum(os.path.realpath(link) == str(tmp_path / "log") for link in links)

    file = open_log_file(str(tmp_path / "log"), 0)
    assert file is not None
    assert opened() == 1
    file.close()
    assert opened() == 0
