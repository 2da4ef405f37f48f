"""Atomic files, locks, and trees that resist removal."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from functools import partial

import pytest

from lamina.errors import Denied, Unavailable
from lamina.stream.files import (
    DiskFull,
    acquire,
    disk_errors,
    locked,
    publish,
    remove_tree,
    replace,
    together,
    write_all,
    write_out,
)


def test_replace_shows_the_old_or_the_new_content_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "a"
    replace(str(path), b"one")
    replace(str(path), b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_writer_left_beside_is_overwritten(tmp_path):
    path, beside = tmp_path / "a", tmp_path / "b"
    beside.write_bytes(b"a half, and longer than the new content")
    replace(str(path), b"whole", beside=str(beside))
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_replace_keeps_the_old_content(tmp_path):
    path = tmp_path / "a"
    path.mkdir()  # a rename of a file over a directory fails
    with pytest.raises(OSError, match="directory"):
        replace(str(path), b"x")
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_and_a_refused_write_become_errors_with_a_hint():
    storing = "no space left on device while storing"
    with pytest.raises(DiskFull, match=storing) as full, disk_errors("storing"):
        raise OSError(errno.ENOSPC, "full")
    assert isinstance(full.value, Unavailable)
    assert "prune" in full.value.hint
    with pytest.raises(Denied, match="permission denied while storing: /x"), disk_errors("storing"):
        raise OSError(errno.EACCES, "no", "/x")
    with pytest.raises(IsADirectoryError), disk_errors("storing"):
        raise OSError(errno.EISDIR, "other")


def test_write_all_goes_on_after_a_short_write(tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with pytest.raises(BlockingIOError):  # the first part was taken, the second one refused
        write_all(write, bytes(5000))
    assert len(os.read(read, 9999)) == 4096
    os.close(read)
    os.close(write)


def test_a_lock_excludes_threads_of_one_process_and_shared_locks_go_together(tmp_path):
    path = str(tmp_path / "lock")
    with locked(path, shared=True), locked(path, shared=True), pytest.raises(BlockingIOError):
        acquire(path, wait=False)
    os.close(acquire(path, wait=False))


def test_a_waiter_may_give_up(tmp_path):
    path = str(tmp_path / "lock")

    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with locked(path), pytest.raises(Stop):
        acquire(path, waiting=stop)
    os.close(acquire(path, waiting=stop))


def test_who_waited_for_a_file_that_was_renamed_locks_the_new_one(tmp_path):
    path, moved = str(tmp_path / "up"), str(tmp_path / "blob")
    first = acquire(path)
    got = []
    thread = threading.Thread(target=lambda: got.append(acquire(path)))
    thread.start()
    while thread.is_alive() and not _someone_waits(path):
        pass
    publish(path, moved)
    os.close(first)
    thread.join()
    assert os.path.samestat(os.fstat(got[0]), os.stat(path))
    assert not os.path.samestat(os.fstat(got[0]), os.stat(moved))
    os.close(got[0])


def _someone_waits(path):
    inode = str(os.stat(path).st_ino)
    with open("/proc/locks", encoding="ascii") as rows:
        return any("->" in row and f":{inode} " in row for row in rows)


def test_an_absent_lock_file_is_not_made_when_asked_not_to(tmp_path):
    with pytest.raises(FileNotFoundError):
        acquire(str(tmp_path / "none"), create=False)
    assert os.listdir(tmp_path) == []


def test_remove_tree_takes_unreadable_deep_and_linked_trees_and_nothing_else(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "link").symlink_to(outside)
    (top / "a" / "file").write_text("x")
    os.mkfifo(top / "pipe")
    (top / "dead").symlink_to("nowhere")
    deep = os.open(top, os.O_RDONLY)
    for _ in range(2000):  # longer than PATH_MAX, deeper than Python recurses
        os.mkdir("deep", dir_fd=deep)
        below = os.open("deep", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    (top / "a" / "b").chmod(0)
    top.chmod(0)
    remove_tree(str(top))
    assert os.listdir(tmp_path) == ["outside"]
    assert os.listdir(outside) == ["keep"]


def test_remove_tree_takes_what_somebody_puts_there_meanwhile(tmp_path, monkeypatch):
    (tmp_path / "top" / "below").mkdir(parents=True)
    removed = os.rmdir
    late = [tmp_path / "top" / "below" / "late", tmp_path / "top" / "late"]

    def busy(path, *, dir_fd=None):
        if late:
            late.pop(0).touch()
        removed(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", busy)
    remove_tree(str(tmp_path / "top"))
    assert not late
    assert os.listdir(tmp_path) == []


def test_remove_tree_gives_up_on_what_never_stays_empty(tmp_path, monkeypatch):
    (tmp_path / "top").mkdir()
    removed = os.rmdir

    def busy(path, *, dir_fd=None):
        (tmp_path / "top" / "late").touch()
        removed(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", busy)
    with pytest.raises(OSError, match="not empty"):
        remove_tree(str(tmp_path / "top"))


@pytest.mark.parametrize("call", ["unlink", "rename", "rmdir", "scandir"])
def test_two_may_remove_one_tree(tmp_path, monkeypatch, call: str):
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "f").touch()
    (tmp_path / "top" / "a" / "g").touch()
    original = getattr(os, call)

    def late(*arguments, **options):
        monkeypatch.setattr(os, call, original)
        remove_tree(str(tmp_path / "top"))
        return original(*arguments, **options)

    monkeypatch.setattr(os, call, late)
    remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == []


def test_remove_tree_of_nothing_is_fine_and_of_a_symlink_is_refused(tmp_path):
    remove_tree(str(tmp_path / "none"))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "real").is_dir()


def test_descriptors_of_locks_do_not_pass_to_programs_we_start(tmp_path):
    fd = acquire(str(tmp_path / "lock"))
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)


def test_together_runs_all_and_raises_the_first_failure():
    done: list[int] = []

    def fail() -> None:
        raise KeyError("no room")

    together(partial(done.append, 1), partial(done.append, 2), partial(done.append, 3))
    assert sorted(done) == [1, 2, 3]
    with pytest.raises(KeyError, match="no room"):
        together(partial(done.append, 4), fail, partial(done.append, 5))
    assert sorted(done) == [1, 2, 3, 4, 5]
    together()


def test_what_the_disk_was_told_to_begin_with_is_kept(tmp_path):
    path = tmp_path / "a"
    data = os.urandom(1024 * 1024) * 20
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        for at in range(0, len(data), 1024 * 1024):
            write_all(fd, data[at : at + 1024 * 1024])
            write_out(fd, at, at + 1024 * 1024)
        assert os.pread(fd, len(data), 0) == data
        with pytest.raises(OSError, match="Bad file descriptor"):
            write_out(1 << 20, 0, len(data))  # it is the kernel that is asked, once in 8 MiB
        write_out(1 << 20, 0, 1024)
    finally:
        os.close(fd)


def test_the_limit_of_open_files_gives_way_as_far_as_it_may():
    program = """
import resource
from lamina.stream.files import allow_open_files
def soft(): return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
resource.setrlimit(resource.RLIMIT_NOFILE, (150, 1000))
for count in (100, 500, 300, 5000):
    allow_open_files(count)
    print(soft())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["150", "700", "700", "1000"]


def test_an_interrupt_waits_for_the_steps_that_run():
    done: list[str] = []
    sent = threading.Event()
    main = threading.current_thread().ident
    assert main is not None

    def send() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        sent.set()

    def slow() -> None:
        assert sent.wait(100)
        threading.Event().wait(0.2)  # the interrupt has its time to do harm
        done.append("slow")

    with pytest.raises(KeyboardInterrupt):
        together(threading.Timer(0.05, send).start, slow)
    assert done == ["slow"]


def test_a_file_that_cannot_be_made_is_called_what_it_was_to_be_called(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        replace(f"{tmp_path}/absent/page.html", b"x")
    assert raised.value.filename == f"{tmp_path}/absent/page.html"
