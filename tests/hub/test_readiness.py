"""Whether a process can serve."""

import os
import shutil
import time

from lamina.errors import Unavailable
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.readiness import Readiness
from lamina.hub.storage.disk import DiskStorage


def made(folder) -> tuple[Readiness, SqliteDatabase]:
    database = SqliteDatabase(os.path.join(folder, "hub.db"))
    images = str(folder / "images")
    return Readiness(database, DiskStorage(images), folder=images), database


def test_what_works_has_no_problems_until_it_stops(tmp_path):
    readiness, database = made(tmp_path)
    assert readiness.problems() == {}
    readiness.is_stopping = True
    assert readiness.problems() == {"hub": "it is stopping"}
    database.close()


def test_a_folder_that_went_is_a_problem_of_the_storage(tmp_path):
    readiness, database = made(tmp_path)
    shutil.rmtree(tmp_path / "images")
    assert readiness.problems() == {"storage": "its folder cannot be written"}
    database.close()


def test_a_database_that_does_not_answer_is_said_without_its_address(tmp_path):
    class Gone(SqliteDatabase):
        def read(self, work, *, once=False):
            del work, once
            raise Unavailable("cannot reach postgresql://hub:hunter2@h/c")

    database = Gone(str(tmp_path / "hub.db"))
    readiness = Readiness(database, DiskStorage(str(tmp_path)), folder=str(tmp_path))
    assert readiness.problems() == {"database": "it does not answer"}
    database.close()


def test_many_that_ask_at_once_cost_one_look(tmp_path, monkeypatch):
    readiness, database = made(tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert readiness.problems() == {}
    shutil.rmtree(tmp_path / "images")
    assert readiness.problems() == {}
    monkeypatch.setattr(time, "monotonic", lambda: 101.0)
    assert "storage" in readiness.problems()
    database.close()
