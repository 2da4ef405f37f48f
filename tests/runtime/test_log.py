import itertools
import os
import time

from tests.soaking import sized

from lamina.runtime.log import LogWriter, timestamp
from lamina.runtime.log_reading import read_log


def texts(path, **wanted) -> list[str]:
    return [line.text for line in read_log(str(path), **wanted)]


def write(path, *pieces: tuple[int, bytes]) -> None:
    log = LogWriter(str(path))
    for stream, data in pieces:
        log.write(stream, data)
    log.close()


def test_lines_are_joined_from_pieces_and_streams_kept_apart(tmp_path):
    write(tmp_path / "log", (1, b"on"), (2, b"err\n"), (1, b"e\ntwo"))
    rows = [(line.stream, line.text) for line in read_log(str(tmp_path / "log"))]
    assert rows == [("stderr", "err\n"), ("stdout", "one\n"), ("stdout", "two")]


def test_a_long_line_is_written_in_pieces_of_sixteen_kilobytes(tmp_path):
    write(tmp_path / "log", (1, b"x" * 40_000 + b"\n"), (1, b"y" * 20_000))
    found = texts(tmp_path / "log")
    assert [len(text) for text in found] == [40_001, 16_384, 3_616]


def test_bytes_that_are_not_utf8_do_not_stop_the_log(tmp_path):
    write(tmp_path / "log", (1, b"a\xff\x00\r\n"))
    assert texts(tmp_path / "log") == ["a\ufffd\0\r\n"]


def test_the_tail_is_found_from_the_end(tmp_path):
    write(tmp_path / "log", (1, b"".join(b"line %d\n" % n for n in range(5000))))
    assert texts(tmp_path / "log", tail=2) == ["line 4998\n", "line 4999\n"]
    assert texts(tmp_path / "log", tail=0) == []
    assert len(texts(tmp_path / "log", tail=9000)) == 5000
    assert len(texts(tmp_path / "log", tail=3000)) == 3000


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path):
    write(tmp_path / "log", (1, b"whole\n"))
    with (tmp_path / "log").open("ab") as file:
        file.write(
            b'{"log":"half\n{"log":"next\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n'
        )
    assert texts(tmp_path / "log") == ["whole\n", "next\n"]


def test_since_and_until_bound_the_time(tmp_path):
    write(tmp_path / "log", (1, b"old\n"))
    assert texts(tmp_path / "log", since="2020-01-01T00:00:00Z") == ["old\n"]
    assert texts(tmp_path / "log", since="2999-01-01T00:00:00Z") == []
    assert texts(tmp_path / "log", until="2020-01-01T00:00:00Z") == []


def test_following_ends_when_nobody_writes_any_more(tmp_path):
    log = LogWriter(str(tmp_path / "log"))
    log.write(1, b"first\n")
    turns = itertools.count()

    def alive() -> bool:
        if next(turns) == 2:
            log.write(1, b"last\n")
        return next(turns) < 6

    assert texts(tmp_path / "log", follow=alive) == ["first\n", "last\n"]
    log.close()


def test_no_log_is_an_empty_one(tmp_path):
    assert texts(tmp_path / "none") == []


def test_a_timestamp_has_nine_digits_and_is_utc():
    assert timestamp(1_700_000_000_000_000_005) == "2023-11-14T22:13:20.000000005Z"


def test_a_log_that_a_crash_cut_short_loses_no_line_after_it(tmp_path):
    write(tmp_path / "log", (1, b"whole\n"))
    with (tmp_path / "log").open("ab") as file:
        file.write(b'{"log":"ha')
    write(tmp_path / "log", (1, b"next\n"))
    assert texts(tmp_path / "log") == ["whole\n", "next\n"]


def test_a_full_disk_costs_lines_and_not_the_container(tmp_path):
    os.symlink("/dev/full", tmp_path / "log")
    for size in (0, 100):
        log = LogWriter(str(tmp_path / "log"), max_size=size, max_files=3)
        log.write(1, b"lost\n" * 100)
        log.close()
    assert not os.path.exists(tmp_path / "log.1")


def test_a_line_that_the_disk_had_half_room_for_is_ended_before_the_next(tmp_path, monkeypatch):
    log = LogWriter(str(tmp_path / "log"))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:20]))
    log.write(1, b"broken\n")
    monkeypatch.setattr(os, "write", real)
    log.write(1, b"whole\n")
    log.close()
    assert texts(tmp_path / "log") == ["whole\n"]


def flood(path, lines: int, **bounds: object) -> None:
    log = LogWriter(str(path), **bounds)  # type: ignore[arg-type]
    for number in range(lines):
        log.write(1, b"line %d\n" % number)
    log.close()


def test_rotated_files_are_packed_and_read_again_in_order(tmp_path):
    flood(tmp_path / "log", 2000, max_size=20_000, max_files=4, compress=True)
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1.gz", "log.2.gz", "log.3.gz"]
    found = texts(tmp_path / "log")
    assert found == [f"line {n}\n" for n in range(2000 - len(found), 2000)]
    assert len(found) > 400
    for count in (0, 1, 300, len(found), len(found) + 5):
        assert texts(tmp_path / "log", tail=count) == found[len(found) - min(count, len(found)) :]


def test_what_a_killed_shim_had_half_packed_is_packed_by_the_next(tmp_path):
    flood(tmp_path / "log", 300, max_size=20_000, max_files=4)
    assert os.path.exists(tmp_path / "log.1")
    before = texts(tmp_path / "log")
    (tmp_path / "log.1.gz.new").write_bytes(b"half")
    (tmp_path / "log.1.gz").write_bytes(b"an older one")
    flood(tmp_path / "log", 1, max_size=20_000, max_files=4, compress=True)
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1.gz"]
    assert texts(tmp_path / "log") == [*before, "line 0\n"]


def test_a_flood_stays_within_what_was_said(tmp_path):
    size = sized(4, 200) << 20
    log = LogWriter(str(tmp_path / "log"), max_size=1 << 20, max_files=3, compress=True)
    line = os.urandom(150).hex().encode() + b"\n"
    most = 0
    for _ in range(size // len(line) // 100):
        log.write(1, line * 100)
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    log.close()
    assert (1 << 20) < most < 3.1 * (1 << 20)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 << 20


def test_a_reader_that_follows_finds_its_place_among_packed_files(tmp_path):
    path = tmp_path / "log"
    log = LogWriter(str(path), max_size=200, max_files=40, compress=True)
    numbers = iter(range(60))
    looks = itertools.count()

    def more() -> bool:
        """Write some files' worth each third time the reader looks; False at the end."""
        if next(looks) % 3:
            return True
        for _ in range(6):
            number = next(numbers, None)
            if number is None:
                return False
            log.write(1, b"%d\n" % number)
        return True

    assert texts(path, follow=more) == [f"{n}\n" for n in range(60)]
    log.close()


def test_following_until_a_time_ends_then(tmp_path):
    write(tmp_path / "log", (1, b"early\n"))
    soon = timestamp(time.time_ns() + 50_000_000)
    assert texts(tmp_path / "log", until=soon, follow=lambda: True) == ["early\n"]
