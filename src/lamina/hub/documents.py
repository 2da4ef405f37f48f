"""What the hub notes about a manifest when it arrives. Pure: the bytes in, facts out."""

import re
from dataclasses import dataclass

from lamina.errors import Invalid, Unsupported
from lamina.hub.errors import ManifestInvalid
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.spec.wire import Document, decode

__all__ = ["CONFIG_LIMIT", "Facts", "read_facts", "with_config"]

CONFIG_LIMIT = 4 * 1024 * 1024
"""Largest image configuration we read for its facts, in bytes."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_NAME}/{_NAME}")  # RFC 6838, 4.2
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._+-]{0,99}")
_HEAVIEST = 2**63 - 1  # bytes; what a database can count


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
        fields = decode(raw.decode(), what="manifest")
        document = parse_manifest(raw, media_type)
    except UnicodeDecodeError as error:  # `decode` would take UTF-16 too, which clients do not
        raise ManifestInvalid("manifest is not valid JSON: it is not UTF-8") from error
    except (Invalid, Unsupported) as error:
        raise ManifestInvalid(error.message, hint=error.hint) from error
    _check_fields(fields)
    own = fields.get("mediaType") or ""
    if own and media_type and own != media_type:
        raise ManifestInvalid(f"manifest says it is {own}, the request says {media_type}")
    kind = media_type or document.media_type
    if isinstance(document, Index):
        facts = _index_facts(document, kind)
    else:
        facts = _manifest_facts(document, kind)
    for text in filter(None, (facts.media_type, facts.artifact_type)):
        if not _MEDIA_TYPE.fullmatch(text):
            raise ManifestInvalid(f"{text[:200]!r} is not a media type")
    if facts.content_size > _HEAVIEST:
        raise ManifestInvalid("what the manifest names is larger than anything can be")
    return facts


def _check_fields(fields: Document) -> None:
    """Refuse what would break those who read lists of manifests. Raises: ManifestInvalid."""
    version = fields.get("schemaVersion")
    if version != 2 or isinstance(version, bool):  # noqa: PLR2004 - the only one there is
        raise ManifestInvalid(f"manifest has `schemaVersion` {version!r:.50}; it must be 2")
    for field, kind in (("mediaType", str), ("artifactType", str), ("subject", dict)):
        if not isinstance(fields.get(field, kind()), (kind, type(None))):
            raise ManifestInvalid(f"manifest's `{field}` is malformed")
    annotations = fields.get("annotations")
    if annotations is not None and not (
        isinstance(annotations, dict)
        and all(isinstance(value, str) for value in annotations.values())
    ):
        raise ManifestInvalid("manifest's `annotations` are not texts by name")


def with_config(facts: Facts, raw: bytes) -> Facts:
    """Add what an image's configuration says; one that cannot be read adds nothing."""
    try:
        platform = ImageConfig.from_json(raw).platform
    except Invalid:
        return facts
    platforms = _listed([platform.kind]) if platform.os and platform.architecture else ()
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
    named = [str(row.platform) for row in document.manifests if row.platform]
    return Facts(
        digest=document.digest,
        media_type=media_type,
        raw=document.raw,
        blobs=(),
        children=tuple(dict.fromkeys(row.digest for row in document.manifests)),
        config=None,
        subject=document.subject.digest if document.subject else None,
        artifact_type=document.artifact_type,
        platforms=_listed(named),
        content_size=0,
    )


def _listed(names: list[str]) -> tuple[str, ...]:
    """Give platforms as lists show them, each once: no attestations, and no text of any kind."""
    return tuple(
        dict.fromkeys(name for name in names if "unknown" not in name and _PLATFORM.fullmatch(name))
    )
