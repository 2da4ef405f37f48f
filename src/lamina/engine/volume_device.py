"""The options of the volume driver `local`: a folder of the host, or a file system of its own."""

from lamina.errors import Invalid, Unsupported
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VolumeDevice", "check_options", "device_of"]

_KNOWN = ("type", "o", "device", "size")
_NETWORK = ("cifs", "nfs", "nfs4", "smb3")
_BINDS = ("bind", "rbind")
_REFUSED = (
    "move",
    "remount",
    *(f"{r}{word}" for r in ("", "r") for word in ("private", "shared", "slave", "unbindable")),
)


@dataclass(frozen=True, slots=True)
class VolumeDevice:
    """What stands behind a volume. `options` are as `mount -o` has them; a bind has type `bind`."""

    type: str
    source: str
    options: tuple[str, ...] = ()

    @property
    def is_bind(self) -> bool:
        """Whether it is a folder of this machine, not a file system of its own."""
        return self.type == "bind"

    @property
    def read_only(self) -> bool:
        """Whether nothing may write to it."""
        return "ro" in self.options

    def located(self) -> "VolumeDevice":
        """Give it as the kernel takes it: with numbers for the server's name. Costs a query for that.

        Raises: Invalid (there is no such server).
        """
        import socket

        rows = []
        for option in self.options:
            key, _, host = option.partition("=")
            if key != "addr" or self.type not in _NETWORK:
                rows.append(option)
                continue
            try:
                found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                raise Invalid(f"the volume's server {host} is not found: {error}") from error
            rows.append(f"addr={found[0][4][0]}")
        return VolumeDevice(self.type, self.source, tuple(rows))


def device_of(options: "Mapping[str, str]") -> VolumeDevice | None:
    """Read the options of a volume; None for one that is a folder of Lamina's own.

    Raises: Invalid, Unsupported.
    """
    if not options:
        return None
    for name in options:
        if name not in _KNOWN:
            raise Invalid(f'invalid option: "{name}"', hint="type, o and device")
    if options.get("size"):
        raise Unsupported(
            "the volume option size needs project quotas, which are not supported",
            hint="-o type=tmpfs -o device=tmpfs -o o=size=100m is bounded",
        )
    kind, device = options.get("type") or "none", options.get("device", "")
    words = tuple(w for w in options.get("o", "").split(",") if w not in ("", "defaults"))
    for word in words:
        if word in _REFUSED:
            raise Invalid(f"invalid option of a volume's mount: {word}")
    if not set(words).isdisjoint(_BINDS):
        return _bind(kind, device, words)
    return _file_system(kind, device, words)


def _bind(kind: str, device: str, words: tuple[str, ...]) -> VolumeDevice:
    if kind != "none" or not device.startswith("/"):
        raise Invalid(
            "a volume that binds a folder has type none and its path as device",
            hint="-o type=none -o o=bind -o device=/path",
        )
    rest = tuple(word for word in words if word not in _BINDS)
    if set(rest) - {"ro", "rw"}:
        raise Unsupported(f"a volume that binds a folder takes ro alone, not {', '.join(rest)}")
    return VolumeDevice("bind", device, rest)


def _file_system(kind: str, device: str, words: tuple[str, ...]) -> VolumeDevice:
    if kind == "none":
        raise Invalid('missing required option: "type"', hint="nfs, tmpfs, ext4, …; o=bind binds")
    if not device:
        raise Invalid('missing required option: "device"', hint="-o device=tmpfs for type=tmpfs")
    if kind in _NETWORK and not any(word.startswith("addr=") for word in words):
        raise Invalid(
            f"a volume of type {kind} needs its server in o: the kernel asks for it",
            hint="-o o=addr=10.0.0.9,rw -o device=:/exported/path",
        )
    return VolumeDevice(kind, device, words)


def check_options(options: "Mapping[str, str]") -> None:
    """Refuse what cannot be. Raises: Invalid, Unsupported."""
    device_of(options)
