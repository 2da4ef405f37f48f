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
_STABLE_BUILD = 20348  # Windows Server 2022: from here on newer hosts run older builds' images
_OLDER = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v9", "v8"), "amd64": ("v4", "v3", "v2", "v1")}


class PlatformInvalid(Invalid):
    """The text does not name a platform."""


@dataclass(frozen=True, slots=True)
class Platform:
    """`linux/arm64/v8`: os, architecture (Go's names) and, where it matters, a variant.

    `os_version` is what Windows images are built for (`10.0.17763.1`), written
    `windows(10.0.17763.1)/amd64`; `os_features` what they need of the system (`win32k`).
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        version = f"({self.os_version})" if self.os and self.os_version else ""
        parts = (f"{self.os}{version}", self.architecture, self.variant)
        return "/".join(part for part in parts if part)

    @property
    def kind(self) -> str:
        """The name without the version of the system: `windows/amd64`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read `os[(version)]/arch[/variant]`, or an architecture alone. Raises: PlatformInvalid."""
        parts = text.strip().lower().split("/")
        if len(parts) == 1:
            parts = ["linux", parts[0]]
        parts[0], version = _split_version(parts[0])
        if len(parts) > _MOST_PARTS or not all(
            part.replace("_", "").replace("-", "").isalnum() for part in parts
        ):
            raise PlatformInvalid(
                f"invalid platform {text!r}", hint="write it as linux/amd64 or linux/arm/v7"
            )
        system, architecture, *variant = parts
        known = _ARCHITECTURES.get(architecture, architecture)
        return cls(system, known, "".join(variant), version)

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
            str(document.get("os.version") or ""),
            _texts(document.get("os.features")),
        )

    def to_json(self) -> Document:
        """Give the `platform` object, keys in the spec's order."""
        document: Document = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            document["os.version"] = self.os_version
        if self.os_features:
            document["os.features"] = list(self.os_features)
        if self.variant:
            document["variant"] = self.variant
        return document

    def choose(self, offered: "Iterable[Platform]") -> "Platform | None":
        """Pick what runs best here: the same variant, else the next older one; None if none does.

        Of a Windows of a known version, what that can run, the newest first (as containerd does).
        What needs no more features than we have comes before the rest.
        """
        fitting = [p for p in offered if (p.os, p.architecture) == (self.os, self.architecture)]
        if self.os_version:
            fitting = [p for p in fitting if _runs(self.os_version, p.os_version)]
            fitting.sort(key=lambda p: _numbers(p.os_version), reverse=True)
        fitting.sort(key=lambda p: not set(p.os_features) <= set(self.os_features))
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


def _split_version(text: str) -> tuple[str, str]:
    """Take `windows(10.0.17763.1)` apart; what is not of that form is left for the caller to refuse."""
    name, opened, rest = text.partition("(")
    version = rest.removesuffix(")")
    good = opened and rest.endswith(")") and version.replace(".", "").replace("-", "").isalnum()
    return (name, version) if good else (text, "")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of `10.0.17763.1`; those before anything else, where it has something else."""
    found = []
    for word in version.split("."):
        if not (word.isascii() and word.isdigit()):
            break
        found.append(int(word))
    return tuple(found)


def _runs(host: str, image: str) -> bool:
    """Tell whether a system of one version runs images built for another.

    Windows: of the same build; since Server 2022 also of older builds down to that one. An image or
    a host that says none is taken to fit.
    """
    ours, theirs = _numbers(host), _numbers(image)
    if len(ours) < 3 or len(theirs) < 3:  # noqa: PLR2004 - major, minor, build
        return not image or host == image
    if ours[:2] != theirs[:2]:
        return False
    return ours[2] == theirs[2] or _STABLE_BUILD <= theirs[2] <= ours[2]
