"""Copy an image from any place to any other, byte for byte: one loop for every pair."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lamina.errors import Unsupported
from lamina.events import LayerProgress, Listener, Phase
from lamina.image.jobs import Cancelled, Jobs, gather
from lamina.image.source import ImageSource, choose_manifest
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.stream.verify import Readable, VerifyingReader
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.image.sink import ImageSink
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.spec.platform import Platform

__all__ = ["Contents", "contents", "copy"]

_DEEPEST_INDEX = 4
_REPORT_EVERY = 512 * 1024


def copy(
    source: ImageSource,
    sink: "ImageSink",
    *,
    name: str,
    platform: "Platform | None",
    listener: Listener,
    workers: int = 3,
    referrers: bool = False,
) -> "Descriptor":
    """Copy what `source` holds to `sink`; give the descriptor of what was copied.

    With `platform` one image is chosen out of an index; with None all of it goes, whatever is in
    it: artifacts, attestations, other platforms; with `referrers` also what is attached to any of
    it, and to that. Documents are copied as they are, so digests
    stay. Blobs that are there already are not sent. Raises: PlatformUnavailable, Unsupported
    (schema 1, foreign layers without bytes), and what the two places raise.
    """
    found = contents(source, platform, name=name, referrers=referrers)
    try:
        _send(source, sink, list(found.blobs.values()), listener, workers)
        for number, (descriptor, document) in enumerate(found.manifests, 1):
            sink.manifest(descriptor, document, top=number == len(found.manifests))
        sink.finish()
    except BaseException:
        sink.abandon()
        raise
    return found.top


def contents(
    source: ImageSource, platform: "Platform | None", *, name: str, referrers: bool = False
) -> "Contents":
    """Read all documents of what `copy` would copy. Raises: as it does."""
    if platform is None:
        top, raw = source.manifest(None)
    else:
        _, chosen = choose_manifest(source, platform, name=name)
        top, raw = chosen.descriptor, chosen.raw
    walk = Contents(source, top)
    walk.follow(top, raw)
    if referrers:
        walk.attach()
    return walk


@dataclass(slots=True)
class Contents:
    """What an image is made of: blobs, each once, and manifests, children first, `top` last."""

    source: ImageSource
    top: "Descriptor"
    blobs: "dict[Digest, Descriptor]" = field(default_factory=dict)
    manifests: "list[tuple[Descriptor, bytes]]" = field(default_factory=list)
    seen: "set[Digest]" = field(default_factory=set)

    def follow(self, descriptor: "Descriptor", raw: bytes, depth: int = 0) -> None:
        """Take note of a manifest, and of all below an index. Raises: Unsupported (too deep)."""
        document = parse_manifest(raw, descriptor.media_type)
        if isinstance(document, Index):
            if depth >= _DEEPEST_INDEX:
                raise Unsupported(f"indexes are nested more than {_DEEPEST_INDEX} deep")
            for child in document.manifests:
                if child.digest not in self.seen:
                    self.seen.add(child.digest)
                    self.follow(*self.source.manifest(child.digest), depth + 1)
        elif isinstance(document, Manifest):
            for blob in (document.config, *document.layers):
                self.blobs.setdefault(blob.digest, blob)
        self.manifests.append((document.descriptor, raw))

    def attach(self) -> None:
        """Follow what is attached to the manifests found so far, and to that; the top stays last."""
        named = self.manifests.pop()
        pending = [*self.manifests, named]
        while pending:
            descriptor, _ = pending.pop()
            for found in self.source.referrers(descriptor.digest):
                if found.digest not in self.seen and found.digest != named[0].digest:
                    self.seen.add(found.digest)
                    before = len(self.manifests)
                    self.follow(*self.source.manifest(found.digest))
                    pending += self.manifests[before:]
        self.manifests.append(named)


def _send(
    source: ImageSource,
    sink: "ImageSink",
    blobs: "list[Descriptor]",
    listener: Listener,
    workers: int,
) -> None:
    for blob in blobs:
        listener(LayerProgress(blob.digest.short, Phase.PREPARING))
    jobs = Jobs(workers, name="copy")
    try:
        gather([(jobs, partial(_one, source, sink, blob, listener)) for blob in blobs])
    except BaseException:
        source.stop()
        raise
    finally:
        jobs.close(Cancelled("the copy was stopped"))


def _one(source: ImageSource, sink: "ImageSink", blob: "Descriptor", listener: Listener) -> None:
    short = blob.digest.short
    told = 0

    def progress(count: int) -> None:
        nonlocal told
        if count - told >= _REPORT_EVERY:
            told = count
            listener(LayerProgress(short, Phase.PUSHING, count, blob.size))

    @contextmanager
    def opened() -> Iterator[Readable]:
        with source.blob(blob) as stream:
            yield VerifyingReader(stream, blob.digest, blob.size)

    arrival = sink.take(blob, opened, progress)
    listener(LayerProgress(short, arrival.phase, blob.size, blob.size, arrival.detail))
