"""What people call a place: skopeo's `transport:details`."""

from lamina.errors import Invalid
from lamina.values import dataclass

__all__ = ["TRANSPORTS", "PlaceName"]

TRANSPORTS = ("docker", "oci", "oci-archive", "docker-archive", "dir", "lamina")
"""Every transport; `lamina:` is this machine's store, and the default."""


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A transport, and what it needs: a path with or without a name, or a name alone.

    >>> PlaceName.parse("oci:/tmp/layout:v1")
    PlaceName(transport='oci', path='/tmp/layout', name='v1')
    """

    transport: str
    path: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "PlaceName":
        """Read `docker://NAME`, `oci:PATH[:NAME]`, `oci-archive:PATH[:NAME]`,
        `docker-archive:PATH[:NAME]`, `dir:PATH`, `lamina:NAME` or a bare name of the store.

        A path ends at its first colon, as skopeo has it. Raises: Invalid.
        """  # noqa: D205 - the grammar is one list
        transport, colon, rest = text.partition(":")
        if not colon or transport not in TRANSPORTS:
            _refuse_unknown(text, transport, rest)
            return cls("lamina", "", text)
        if transport == "docker":
            if not rest.startswith("//"):
                raise Invalid(f"{text!r} lacks the slashes", hint=f"write docker://{rest}")
            return cls(transport, "", _needed(rest[2:], text))
        if transport == "lamina":
            return cls(transport, "", _needed(rest, text))
        if transport == "dir":
            return cls(transport, _needed(rest, text), "")
        path, _, name = rest.partition(":")
        return cls(transport, _needed(path, text), name)

    def __str__(self) -> str:
        if self.transport == "docker":
            return f"docker://{self.name}"
        return ":".join(part for part in (self.transport, self.path, self.name) if part)


def _needed(part: str, text: str) -> str:
    if not part:
        raise Invalid(f"{text!r} names no place")
    return part


def _refuse_unknown(text: str, transport: str, rest: str) -> None:
    """Tell a transport that we do not have from a name with a port or a tag."""
    if rest.startswith("//") or transport in (
        "containers-storage",
        "docker-daemon",
        "ostree",
        "sif",
    ):
        known = ", ".join(f"{name}:" for name in TRANSPORTS)
        raise Invalid(f"unknown transport {transport!r} in {text!r}", hint=f"there are {known}")
