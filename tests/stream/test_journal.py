import fcntl
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from lamina.stream import journal


def idents(path, **wanted) -> list[str]:
    return [event["Actor"]["ID"] for event in journal.read(str(path), **wanted)]


def note(path, ident: str, size: int = 0) -> None:
    journal.note(str(path), "container", "start", ident, {"pad": "x" * size})


def test_what_is_noted_is_read_in_order_and_shaped_as_dockers(tmp_path):
    assert idents(tmp_path / "j") == []
    note(tmp_path / "j", "a")
    note(tmp_path / "j", "b", 3)
    assert idents(tmp_path / "j") == ["a", "b"]
    event = list(journal.read(str(tmp_path / "j")))[1]
    assert event["Actor"] == {"ID": "b", "Attributes": {"pad": "xxx"}}
    assert event["time"] == event["timeNano"] // 10**9
    assert oct(os.stat(tmp_path / "j").st_mode)[-3:] == "600"


def test_many_who_note_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: note(tmp_path / "j", str(n), 500), range(200)))
    assert sorted(map(int, idents(tmp_path / "j"))) == list(range(200))


def test_a_large_journal_moves_aside_and_there_are_never_more_than_two(tmp_path):
    for number in range(50):
        note(tmp_path / "j", str(number), 100_000)
    assert sorted(os.listdir(tmp_path)) == ["j", "j.old"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2.3 * 2**20
    seen = idents(tmp_path / "j")
    assert seen == [str(n) for n in range(50 - len(seen), 50)]


def test_who_follows_sees_what_comes_also_in_the_next_file(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_POLL_S", 0.001)
    note(tmp_path / "j", "before")
    numbers = iter(range(30))
    looks = itertools.count()

    def more() -> bool:
        if next(looks) % 6:
            return True
        number = next(numbers, None)
        if number is not None:
            note(tmp_path / "j", str(number), 100_000)
        return number is not None

    assert idents(tmp_path / "j", follow=more, old=False) == [str(n) for n in range(30)]
    assert os.path.exists(tmp_path / "j.old")


def test_a_line_cut_short_is_passed_over_and_noting_fails_nobody(tmp_path):
    (tmp_path / "j").write_bytes(b'{"Type": "con\n')
    note(tmp_path / "j", "a")
    assert idents(tmp_path / "j") == ["a"]
    note(tmp_path / "no/such/folder", "b")


def test_who_sees_a_full_journal_too_late_does_not_put_a_small_one_in_its_place(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "j"
    for number in range(10):
        note(path, str(number), 100_000)
    set_aside = journal._set_aside

    def second(fd: int, name: str) -> None:
        """Be the slower of two that saw the journal full: the other one renamed it just now."""
        other = os.open(path, os.O_WRONLY | os.O_APPEND)
        monkeypatch.setattr(journal, "_set_aside", set_aside)
        os.replace(path, f"{path}.old")
        os.close(other)
        journal.note(str(path), "container", "start", "between", {})
        set_aside(fd, name)

    monkeypatch.setattr(journal, "_set_aside", second)
    note(path, "last", 100_000)
    assert idents(path) == [*(str(n) for n in range(10)), "last", "between"]


def test_a_journal_in_which_somebody_writes_is_not_set_aside_under_his_hands(tmp_path):
    path = tmp_path / "j"
    note(path, "first", 1_000_000)
    busy = journal._open(str(path))
    note(path, "second", 100_000)
    assert not os.path.exists(f"{path}.old")
    os.write(busy, b'{"Actor":{"ID":"late"}}\n')
    os.close(busy)
    note(path, "third")
    assert os.path.exists(f"{path}.old")
    note(path, "fourth")
    assert idents(path) == ["first", "second", "late", "third", "fourth"]


def test_who_opened_the_journal_before_it_moved_writes_into_the_next(tmp_path, monkeypatch):
    path = tmp_path / "j"
    note(path, "before")
    lock = fcntl.flock

    def moved(fd: int, kind: int) -> None:
        monkeypatch.setattr(journal, "flock", lock)
        os.replace(path, f"{path}.old")
        lock(fd, kind)

    monkeypatch.setattr(journal, "flock", moved)
    note(path, "after")
    assert [event["Actor"]["ID"] for event in journal._lines(str(path))] == ["after"]
    assert idents(path) == ["before", "after"]


def test_many_processes_that_note_while_it_moves_lose_nothing(tmp_path):
    path = tmp_path / "j"
    code = (
        "import sys; from lamina.stream import journal\n"
        "for n in range(30): journal.note(sys.argv[1], 'x', 'y', sys.argv[2] + str(n), {'p': 'x' * 9000})"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "abcd"
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert sorted(idents(path)) == sorted(f"{letter}{n}" for letter in "abcd" for n in range(30))
    assert os.path.exists(f"{path}.old")
