import itertools
import os
from concurrent.futures import ThreadPoolExecutor

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


def test_who_follows_sees_what_comes_also_in_the_next_file(tmp_path):
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
