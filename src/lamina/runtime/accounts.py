"""Who a process in a container is, by the lists of users and groups that the image brings."""

import os
import stat

from lamina.runtime import syscalls
from lamina.spec.bundle import Account, ProcessSettings, resolve_user

__all__ = ["look_up"]

_LARGEST = 1 << 20


def look_up(root: int, settings: ProcessSettings) -> Account:
    """Find user and groups in the /etc/passwd and /etc/group below `root`. Raises: UserUnknown."""
    passwd, group = _text(root, "etc/passwd"), _text(root, "etc/group")
    return resolve_user(settings.user, passwd, group, settings.groups)


def _text(root: int, path: str) -> str:
    """Read a file that the image or the container made; what is no file is not opened at all."""
    try:
        fd = syscalls.openat2(root, path, os.O_PATH)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # a FIFO would wait, a device do things
            return ""
        with open(f"/proc/self/fd/{fd}", "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
