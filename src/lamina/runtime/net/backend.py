"""Which network a container gets here when nothing else is asked for, and why."""

import os

from lamina.runtime import syscalls, userns
from lamina.runtime.net.programs import tunnel_problem, tunnel_program
from lamina.runtime.programs import which
from lamina.spec.bundle import CAPABILITIES
from lamina.values import NamedTuple

__all__ = ["Backend", "backend"]

_NEEDED = ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")


class Backend(NamedTuple):
    """How the default network works here: `kind` is `bridge`, `tunnel` or `host`; `reason` why."""

    kind: str
    program: str
    reason: str


def backend(tunnel: str = "") -> Backend:
    """Choose, by what this user may do and what is installed. Cheap: no program is started.

    `tunnel` is the program that a plain user's packets shall go through, if it shall be that one.
    """
    if os.geteuid() != 0 or userns.rootless_uid() is not None:
        problem = tunnel_problem(tunnel)
        if problem:
            return Backend("host", "", problem)
        program = tunnel_program(tunnel)
        path = which(program.partition(":")[0])
        return Backend("tunnel", program, f"{path}, as a plain user has no bridge")
    held = syscalls.own_capabilities()
    for name in _NEEDED:
        if not held >> CAPABILITIES.index(name) & 1:
            return Backend("host", "", f"this root lacks {name}")
    return Backend("bridge", "", "bridges, and nftables or iptables")
