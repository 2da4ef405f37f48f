"""Manifests and indexes, OCI's and Docker's. Spec: image-spec manifest.md, image-index.md."""

from lamina.errors import Invalid, Unsupported
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, decode, encode
from lamina.values import dataclass

__all__ = ["MANIFEST_LIMIT", "Index", "Manifest", "parse_manifest"]

MANIFEST_LIMIT = 4 * 1024 * 1024
"""Largest manifest anyone must take, in bytes. Spec: distribution-spec, "Pushing Manifests"."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image (or artifact): its config and its layers, lowest first. `raw` is what was read."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    raw: bytes
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def digest(self) -> Digest:
        """The digest of `raw`."""
        return Digest.of(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor that an index or a registry gives this manifest."""
        return Descriptor(self.media_type, self.digest, len(self.raw))

    @classmethod
    def build(
        cls,
        config: Descriptor,
        layers: tuple[Descriptor, ...],
        *,
        media_type: str = MediaType.OCI_MANIFEST,
        annotations: dict[str, str] | None = None,
    ) -> "Manifest":
        """Write a new manifest; same parts, same bytes."""
        document: Document = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        if annotations:
            document["annotations"] = annotations
        return cls(media_type, config, layers, encode(document))


@dataclass(frozen=True, slots=True)
class Index:
    """Several manifests, usually one per platform. `raw` is what was read."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    raw: bytes
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def digest(self) -> Digest:
        """The digest of `raw`."""
        return Digest.of(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor that a registry gives this index."""
        return Descriptor(self.media_type, self.digest, len(self.raw))


def parse_manifest(raw: bytes, media_type: str = "") -> Manifest | Index:
    """Read a manifest or an index; `media_type` is what the transport called it.

    The document's own `mediaType` must agree with the transport's where both are given.
    Raises: Invalid (malformed, or both `layers` and `manifests`), Unsupported (schema 1).
    """
    document = decode(raw, what="manifest")
    media_type = media_type.partition(";")[0].strip()
    own = str(document.get("mediaType") or "")
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise Unsupported(
            "this image has a schema 1 manifest, a format that was retired in 2016",
            hint="pull it with an old tool and push it again, or ask its publisher for a newer build",
        )
    if "layers" in document and "manifests" in document:
        raise Invalid("manifest has both `layers` and `manifests`")
    known = (*MediaType.MANIFESTS, *MediaType.INDEXES)
    if own and media_type in known and own != media_type:
        raise Invalid(f"manifest says it is {own}, its transport says {media_type}")
    subject = document.get("subject")
    target = Descriptor.from_json(subject) if isinstance(subject, dict) else None
    artifact_type = str(document.get("artifactType") or "")
    if "manifests" in document:
        kind = own or (media_type if media_type in MediaType.INDEXES else MediaType.OCI_INDEX)
        return Index(kind, _descriptors(document, "manifests"), raw, target, artifact_type)
    if "config" not in document:
        raise Invalid("manifest has no `config`")
    if not isinstance(document["config"], dict):
        raise Invalid("manifest's `config` is not a descriptor")
    kind = own or (media_type if media_type in MediaType.MANIFESTS else MediaType.OCI_MANIFEST)
    config = Descriptor.from_json(document["config"])
    return Manifest(kind, config, _descriptors(document, "layers"), raw, target, artifact_type)


def _descriptors(document: Document, field: str) -> tuple[Descriptor, ...]:
    rows = document.get(field) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid(f"manifest's `{field}` is not a list of descriptors")
    return tuple(Descriptor.from_json(row) for row in rows)
