"""What the hub notes about a manifest when it arrives. Pure: the bytes in, facts out."""

from dataclasses import dataclass

from lamina.errors import Invalid, Unsupported
from lamina.hub.errors import ManifestInvalid
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.spec.wire import decode

__all__ = ["CONFIG_LIMIT", "Facts", "read_facts", "with_config"]

CONFIG_LIMIT = 4 * 1024 * 1024
"""Largest image configuration we read for its facts, in bytes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One manifest: what it is, what it names, how much that weighs.

    `blobs` and `children` must be in the repository; foreign layers, which have `urls`, need not.
    """

    digest: Digest
    media_type: str
    raw: bytes
    blobs: tuple[Digest, ...]
    children: tuple[Digest, ...]
    config: Descriptor | None
    subject: Digest | None
    artifact_type: str
    platforms: tuple[str, ...]
    content_size: int


def read_facts(raw: bytes, content_type: str) -> Facts:
    """Read a manifest as pushed under `content_type` (may be empty). Raises: ManifestInvalid."""
    media_type = content_type.partition(";")[0].strip()
    try:
        own = str(decode(raw, what="manifest").get("mediaType") or "")
        document = parse_manifest(raw, media_type)
    except (Invalid, Unsupported) as error:
        raise ManifestInvalid(error.message, hint=error.hint) from error
    if own and media_type and own != media_type:
        raise ManifestInvalid(f"manifest says it is {own}, the request says {media_type}")
    kind = media_type or document.media_type
    if isinstance(document, Index):
        return _index_facts(document, kind)
    return _manifest_facts(document, kind)


def with_config(facts: Facts, raw: bytes) -> Facts:
    """Add what an image's configuration says; one that cannot be read adds nothing."""
    try:
        platform = ImageConfig.from_json(raw).platform
    except Invalid:
        return facts
    platforms = (platform.kind,) if platform.os and platform.architecture else ()
    return Facts(
        facts.digest, facts.media_type, facts.raw, facts.blobs, facts.children, facts.config,
        facts.subject, facts.artifact_type, platforms, facts.content_size,
    )  # fmt: skip


def _manifest_facts(document: Manifest, media_type: str) -> Facts:
    parts = [document.config, *(layer for layer in document.layers if not layer.urls)]
    artifact = document.artifact_type
    if not artifact and document.config.media_type not in MediaType.CONFIGS:
        artifact = document.config.media_type
    return Facts(
        digest=document.digest,
        media_type=media_type,
        raw=document.raw,
        blobs=tuple(dict.fromkeys(part.digest for part in parts)),
        children=(),
        config=document.config,
        subject=document.subject.digest if document.subject else None,
        artifact_type=artifact,
        platforms=(),
        content_size=document.config.size + sum(layer.size for layer in document.layers),
    )


def _index_facts(document: Index, media_type: str) -> Facts:
    named = (str(row.platform) for row in document.manifests if row.platform)
    return Facts(
        digest=document.digest,
        media_type=media_type,
        raw=document.raw,
        blobs=(),
        children=tuple(dict.fromkeys(row.digest for row in document.manifests)),
        config=None,
        subject=document.subject.digest if document.subject else None,
        artifact_type=document.artifact_type,
        platforms=tuple(dict.fromkeys(name for name in named if "unknown" not in name and name)),
        content_size=0,
    )
