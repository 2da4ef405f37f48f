"""What an index names, as its page shows it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.hub.words import visible
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, parse_manifest

__all__ = ["Member", "choose", "members"]

_PREFERRED = "linux/amd64"
_KIND, _SUBJECT = "vnd.docker.reference.type", "vnd.docker.reference.digest"
_UNKNOWN = "unknown/unknown"


@dataclass(frozen=True, slots=True)
class Member:
    """One manifest of an index. `platform` is empty where it is for none.

    `describes` is the digest of the member that this one, an attestation of BuildKit's, is about.
    """

    digest: Digest
    kind: str
    platform: str
    size: int
    describes: str


def members(raw: bytes) -> tuple[Member, ...]:
    """Give what an index names, in its order. Raises: Invalid, Unsupported."""
    document = parse_manifest(raw)
    if not isinstance(document, Index):
        return ()
    found = []
    for row in document.manifests:
        platform = visible(str(row.platform)) if row.platform else ""
        found.append(
            Member(
                digest=row.digest,
                kind=visible(row.artifact_type or row.media_type),
                platform="" if platform == _UNKNOWN else platform,
                size=row.size,
                describes=row.annotations.get(_SUBJECT, "") if _KIND in row.annotations else "",
            )
        )
    return tuple(found)


def choose(inside: Sequence[Member], wanted: str) -> Member | None:
    """Give the member of the platform `wanted`, else of a usual one; None if none has a platform."""
    by_platform: dict[str, Member] = {}
    for member in inside:
        if member.platform:
            by_platform.setdefault(member.platform, member)
    for platform in (wanted, _PREFERRED):
        if platform in by_platform:
            return by_platform[platform]
    return next(iter(by_platform.values()), None)
