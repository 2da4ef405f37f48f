import errno
import os

import pytest

from lamina.runtime import syscalls


def test_a_path_cannot_leave_the_root_it_is_resolved_in(tmp_path):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "passwd").write_text("inside")
    (tmp_path / "root" / "up").symlink_to("../../../../etc/passwd")
    (tmp_path / "root" / "absolute").symlink_to("/etc/passwd")
    root = os.open(tmp_path / "root", os.O_PATH)
    for path in ("/etc/passwd", "../../etc/passwd", "up", "absolute"):
        fd = syscalls.openat2(root, path, os.O_RDONLY)
        assert os.read(fd, 100) == b"inside"
        os.close(fd)
    os.close(root)


def test_what_the_kernel_refuses_is_an_oserror_with_its_number(tmp_path):
    root = os.open(tmp_path, os.O_PATH)
    with pytest.raises(FileNotFoundError):
        syscalls.openat2(root, "none", os.O_RDONLY)
    os.close(root)
    with pytest.raises(OSError, match=str(tmp_path)) as caught:
        syscalls.umount(str(tmp_path))
    assert caught.value.errno in (errno.EINVAL, errno.EPERM)


def test_the_file_system_of_an_open_file_is_known():
    fd = os.open("/proc/self", os.O_PATH)
    assert syscalls.file_system(fd) == 0x9FA0
    os.close(fd)
    with pytest.raises(OSError, match="fstatfs"):
        syscalls.file_system(-1)
