"""Work in other processes: all of it is done, and a failure there is a failure here."""

import errno
import os
import signal
import subprocess
import sys
import threading
from functools import partial

import pytest

from lamina.errors import Corrupt, Unavailable
from lamina.layer.crew import WorkerLost, hands, share_out
from lamina.layer.sealed import SealedLayerCorrupt


def write(path, text):
    path.write_text(f"{text} {os.getpid()}")


def fail(error):
    raise error


def test_every_task_runs_in_a_process_of_its_own(tmp_path):
    share_out([partial(write, tmp_path / name, name) for name in "abc"])
    said = [(tmp_path / name).read_text().split() for name in "abc"]
    assert [word for word, _ in said] == ["a", "b", "c"]
    assert len({pid for _, pid in said} | {str(os.getpid())}) == 4


def test_it_works_in_any_thread(tmp_path):
    thread = threading.Thread(target=share_out, args=([partial(write, tmp_path / "a", "a")],))
    thread.start()
    thread.join()
    assert (tmp_path / "a").exists()


def test_beside_threads_it_works_without_a_warning():
    program = (
        "import os, threading\n"
        "from lamina.layer.crew import share_out\n"
        "ended = threading.Event()\n"
        "threading.Thread(target=ended.wait).start()\n"
        "share_out([lambda: os.write(1, b'done')])\n"
        "ended.set()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"done", b"")


def test_an_error_of_the_system_keeps_number_and_file(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        share_out([partial(os.unlink, tmp_path / "absent")])
    assert raised.value.errno == errno.ENOENT
    assert raised.value.filename == str(tmp_path / "absent")


def test_an_error_of_ours_keeps_kind_words_and_hint(tmp_path):
    tasks = [partial(write, tmp_path / "a", "a"), partial(fail, SealedLayerCorrupt("/x", "torn"))]
    with pytest.raises(Corrupt, match="sealed layer /x: torn") as raised:
        share_out(tasks)
    assert "pull" in raised.value.hint
    assert (tmp_path / "a").exists()


def test_any_other_error_says_what_it_was():
    with pytest.raises(Unavailable, match="ZeroDivisionError: nothing"):
        share_out([partial(fail, ZeroDivisionError("nothing"))])


def test_a_killed_process_is_no_success():
    with pytest.raises(WorkerLost):
        share_out([lambda: os.kill(os.getpid(), signal.SIGKILL)])


def test_there_is_at_least_one_hand():
    assert 1 <= hands() <= 4
