"""Devices of this machine in containers: `--device`, `--device-cgroup-rule`, and what is privileged."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import NamedTuple

__all__ = [
    "Device",
    "DeviceInvalid",
    "check_rule",
    "device_binds",
    "device_rules",
    "host_devices",
]

# What a container has of its own, or must not get: terminals, memory that is shared, and the console.
_OWN = (
    "console", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
    "stdout", "tty", "urandom", "zero",
)  # fmt: skip
_HIGHEST = (1 << 32) - 1


class DeviceInvalid(Invalid):
    """A device or a rule about devices that makes no sense."""

    exit_code = 125


class Device(NamedTuple):
    """One `--device`: a path here, a path inside, and what may be done (`r`, `w`, `m`)."""

    source: str
    target: str
    access: str = "rwm"

    @classmethod
    def parse(cls, text: str) -> "Device":
        """Read `/dev/here[:/dev/inside][:rwm]`. Raises: DeviceInvalid."""
        parts = text.split(":")
        access = "rwm"
        if len(parts) > 1 and parts[-1] and not set(parts[-1]) - set("rwm"):
            access = parts.pop()
        if not 1 <= len(parts) <= 2 or not all(part.startswith("/") for part in parts):  # noqa: PLR2004
            raise DeviceInvalid(
                f"invalid device specification: {text}",
                hint="--device /dev/here[:/dev/inside][:rwm]",
            )
        return cls(parts[0], parts[-1], access)

    def nodes(self) -> "Iterator[tuple[str, str, os.stat_result]]":
        """Give (path here, path inside, what it is) of each device; a folder stands for its own.

        Raises: DeviceInvalid (no such device).
        """
        try:
            info = os.stat(self.source)
        except OSError as error:
            raise self._missing(error.strerror or str(error)) from error
        if stat.S_ISDIR(info.st_mode):
            for name in sorted(os.listdir(self.source)):
                below = Device(f"{self.source}/{name}", f"{self.target}/{name}", self.access)
                with suppress(FileNotFoundError):  # a link that leads nowhere
                    inner = os.stat(below.source)
                    # A link to a folder could lead in circles.
                    if _kind(inner) or os.path.isdir(below.source) > os.path.islink(below.source):
                        yield from below.nodes()
        elif _kind(info):
            yield self.source, self.target, info
        else:
            raise self._missing("not a device node")

    def _missing(self, why: str) -> DeviceInvalid:
        return DeviceInvalid(
            f'error gathering device information while adding custom device "{self.source}": {why}'
        )

    def to_json(self) -> Document:
        """Give it as Docker's HostConfig has it."""
        return {
            "PathOnHost": self.source,
            "PathInContainer": self.target,
            "CgroupPermissions": self.access,
        }

    @classmethod
    def from_json(cls, row: Document) -> "Device":
        """Read what `to_json` gave."""
        return cls(row["PathOnHost"], row["PathInContainer"], row["CgroupPermissions"])


def _kind(info: os.stat_result) -> str:
    return "c" if stat.S_ISCHR(info.st_mode) else "b" if stat.S_ISBLK(info.st_mode) else ""


def device_binds(devices: Sequence[Device]) -> list[Document]:
    """Give the mounts that show `devices` inside: bound, which a plain user may do as well."""
    return [
        {
            "destination": target,
            "type": "bind",
            "source": source,
            "options": ["bind", "rprivate", "nosuid", "noexec", "dev"],
        }
        for device in devices
        for source, target, _ in device.nodes()
    ]


def device_rules(devices: Sequence[Device]) -> tuple[str, ...]:
    """Give what the devices controller must allow for them: `c 10:229 rwm`."""
    return tuple(
        f"{_kind(info)} {os.major(info.st_rdev)}:{os.minor(info.st_rdev)} {device.access}"
        for device in devices
        for _, _, info in device.nodes()
    )


def host_devices() -> list[Device]:
    """List what a privileged container gets of this machine's devices.

    All of them for root; for others those that they may open, and neither needs capabilities for.
    """
    found = []
    for name in sorted(set(os.listdir("/dev")) - set(_OWN)):
        top = Device(f"/dev/{name}", f"/dev/{name}")
        with suppress(OSError, DeviceInvalid):
            if not os.path.islink(top.source):
                found += [
                    Device(source, target)
                    for source, target, _ in top.nodes()
                    if not os.path.islink(source)
                    and (os.access(source, os.R_OK) or os.access(source, os.W_OK))
                ]
    return found


def check_rule(rule: str) -> None:
    """Refuse a `--device-cgroup-rule` that is none, in Docker's words. Raises: DeviceInvalid."""
    kind, *rest = rule.split(" ")
    numbers, access = rest if len(rest) == 2 else ("", "")  # noqa: PLR2004 - kind, numbers, access
    words = numbers.split(":")
    right = len(words) == 2 and all(  # noqa: PLR2004
        word == "*" or (word.isascii() and word.isdecimal() and int(word) <= _HIGHEST)
        for word in words
    )
    letters = 0 < len(access) == len(set(access)) and set(access) <= set("rwm")
    if kind not in ("a", "b", "c") or not right or not letters:
        raise DeviceInvalid(
            f"invalid device cgroup format '{rule}'", hint="write 'c 10:229 rwm' or 'b 7:* r'"
        )
