"""What a check of the store can find: values, the same for who looks and for who mends."""

from lamina.spec.digest import Digest
from lamina.values import StrEnum, dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.descriptor import Descriptor

__all__ = ["Finding", "Health", "Part", "Pile", "Report", "Shape"]


class Shape(StrEnum):
    """What is wrong with something."""

    DAMAGED = "damaged"
    MISSING = "missing"
    FOREIGN = "foreign"
    LEFT_OVER = "left over"


class Health(StrEnum):
    """What a finding means for whoever keeps the store."""

    BROKEN = "broken"
    MENDED = "mended"
    HARMLESS = "harmless"


class Part(StrEnum):
    """What kind of thing a finding is about."""

    INDEX = "index"
    BLOB = "blob"
    LAYER = "layer"
    MERGED = "merged layer"
    UNPACKED = "unpacked layer"
    CONTAINER = "container"
    FILE = "file"


Pile = tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `subject` is a digest, an ID or a path below the root; `images` are the names (or digests) that
    need it; `pile` is the pile that a layer tops, `wanted` the descriptor of a blob, where known.
    """

    shape: Shape
    part: Part
    subject: str
    detail: str
    images: tuple[str, ...] = ()
    health: Health = Health.BROKEN
    pile: Pile = ()
    wanted: "Descriptor | None" = None

    def mended(self, how: str) -> "Finding":
        """Give the finding as put right: `how` says from what."""
        return replace(self, health=Health.MENDED, detail=f"{self.detail}; {how}")

    def noted(self, why: str) -> "Finding":
        """Give the finding with one more remark."""
        return replace(self, detail=f"{self.detail}; {why}")


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found: the broken first."""

    findings: tuple[Finding, ...]
    images: int = 0
    blobs: int = 0
    layers: int = 0
    size: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is broken: what was mended or is harmless does not count."""
        return all(finding.health is not Health.BROKEN for finding in self.findings)
