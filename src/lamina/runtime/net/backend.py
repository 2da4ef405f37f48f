"""Which network a container gets here when nothing else is asked for, and why."""

import os

from lamina.runtime import syscalls, userns
from lamina.runtime.net.programs import tunnel_problem
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


def backend() -> Backend:
    """Choose, by what this user may do and what is installed. Cheap: no program is started."""
    if os.geteuid() != 0 or userns.rootless_uid() is not None:
        problem = tunnel_problem()
        if problem:
            return Backend("host", "", problem)
        name = "pasta" if which("pasta") else "slirp4netns"
        return Backend("tunnel", name, f"{which(name)}, as a plain user has no bridge")
    held = syscalls.own_capabilities()
    for name in _NEEDED:
        if not held >> CAPABILITIES.index(name) & 1:
            return Backend("host", "", f"this root lacks {name}")
    nft = which("nft")
    if not nft:
        return Backend("host", "", "nft (package nftables) is not installed")
    return Backend("bridge", "nft", f"bridges and {nft}")
