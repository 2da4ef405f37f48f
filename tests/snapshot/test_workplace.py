"""Things in the making have one owner, and the dead leave nothing for long."""

import os

import pytest
from tests.store.processes import killed_after

from lamina.snapshot.workplace import Workplace


@pytest.fixture
def workplace(tmp_path):
    return Workplace(str(tmp_path))


def test_what_is_not_moved_away_is_removed_with_its_lock(workplace, tmp_path):
    with workplace.place("a") as path:
        os.makedirs(f"{path}/deep")
        os.chmod(path, 0)
    with workplace.place() as path, open(path, "w", encoding="ascii"):
        assert sorted(os.listdir(tmp_path)) == sorted(
            [os.path.basename(path), os.path.basename(path) + ".lock"]
        )
    assert os.listdir(tmp_path) == []


def test_what_was_moved_away_stays(workplace, tmp_path):
    with workplace.place() as path:
        os.mkdir(path)
        os.rename(path, tmp_path / "done")
    assert os.listdir(tmp_path) == ["done"]


def test_a_claim_excludes_others_until_released(workplace):
    class Busy(Exception):
        pass

    def give_up():
        raise Busy

    claim = workplace.claim("a")
    with pytest.raises(Busy):
        workplace.claim("a", waiting=give_up)
    workplace.clean()
    claim.release()
    claim.release()
    workplace.claim("a", waiting=give_up).release()


def test_what_a_killed_process_left_is_cleaned_and_running_work_is_not(workplace, tmp_path):
    def run(told):
        for name in ("file", "folder"):
            workplace.claim(name)
        (tmp_path / "file").write_text("x")
        (tmp_path / "folder" / "below").mkdir(parents=True)
        told()

    killed_after(run, sign="made things")
    with workplace.place("mine") as mine:
        os.mkdir(mine)
        assert len(os.listdir(tmp_path)) == 6
        workplace.clean()
        assert sorted(os.listdir(tmp_path)) == ["mine", "mine.lock"]


def test_a_new_claim_starts_without_what_a_killed_process_left(workplace, tmp_path):
    def run(told):
        workplace.claim("a")
        (tmp_path / "a").mkdir()
        told()

    killed_after(run, sign="made a")
    with workplace.place("a") as path:
        assert not os.path.exists(path)
