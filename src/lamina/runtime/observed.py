"""What can be seen of a container's first process from outside, for whoever wants to tell about it."""

import os
from contextlib import suppress

from lamina.spec.wire import Document

__all__ = ["NAMESPACES", "Look", "observe"]

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
"""As /proc names them."""


class Look:
    """One look at a process, as soon as there is one; `config` is what its runtime was given."""

    def __init__(self, config: Document) -> None:
        self._config = config
        self._seen: Document = {}

    def __call__(self, pid: int) -> None:
        """Look at `pid` now."""
        self._seen = observe(pid, self._config)

    def seen(self, pid: int) -> Document:
        """Give what was seen; runtimes that cannot make a process without starting it let us look late."""
        if not self._seen:
            self(pid)
        return self._seen


def observe(pid: int, config: Document) -> Document:
    """Give what /proc has on `pid`, and `config` without the long list of system calls.

    `namespaces` maps a kind to what its link says (`net:[4026532290]`), `mounts` are lines of mountinfo,
    `cgroups` lines of its groups, `pids` its numbers, outermost first. What is gone already is empty.
    """
    namespaces = {}
    for kind in NAMESPACES:
        with suppress(OSError):
            namespaces[kind] = os.readlink(f"/proc/{pid}/ns/{kind}")
    linux = {key: value for key, value in config["linux"].items() if key != "seccomp"}
    rules = (config["linux"].get("seccomp") or {}).get("syscalls") or ()
    status = dict(line.partition(":")[::2] for line in _lines(f"/proc/{pid}/status"))
    return {
        "config": {**config, "linux": linux},
        "allowed_calls": sum(
            len(rule["names"]) for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"
        ),
        "namespaces": namespaces,
        "mounts": _lines(f"/proc/{pid}/mountinfo"),
        "cgroups": _lines(f"/proc/{pid}/cgroup"),
        "pids": [int(word) for word in status.get("NSpid", "").split()],
    }


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []
