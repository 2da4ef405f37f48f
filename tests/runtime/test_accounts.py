import os

from lamina.runtime.accounts import look_up
from lamina.spec.bundle import ProcessSettings


def test_users_are_looked_up_without_leaving_the_root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").symlink_to("/etc/own")
    (tmp_path / "etc" / "own").write_text("me:x:5:6::/home/me:/bin/sh\n")
    root = os.open(tmp_path, os.O_PATH)
    account = look_up(root, ProcessSettings(("x",), user="me"))
    os.close(root)
    assert (account.uid, account.gid, account.home) == (5, 6, "/home/me")


def test_a_list_of_users_that_is_no_file_is_not_even_opened(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc" / "passwd")
    writer = os.open(tmp_path / "etc" / "passwd", os.O_RDWR)  # as a process inside could hold it
    (tmp_path / "etc" / "group").symlink_to("/proc/self/fd/0")
    root = os.open(tmp_path, os.O_PATH)
    assert look_up(root, ProcessSettings(("x",), user="7:8")).gid == 8
    os.close(root)
    os.close(writer)


def test_a_huge_list_of_users_costs_little_and_its_beginning_counts(tmp_path):
    (tmp_path / "etc").mkdir()
    with (tmp_path / "etc" / "passwd").open("w") as file:
        file.write("me:x:5:6::/home/me:/bin/sh\n")
        file.truncate(1 << 40)
    root = os.open(tmp_path, os.O_PATH)
    assert look_up(root, ProcessSettings(("x",), user="me")).uid == 5
    os.close(root)
