"""An image source in memory, for tests: it passes what `ImageSource` promises, or breaks it on purpose."""

import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lamina.errors import NotFound
from lamina.image.edit import append_layer, new_manifest
from lamina.spec.config import History
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.stream.verify import Readable

__all__ = ["MemorySource", "make_image"]


class MemorySource:
    """Manifests and blobs by digest. `reads` tells which blobs were asked for, and from where."""

    def __init__(self, top: Descriptor, blobs: dict[Digest, bytes]) -> None:
        self.top = top
        self.blobs = blobs
        self.stopped = False
        self.reads: list[tuple[Digest, int]] = []

    def manifest(self, digest: Digest | None) -> tuple[Descriptor, bytes]:
        wanted = digest or self.top.digest
        raw = self.blobs.get(wanted)
        if raw is None:
            raise NotFound(f"no {wanted}")
        return Descriptor(parse_manifest(raw).media_type, wanted, len(raw)), raw

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> Iterator[Readable]:
        self.reads.append((descriptor.digest, offset))
        raw = self.blobs.get(descriptor.digest)
        if raw is None:
            raise NotFound(f"no {descriptor.digest}")
        yield io.BytesIO(raw[offset:])

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return ()

    def stop(self) -> None:
        self.stopped = True


def make_image(
    layers: Sequence[bytes], *, architecture: str = "amd64"
) -> tuple[Manifest, dict[Digest, bytes]]:
    """Make an image of plain tars, lowest first; also give its blobs."""
    document: dict[str, object] = {"architecture": architecture, "os": "linux"}
    blobs: dict[Digest, bytes] = {}
    rows = []
    config = append_layer(document, diff_id=None, row=History(empty_layer=True), settings={})
    for tar in layers:
        packed = gzip.compress(tar, 1, mtime=0)
        blobs[Digest.of(packed)] = packed
        rows.append(Descriptor(MediaType.OCI_LAYER_GZIP, Digest.of(packed), len(packed)))
        config = append_layer(
            config.document, diff_id=Digest.of(tar), row=History(created_by="ADD"), settings={}
        )
    manifest = new_manifest(config, rows)
    blobs |= {config.digest: config.raw, manifest.digest: manifest.raw}
    return manifest, blobs
