"""What was found in an image as an artifact attached to it. Spec: image-spec, "Guidelines for Artifact Usage". Pure."""

from collections.abc import Sequence

from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, encode

__all__ = ["ARTIFACT", "CATALOGUE", "EMPTY", "INDEX", "LAYER", "artifact"]

ARTIFACT = "application/vnd.lamina.image.exploration.v1"
INDEX = "application/vnd.lamina.layer.hollow.v1+zstd"
CATALOGUE = "application/vnd.lamina.image.paths.v1+zstd"
EMPTY = b"{}"
"""The configuration of an artifact that has none."""

LAYER = "com.lamina.layer"
"""The annotation that says of which layer something is the index."""


def artifact(
    subject: Descriptor,
    indexes: Sequence[tuple[Digest, Digest, int]],
    catalogue: tuple[Digest, int],
) -> bytes:
    """Write its manifest: of each index the layer's digest, its own and its size. Same parts, same bytes."""
    layers: list[Document] = [
        {"mediaType": INDEX, "digest": digest, "size": size, "annotations": {LAYER: layer}}
        for layer, digest, size in indexes
    ]
    layers.append({"mediaType": CATALOGUE, "digest": catalogue[0], "size": catalogue[1]})
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "artifactType": ARTIFACT,
            "config": Descriptor(MediaType.OCI_EMPTY, Digest.of(EMPTY), len(EMPTY)).to_json(),
            "layers": layers,
            "subject": subject.to_json(),
        }
    )
