import itertools

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
