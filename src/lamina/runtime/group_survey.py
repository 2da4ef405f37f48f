"""What control groups can do here for containers, said before any is made."""

import os

from lamina.runtime import hierarchies, scope
from lamina.runtime.hierarchies import CONTROLLERS, words
from lamina.values import NamedTuple

__all__ = ["Survey", "survey"]


class Survey(NamedTuple):
    """What control groups do here for containers.

    `driver` is Docker's word for who makes them, `cgroupfs`, `systemd` or `none`; `version` is 1, 2 or
    0 for none at all; `kept` are the controllers whose limits are kept, `reason` says why the others not.
    """

    driver: str
    version: int
    kept: tuple[str, ...]
    reason: str


def survey(uid: int | None) -> Survey:
    """Look what groups can be made and what they can limit, without making any.

    `uid` is the plain user's, None for root.
    """
    bases = hierarchies.bases()
    found = hierarchies.layout()
    version = {"unified": 2, "none": 0}.get(found, 1)
    above = scope.manager(uid) if uid is not None and not bases and version == 2 else ""  # noqa: PLR2004
    if not bases and not above:
        if not version:
            return Survey("none", 0, (), f"no control groups are mounted at {hierarchies.ROOT}")
        return Survey("none", version, (), _refusal(uid))
    if version == 1:
        kept = tuple(name for name in CONTROLLERS if name in bases)
    else:
        folder = bases["memory"] if bases else above
        there = words(f"{folder}/cgroup.controllers")
        kept = tuple(name for name in CONTROLLERS if name in there)
    lacking = [name for name in CONTROLLERS if name not in kept]
    reason = ""
    if lacking:
        reason = f"not {', '.join(lacking)}: " + (
            "not handed over; root can, with `Delegate=cpu cpuset io memory pids` in a drop-in of "
            "user@.service (`systemctl edit user@.service`)"
            if uid is not None
            else "the kernel or the group that this runs in lacks them"
        )
    return Survey("systemd" if above else "cgroupfs", version, kept, reason)


def _refusal(uid: int | None) -> str:
    if uid is None:
        return f"{hierarchies.ROOT} cannot be written to"
    if os.path.isdir("/run/systemd/system"):
        return (
            "no group was handed over, and no service manager of the user's runs: "
            "log in anew, or have root call `loginctl enable-linger`"
        )
    return "no group was handed over: a folder of cgroup2 that belongs to this user and holds its processes"
