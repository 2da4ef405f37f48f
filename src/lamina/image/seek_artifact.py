"""The artifact that carries an image's seek indexes, as its referrer. docs/seek-index.md has the form."""

from collections.abc import Sequence

from lamina.errors import Invalid
from lamina.layer.spans import SeekIndexInvalid
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.wire import encode
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.seek_index_writer import Written

__all__ = [
    "ARTIFACT",
    "EMPTY",
    "HEAD",
    "LAYER",
    "PILE",
    "SEEK_LAYER",
    "LayerIndex",
    "artifact",
    "describe",
    "read_artifact",
]

ARTIFACT = "application/vnd.lamina.seek-index.v1"
"""The artifact's type, by which registries list it."""

SEEK_LAYER = "application/vnd.lamina.seek-index.layer.v1"
"""The media type of one layer's index."""

LAYER = "io.lamina.seek.layer"
"""The digest of the image's layer that an index is about."""

HEAD = "io.lamina.seek.head"
"""How large the index's head is, and its digest: `3271 sha256:…`."""

PILE = "io.lamina.seek.pile"
"""The chain ID, where the index holds only with these layers below."""

EMPTY = b"{}"

_DIGITS = 12
"""Of a head's size: no index is larger, and Python refuses numbers of thousands of them."""
"""The configuration of an artifact that has none. Spec: image-spec manifest.md."""


@dataclass(frozen=True, slots=True)
class LayerIndex:
    """Where one layer's index is, and what to check its head against."""

    descriptor: Descriptor
    head: tuple[int, bytes]


def describe(written: "Written", layer: Digest, pile: Digest | None) -> Descriptor:
    """Give the descriptor of an index in the artifact; with a `pile` it holds on that alone."""
    annotations = {LAYER: str(layer), HEAD: f"{written.head_size} {written.head_digest}"}
    if pile is not None:
        annotations[PILE] = str(pile)
    return Descriptor(SEEK_LAYER, written.digest, written.size, annotations=annotations)


def artifact(subject: Descriptor, rows: Sequence[Descriptor]) -> Manifest:
    """Write the manifest for the image `subject`, an index for each of its layers, in their order."""
    subject = replace(subject, platform=None, annotations={}, urls=())
    config = Descriptor(MediaType.OCI_EMPTY, Digest.of(EMPTY), len(EMPTY))
    raw = encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "artifactType": ARTIFACT,
            "config": config.to_json(),
            "layers": [row.to_json() for row in rows],
            "subject": subject.to_json(),
        }
    )
    return Manifest(MediaType.OCI_MANIFEST, config, tuple(rows), raw, subject, ARTIFACT)


def read_artifact(raw: bytes, image: Manifest) -> tuple[LayerIndex, ...]:
    """Read the artifact of `image`: an index for each of its layers, in their order.

    Raises: SeekIndexInvalid (another image's, or no such artifact).
    """
    try:
        document = parse_manifest(raw)
    except Invalid as error:
        raise SeekIndexInvalid(f"its manifest is malformed: {error}") from error
    if not isinstance(document, Manifest) or document.artifact_type != ARTIFACT:
        raise SeekIndexInvalid("its manifest is something else's")
    subject = document.subject
    if subject is None or subject.digest != image.digest:
        raise SeekIndexInvalid("it is another image's")
    about = [row.annotations.get(LAYER) for row in document.layers]
    if about != [str(layer.digest) for layer in image.layers]:
        raise SeekIndexInvalid("it is about other layers than the image has")
    return tuple(LayerIndex(row, _head(row)) for row in document.layers)


def _head(row: Descriptor) -> tuple[int, bytes]:
    size, _, digest = row.annotations.get(HEAD, "").partition(" ")
    try:
        parsed = Digest.parse(digest)
    except Invalid as error:
        raise SeekIndexInvalid(f"the head of {row.digest} has no digest") from error
    fits = size.isdecimal() and size.isascii() and len(size) <= _DIGITS
    if not fits or parsed.algorithm != "sha256":
        raise SeekIndexInvalid(f"the head of {row.digest} has no size or no SHA-256")
    return int(size), bytes.fromhex(parsed.hex)
