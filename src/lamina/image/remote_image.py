"""An image at a registry, opened without pulling it: its layers by their indexes, content by ranges."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from threading import Lock

from lamina.errors import Corrupt, Invalid, NotFound, Unsupported
from lamina.events import Listener, Notice, silent
from lamina.image.contents_table import codec_of, read_table
from lamina.image.jobs import Cancelled, Jobs, gather
from lamina.image.seek_artifact import ARTIFACT, PILE, LayerIndex, read_artifact
from lamina.image.source import choose_manifest
from lamina.image.transports.registry import RegistrySource
from lamina.layer.indexed import IndexedLayer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import SeekIndex
from lamina.layer.span_reader import SpanCache
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.tabled import TabledLayer
from lamina.remote.blobs import RangesRefused
from lamina.remote.repository import Repository
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import chain_id
from lamina.spec.manifest import Manifest
from lamina.stream.verify import Readable, VerifyingReader, chunks
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from lamina.remote.client import Client
    from lamina.spec.digest import Digest
    from lamina.spec.platform import Platform
    from lamina.spec.reference import Reference

__all__ = [
    "IndexMissing",
    "RemoteImage",
    "RemoteRanges",
    "Traffic",
    "find_index",
    "named_image",
    "opened_remotely",
]

_SMALL = 64 * 1024  # an index that is fetched whole: fewer requests than for its parts
_TRIES = 4
_WORKERS = 8


class IndexMissing(NotFound):
    """The registry has the image, and no seek index of it."""


class Traffic:
    """How many bytes of blobs were received, by any thread."""

    def __init__(self) -> None:
        self.received = 0
        self._lock = Lock()

    def add(self, size: int) -> None:
        """Count bytes that came."""
        with self._lock:
            self.received += size


class RemoteRanges:
    """Ranges of a blob at a registry; any number of threads.

    A dropped connection goes on where it was. Where the registry gives no ranges the blob is fetched
    whole, once, into an unnamed file of `folder`, and its digest checked; `listener` is told.
    """

    def __init__(
        self,
        repository: Repository,
        descriptor: Descriptor,
        traffic: Traffic,
        *,
        folder: str | None = None,
        listener: Listener = silent,
    ) -> None:
        self._repository = repository
        self._descriptor = descriptor
        self._traffic = traffic
        self._folder = folder
        self._listener = listener
        self._lock = Lock()
        self._whole: BinaryIO | None = None

    def close(self) -> None:
        """Drop what was fetched whole."""
        with self._lock:
            if self._whole is not None:
                self._whole.close()
                self._whole = None

    @contextmanager
    def open(self, start: int, end: int) -> Iterator[Readable]:
        """Open a part. Raises: as `Repository.part`, on reading too."""
        whole = self._whole
        if whole is None and self._descriptor.size <= _SMALL:
            whole = self._fetched()
        if whole is None:
            try:
                reader = self._repository.part(self._descriptor, start, end)
            except RangesRefused:
                name = self._descriptor.digest.short
                self._listener(Notice("No ranges at this registry: fetching all of it", id=name))
                whole = self._fetched()
            else:
                with reader:
                    yield _Counted(reader, self._traffic)
                return
        yield _Part(whole, start, end)

    def _fetched(self) -> "BinaryIO":
        from tempfile import TemporaryFile

        with self._lock:
            if self._whole is not None:
                return self._whole
            descriptor = self._descriptor
            file: BinaryIO = (
                BytesIO() if descriptor.size <= _SMALL else TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by `close`
            )
            try:
                with self._repository.blob(descriptor) as reader:
                    counted = _Counted(reader, self._traffic)
                    source = VerifyingReader(counted, descriptor.digest, descriptor.size)
                    file.writelines(chunks(source))
                file.flush()
            except BaseException:
                file.close()
                raise
            self._whole = file
            return file


class _Counted:
    """A reader that counts what it gives."""

    def __init__(self, reader: Readable, traffic: Traffic) -> None:
        self._reader = reader
        self._traffic = traffic

    def read(self, size: int = -1, /) -> bytes:
        data = self._reader.read(size)
        self._traffic.add(len(data))
        return data


class _Part:
    """A part of a file that others read, too."""

    def __init__(self, file: "BinaryIO", start: int, end: int) -> None:
        self._file = file
        self._at = start
        self._end = end

    def read(self, size: int = -1, /) -> bytes:
        left = self._end - self._at
        wanted = left if size < 0 else min(size, left)
        if isinstance(self._file, BytesIO):
            data = bytes(self._file.getbuffer()[self._at : self._at + wanted])
        else:
            from os import pread

            data = pread(self._file.fileno(), wanted, self._at)
        self._at += len(data)
        return data


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image at a registry, open: its documents, its layers, lowest first, and what it cost so far.

    `top` is what the name stands for there. Layers are as `engine.layers.opened` gives them.
    """

    reference: "Reference"
    top: Descriptor
    manifest: Manifest
    config: ImageConfig
    layers: tuple[SealedLayer, ...]
    traffic: Traffic


def named_image(
    client: "Client", reference: "Reference", platform: "Platform"
) -> tuple[Descriptor, Manifest, ImageConfig]:
    """Fetch the documents of one image.

    Raises: as `Repository.manifest`, PlatformUnavailable, Unsupported (an artifact), Invalid.
    """
    source = RegistrySource(client, reference, client.abort)
    top, manifest = choose_manifest(source, platform, name=reference.familiar)
    wanted = manifest.config
    if wanted.media_type not in MediaType.CONFIGS:
        raise Unsupported(
            f"{reference.familiar} is an artifact ({manifest.artifact_type or wanted.media_type}), not a container image",
            hint="artifacts have no file system to read",
        )
    if wanted.size > CONFIG_LIMIT:
        raise Invalid(f"an image configuration of {wanted.size} bytes is beyond reason")
    with source.blob(wanted) as stream:
        raw = b"".join(chunks(VerifyingReader(stream, wanted.digest, wanted.size)))
    config = ImageConfig.from_json(raw)
    if len(config.diff_ids) != len(manifest.layers):
        raise Corrupt(
            f"{reference.familiar}: the manifest has {len(manifest.layers)} layers, "
            f"its configuration {len(config.diff_ids)}"
        )
    return top, manifest, config


def find_index(
    repository: Repository, image: Manifest
) -> tuple[Descriptor, tuple[LayerIndex, ...]] | None:
    """Find the artifact with the image's seek indexes, the newest listed; None where there is none.

    Those that are malformed are passed over. Raises: as `Repository.referrers`.
    """
    found = repository.referrers(image.digest, artifact_type=ARTIFACT)
    for row in reversed(found[-_TRIES:]):
        with suppress(SeekIndexInvalid, NotFound):
            return row, read_artifact(repository.manifest(row.digest)[1], image)
    return None


@contextmanager
def opened_remotely(
    client: "Client",
    reference: "Reference",
    platform: "Platform",
    *,
    here: "Callable[[Sequence[Digest]], SealedLayer | None]" = lambda _pile: None,
    folder: str | None = None,
    listener: Listener = silent,
) -> Iterator[RemoteImage]:
    """Open an image at its registry for the body, by its seek index, or by its blobs' own tables.

    Costs the documents, the heads of the indexes (some KB a layer), and then what is looked at.
    `here` opens a layer that is on this machine, by its pile; those are read here, and where all
    are, no index is needed.
    `folder` is where blobs go that a registry gives as a whole only. Raises: IndexMissing, and as
    `named_image`; reading raises SeekIndexInvalid and what transports raise.
    """
    repository = Repository.of(client, reference)
    top, manifest, config = named_image(client, reference, platform)
    piles = [config.diff_ids[: number + 1] for number in range(len(config.diff_ids))]
    traffic = Traffic()
    with ExitStack() as stack:

        def ranges(descriptor: Descriptor) -> RemoteRanges:
            made = RemoteRanges(repository, descriptor, traffic, folder=folder, listener=listener)
            stack.callback(made.close)
            return made

        layers: dict[int, SealedLayer] = {}
        for number, pile in enumerate(piles):
            known = here(pile)
            if known is not None:
                layers[number] = stack.enter_context(known)
        wanted = [number for number in range(len(piles)) if number not in layers]
        cache = SpanCache()
        try:
            rows = _rows(repository, reference, manifest, config) if wanted else ()
        except IndexMissing:  # blobs may have tables of contents of their own
            if not all(codec_of(manifest.layers[number]) for number in wanted):
                raise
            rows = ()
            for number in wanted:
                layer, below = manifest.layers[number], [layers[each] for each in range(number)]
                blob = ranges(layer)
                tabled = TabledLayer.of(
                    f"{layer.digest} on {chain_id(piles[number])}",
                    read_table(layer, blob),
                    codec=codec_of(layer),
                    blob=blob,
                    diff_id=config.diff_ids[number],
                    below=below,
                    cache=cache,
                )
                layers[number] = stack.enter_context(tabled)
            wanted = []
        files = [ranges(rows[number].descriptor) for number in wanted]
        heads = _together(
            [
                partial(SeekIndex.read, file, rows[number].descriptor.size, rows[number].head)
                for number, file in zip(wanted, files, strict=True)
            ]
        )
        for number, file, head in zip(wanted, files, heads, strict=True):
            layer = manifest.layers[number]
            if (head.blob, head.blob_size) != (layer.digest, layer.size):
                raise SeekIndexInvalid(f"the index of layer {number + 1} is about another blob")
            # Of two images, layers of one name are taken for the same.
            name = f"{layer.digest} on {chain_id(piles[number])}"
            opened = IndexedLayer(name, head, file=file, blob=ranges(layer), cache=cache)
            layers[number] = stack.enter_context(opened)
            if opened.diff_id != config.diff_ids[number]:
                raise SeekIndexInvalid(f"layer {number + 1} has another diff ID than the image's")
        found = tuple(layers[number] for number in range(len(piles)))
        yield RemoteImage(reference, top, manifest, config, found, traffic)


def _rows(
    repository: Repository, reference: "Reference", manifest: Manifest, config: ImageConfig
) -> tuple[LayerIndex, ...]:
    found = find_index(repository, manifest)
    if found is None:
        raise IndexMissing(
            f"{reference.familiar} has no seek index at its registry",
            hint=f"`lamina index {reference.familiar}` makes one where you may push, or pull the image",
        )
    for number, row in enumerate(found[1]):
        pile = row.descriptor.annotations.get(PILE, "")
        if pile not in ("", chain_id(config.diff_ids[: number + 1])):
            raise SeekIndexInvalid(f"the index of layer {number + 1} is for other layers below")
    return found[1]


def _together(calls: "list[Callable[[], SeekIndex]]") -> list[SeekIndex]:
    """Make calls that wait for the registry at the same time."""
    if len(calls) < 2:  # noqa: PLR2004 - nobody to wait with
        return [call() for call in calls]
    jobs = Jobs(min(_WORKERS, len(calls)), name="index")
    try:
        return gather([(jobs, call) for call in calls])
    finally:
        jobs.close(Cancelled("another index could not be read"))
