"""The programs that a plain user's networks lean on, and how they are started."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from lamina.runtime.net.addresses import number
from lamina.runtime.net.addresses import text as address_text
from lamina.runtime.process import Stdio, spawn
from lamina.runtime.programs import which

__all__ = [
    "PROGRAMS",
    "forwarder",
    "own_children",
    "pasta",
    "slirp",
    "tunnel",
    "tunnel_problem",
    "tunnel_program",
]

PROGRAMS = ("pasta", "slirp4netns")
"""What carries a plain user's packets, the first one that is there."""

_TUN = "/dev/net/tun"
_PASTA_DNS, _SLIRP_SUBNET = "169.254.1.1", "10.0.2.0/24"
_SLIRP_VALUES = {
    "cidr": "--cidr",
    "outbound_addr": "--outbound-addr",
    "outbound_addr6": "--outbound-addr6",
}


def tunnel_program(wanted: str = "") -> str:
    """Give the name of the program that carries a plain user's packets; empty where none is there.

    `wanted` is pasta or slirp4netns with options after a colon, as `--network` has them.
    """
    name = wanted.partition(":")[0]
    names = (name,) if name else PROGRAMS
    found = next((known for known in names if which(known)), "")
    return wanted if found and name else found


def tunnel_problem(wanted: str = "") -> str:
    """Say why a plain user's network has no way out here; empty where it has one."""
    if not tunnel_program(wanted):
        name = wanted.partition(":")[0]
        if name:
            return f"{name} is not installed"
        return "neither pasta (package passt) nor slirp4netns is installed"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        if os.path.exists(_TUN):
            return f"{_TUN} is not open to plain users: `chmod 666 {_TUN}` as root"
        return f"this machine has no {_TUN}: `modprobe tun` as root"
    return ""


def forwarder(program: str) -> str:
    """Give the address inside at which `program` asks the machine's name server."""
    name, _, text = program.partition(":")
    if name == "pasta":
        return _PASTA_DNS
    ranges = [word.partition("=")[2] for word in text.split(",") if word.startswith("cidr=")]
    subnet = ranges[-1] if ranges else _SLIRP_SUBNET
    try:
        return address_text(number(subnet.partition("/")[0]) + 3)  # slirp4netns(1)
    except OSError:
        return ""  # it will say so itself


def tunnel(program: str, namespace: str, *, host: bool = False, interface: str = "") -> str:
    """Start `program` (`tunnel_program`) for the namespace at a path; give what went wrong.

    With `host` the machine's own loopback is reached by the gateway's address.
    """
    name, _, text = program.partition(":")
    options = [option for option in text.split(",") if option]
    if name == "slirp4netns":
        return slirp(namespace, *options, host=host, interface=interface or "tap0")
    if interface:
        options = ["-I", interface, *options]
    if not host:
        options.append("--no-map-gw")
    return pasta(namespace, "--dns-forward", _PASTA_DNS, *options)


def pasta(namespace: str, *options: str) -> str:
    """Start pasta for the namespace at a path; give what went wrong.

    It goes into the background once it works. Nothing of the machine's loopback is shown inside.
    """
    arguments = [which("pasta"), "--config-net", "--quiet"]
    arguments += ["-t", "none", "-u", "none", "-T", "none", "-U", "none", *options]
    return _run([*arguments, "--netns", namespace])


def slirp(namespace: str, *options: str, host: bool = False, interface: str = "tap0") -> str:
    """Start slirp4netns for the namespace at a path; give what went wrong.

    Options are podman's: `mtu=`, `cidr=`, `enable_ipv6=`, `allow_host_loopback=`, `outbound_addr=` and
    `outbound_addr6=`.
    """
    try:
        chosen = _slirp_options(options, host=host)
    except ValueError as error:
        return str(error)
    read, write = os.pipe()
    arguments = [which("slirp4netns"), "--configure", *chosen]
    arguments += [f"--ready-fd={write}", "--netns-type=path", namespace, interface]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    log = os.memfd_create("said")
    try:
        spawn(arguments, Stdio(null, log, log), keep=[write])
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            if stream.read(1):
                return ""
        return _last_words("slirp4netns", log)
    finally:
        os.close(null)
        os.close(log)


def _slirp_options(options: Sequence[str], *, host: bool) -> list[str]:
    """Give podman's `--network slirp4netns:` options as slirp4netns has them. Raises: ValueError."""
    values = {"mtu": "65520", "enable_ipv6": "true", "allow_host_loopback": str(host).lower()}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in (*values, *_SLIRP_VALUES) or not equals:
            raise ValueError(f"unknown option for slirp4netns: {option}")
        values[key] = value
    found = [f"--mtu={values.pop('mtu')}"]
    if values.pop("enable_ipv6") == "true":
        found.append("--enable-ipv6")
    if values.pop("allow_host_loopback") != "true":
        found.append("--disable-host-loopback")
    return found + [f"{_SLIRP_VALUES[key]}={value}" for key, value in values.items()]


def own_children() -> set[int]:
    """Give this process's children, as its own PID namespace numbers them."""
    level = len(_numbers("self"))  # /proc may be that of a namespace further out
    with open("/proc/thread-self/children", encoding="utf-8") as file:
        words = file.read().split()
    return {rows[level - 1] for word in words if len(rows := _numbers(word)) >= level}


def _numbers(pid: str) -> list[int]:
    """Give the IDs of a process from the namespace of /proc inwards; none when it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("NSpid:"):
                return [int(word) for word in line.split()[1:]]
    return []


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
        return _last_words(os.path.basename(arguments[0]), log)
    finally:
        os.close(null)
        os.close(log)


def _last_words(name: str, log: int) -> str:
    os.lseek(log, 0, os.SEEK_SET)
    said = os.read(log, 4096).decode("utf-8", "replace")
    lines = [row for row in said.splitlines() if row and "syslog" not in row]
    named = [row for row in lines if "unrecognized" in row or "invalid" in row.lower()]
    words = (named or lines or ["failed"])[-1].removeprefix(f"{name}: ")
    return f"{name}: {words.removeprefix(which(name) + ': ')}"
