"""The programs that a plain user's networks lean on, and how they are started."""

import os
import signal

from lamina.runtime.process import Stdio, spawn
from lamina.runtime.programs import which

__all__ = ["pasta", "slirp", "tunnel_problem"]

_TUN = "/dev/net/tun"


def tunnel_problem() -> str:
    """Say why a plain user's network has no way out here; empty where it has one."""
    if not (which("pasta") or which("slirp4netns")):
        return "neither pasta (package passt) nor slirp4netns is installed"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        if os.path.exists(_TUN):
            return f"{_TUN} is not open to plain users: `chmod 666 {_TUN}` as root"
        return f"this machine has no {_TUN}: `modprobe tun` as root"
    return ""


def pasta(namespace: str, *options: str) -> str:
    """Start pasta for the namespace at a path; give what went wrong.

    It goes into the background once it works. Nothing of the machine's loopback is shown inside.
    """
    arguments = [which("pasta"), "--config-net", "--quiet"]
    arguments += ["-t", "none", "-u", "none", "-T", "none", "-U", "none", *options]
    return _run([*arguments, "--netns", namespace])


def slirp(namespace: str) -> str:
    """Start slirp4netns for the namespace at a path; give what went wrong."""
    read, write = os.pipe()
    arguments = [which("slirp4netns"), "--configure", "--mtu=65520", "--disable-host-loopback"]
    arguments += [f"--ready-fd={write}", "--netns-type=path", namespace, "tap0"]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    spawn(arguments, Stdio(null, null, null), keep=[write])
    os.close(write)
    os.close(null)
    with os.fdopen(read, "rb") as stream:
        return "" if stream.read(1) else "slirp4netns failed"


def _hear_pipes() -> None:
    # Python ignores SIGPIPE, and an early pasta takes what it finds ignored for a failure.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _run(arguments: list[str]) -> str:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    log = os.memfd_create("said")
    try:
        child = spawn(arguments, Stdio(null, log, log), before=_hear_pipes)
        if os.waitpid(child, 0)[1] == 0:
            return ""
        os.lseek(log, 0, os.SEEK_SET)
        said = os.read(log, 4096).decode("utf-8", "replace")
        lines = [row for row in said.splitlines() if row and "syslog" not in row]
        return f"{os.path.basename(arguments[0])}: {lines[-1] if lines else 'failed'}"
    finally:
        os.close(null)
        os.close(log)
