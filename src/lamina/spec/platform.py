"""Platforms: operating system, architecture and variant. Spec: image-spec image-index.md."""

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Platform", "PlatformInvalid"]

_ARCHITECTURES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm",
    "i386": "386", "i486": "386", "i586": "386", "i686": "386",
}  # fmt: skip
_IMPLIED_VARIANT = {"arm64": "v8", "arm": "v7"}
_MOST_PARTS = 3  # os, architecture, variant
_OLDER = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v9", "v8"), "amd64": ("v4", "v3", "v2", "v1")}


class PlatformInvalid(Invalid):
    """The text does not name a platform."""


@dataclass(frozen=True, slots=True)
class Platform:
    """`linux/arm64/v8`: os, architecture (Go's names) and, where it matters, a variant."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read `os/arch[/variant]`, or an architecture alone. Raises: PlatformInvalid."""
        parts = text.strip().lower().split("/")
        if len(parts) == 1:
            parts = ["linux", parts[0]]
        if len(parts) > _MOST_PARTS or not all(
            part.replace("_", "").replace("-", "").isalnum() for part in parts
        ):
            raise PlatformInvalid(
                f"invalid platform {text!r}", hint="write it as linux/amd64 or linux/arm/v7"
            )
        system, architecture, *variant = parts
        return cls(system, _ARCHITECTURES.get(architecture, architecture), "".join(variant))

    @classmethod
    def from_machine(cls, machine: str) -> "Platform":
        """Name the platform of a Linux whose `uname -m` says `machine`."""
        variant = {"armv7l": "v7", "armv6l": "v6", "armv5tel": "v5"}.get(machine, "")
        if variant:
            return cls("linux", "arm", variant)
        return cls("linux", _ARCHITECTURES.get(machine, machine))

    @classmethod
    def from_json(cls, document: Document) -> "Platform":
        """Read an index's `platform` object; what is missing is empty."""
        return cls(
            str(document.get("os") or ""),
            str(document.get("architecture") or ""),
            str(document.get("variant") or ""),
        )

    def to_json(self) -> Document:
        """Give the `platform` object, keys in the spec's order."""
        document: Document = {"architecture": self.architecture, "os": self.os}
        if self.variant:
            document["variant"] = self.variant
        return document

    def choose(self, offered: "Iterable[Platform]") -> "Platform | None":
        """Pick what runs best here: the same variant, else the next older one; None if none does."""
        fitting = [p for p in offered if (p.os, p.architecture) == (self.os, self.architecture)]
        ranks = _OLDER.get(self.architecture, ())
        own = self.variant or _IMPLIED_VARIANT.get(self.architecture, "")
        allowed = [own, *ranks[ranks.index(own) + 1 :]] if own in ranks else [own]
        if self.architecture == "amd64" and not self.variant:
            allowed = ["", "v1"]
        for variant in allowed:
            for platform in fitting:
                implied = platform.variant or _IMPLIED_VARIANT.get(self.architecture, "")
                if variant in (platform.variant, implied):
                    return platform
        return fitting[0] if fitting and not self.variant else None
