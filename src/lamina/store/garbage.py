"""Garbage: what no name, no lease and no given root reaches.

Nothing may be pinned, named or begun while the reachable set is taken and the rest removed; that
is `Leases.alone`, some milliseconds. What is reachable is never guessed: a manifest that is there
and cannot be read stops the collection, as what it refers to may be all somebody has.
"""

import os
from collections.abc import Callable, Iterable

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, DigestInvalid
from lamina.spec.manifest import MANIFEST_LIMIT
from lamina.spec.wire import Document, decode
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.store.blobs import BlobStore

__all__ = ["Collected", "ManifestDamaged", "Reach", "reach"]

_CONFIG_LIMIT = 16 * 1024 * 1024
_REMEDY = "remove the image that needs it with `lamina rmi`, or pull it again"


class ManifestDamaged(Corrupt):
    """A manifest in use cannot be read, so what it refers to is unknown."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed: blobs, their bytes, and which they were."""

    count: int
    size: int
    digests: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything that must stay: blobs, and the diff IDs of the layers of every image."""

    blobs: frozenset[Digest]
    diff_ids: frozenset[Digest]


def reach(blobs: "BlobStore", roots: Iterable[Digest]) -> Reach:
    """Walk from `roots` (manifests, indexes, configs, layers) to all they refer to.

    Children that are not here (other platforms of an index) are fine. Raises: ManifestDamaged.
    """
    walk = _Walk(blobs)
    for digest in roots:
        walk.visit(digest, walk.unknown)
    return Reach(frozenset(walk.seen), frozenset(walk.diff_ids))


class _Walk:
    """One walk; each blob is read once."""

    def __init__(self, blobs: "BlobStore") -> None:
        self._blobs = blobs
        self._read: set[Digest] = set()
        self.seen: set[Digest] = set()
        self.diff_ids: set[Digest] = set()

    def visit(self, digest: Digest, read: Callable[[Document], None], limit: int = 0) -> None:
        """Mark `digest`; hand its document, if it is one and here, to `read`."""
        self.seen.add(digest)
        if digest in self._read:
            return
        self._read.add(digest)
        document = self._document(digest, limit)
        if document is not None:
            read(document)

    def _document(self, digest: Digest, limit: int) -> Document | None:
        """Read a JSON object; None when absent, or (`limit` 0) when it is no document at all."""
        try:
            if not limit and not _looks_like_document(self._blobs.path(digest)):
                return None
            raw = self._blobs.read(digest, limit=limit or _CONFIG_LIMIT)
        except (FileNotFoundError, NotFound):
            return None
        except (Corrupt, Invalid) as error:
            raise ManifestDamaged(f"cannot tell what is in use: {error}", hint=_REMEDY) from error
        try:
            return decode(raw, what=f"blob {digest}")
        except Invalid as error:
            if not limit:  # a layer that happens to begin with a brace
                return None
            raise ManifestDamaged(f"cannot tell what is in use: {error}", hint=_REMEDY) from error

    def unknown(self, document: Document) -> None:
        """Follow a document whose kind only its fields tell."""
        if "rootfs" in document:
            self.config(document)
        else:
            self.manifest(document)

    def manifest(self, document: Document) -> None:
        """Follow a manifest or an index."""
        for row in _descriptors(document, "manifests"):
            self.visit(row.digest, self.manifest, MANIFEST_LIMIT)
        for row in _descriptors(document, "layers"):
            self.seen.add(row.digest)
        for row in _descriptors({"config": [document.get("config")]}, "config"):
            self.seen.add(row.digest)
            if row.media_type in MediaType.CONFIGS:
                self.visit(row.digest, self.config, _CONFIG_LIMIT)

    def config(self, document: Document) -> None:
        """Note the diff IDs of an image configuration."""
        rootfs = document.get("rootfs")
        rows = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        for text in rows if isinstance(rows, list) else ():
            try:
                self.diff_ids.add(Digest.parse(text))
            except DigestInvalid:
                continue  # such an image never got as far as having layers here


def _looks_like_document(path: str) -> bool:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > _CONFIG_LIMIT:
            return False
        return file.read(64).lstrip()[:1] == b"{"


def _descriptors(document: Document, field: str) -> list[Descriptor]:
    rows = document.get(field)
    if not isinstance(rows, list):
        return []
    try:
        return [Descriptor.from_json(row) for row in rows if isinstance(row, dict)]
    except Invalid as error:
        raise ManifestDamaged(f"cannot tell what is in use: `{field}`: {error}") from error
