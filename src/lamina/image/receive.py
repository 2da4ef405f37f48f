"""Bring one image into this machine's store: the work behind pull and load.

Each layer flows in one stream: source → digest → blob file, and beside it → inflate → diff ID →
sealed layer. Layers run in parallel. Nothing gets a name here: the caller names what is whole.
"""

from collections.abc import Sequence
from functools import partial
from threading import Event as Flag

from lamina.errors import Corrupt, Invalid, LaminaError, Unsupported
from lamina.events import DocumentRead, LayerProgress, Listener, Phase
from lamina.image.place import Place
from lamina.image.pump import Pump
from lamina.image.source import ImageSource, choose_manifest, refuse_artifact
from lamina.layer.pax import TarInvalid
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.stream.codec import Decompressor, decompressor, sniff
from lamina.stream.files import together
from lamina.stream.verify import CHUNK, SizeMismatch, VerifyingReader, chunks
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.events import Witness
    from lamina.image.jobs import Job, Jobs
    from lamina.snapshot.sealing import LayerWriter
    from lamina.spec.platform import Platform
    from lamina.store.blobs import BlobStore, BlobWriter

__all__ = ["Place", "Received", "receive"]

_REPORT_EVERY = 512 * 1024
_HEAD = 4  # bytes that tell the codec
_PACKINGS = (".tar", "gzip", ".gz", ".tgz", "zstd", "octet-stream")
"""How the media types of layers end that are packed as we know, whoever they were written by."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole, verified image that has no name yet. `top` is what the name stood for."""

    top: Descriptor
    manifest: Manifest
    config: ImageConfig
    already_here: bool


def receive(
    source: ImageSource,
    place: Place,
    platform: "Platform",
    *,
    name: str,
    listener: Listener,
    witness: "Witness | None" = None,
) -> Received:
    """Fetch what `name` means on `platform` into `place`; return when every byte is verified.

    The caller holds a lease on the store meanwhile. After a failure, what arrived is kept as
    partial uploads that the next call continues. Raises: LaminaError of any kind but InUse.
    """
    top, manifest = choose_manifest(source, platform, name=name, witness=witness)
    config = _receive_config(source, place.blobs, manifest, name)
    if witness is not None:
        witness(DocumentRead(config))
    if len(config.diff_ids) != len(manifest.layers):
        raise Invalid(
            f"{name}: the manifest has {len(manifest.layers)} layers, its configuration {len(config.diff_ids)}"
        )
    already_here = _is_here(place, manifest, config)
    keep_config = partial(place.blobs.put, config.raw)
    if already_here:
        keep_config()
    else:
        if place.room is not None:
            place.room(_least_size(place, manifest, config))
        together(partial(_receive_layers, source, place, manifest, config, listener), keep_config)
    if place.ready is not None:
        for pile in _piles(config.diff_ids):  # those that were here before
            place.ready(pile)
    place.blobs.put(manifest.raw)
    return Received(top, manifest, config, already_here)


def _is_here(place: Place, manifest: Manifest, config: ImageConfig) -> bool:
    return place.blobs.has(manifest.digest) and all(
        place.blobs.has(layer.digest) and place.layers.has(config.diff_ids[: i + 1])
        for i, layer in enumerate(manifest.layers)
    )


def _least_size(place: Place, manifest: Manifest, config: ImageConfig) -> int:
    """Tell what will come at least: each blob, and its layer, which is larger than what was packed."""
    size = 0
    for i, layer in enumerate(manifest.layers):
        if not place.blobs.has(layer.digest):
            size += layer.size
        is_packed = layer.media_type.endswith(("gzip", "zstd"))  # else its zeros may take no room
        if is_packed and not place.layers.has(config.diff_ids[: i + 1]):
            size += layer.size
    arrived = {row.key: row.size for row in place.blobs.partials()}
    keys = [str(layer.digest).replace(":", "-") for layer in manifest.layers]
    return max(0, size - sum(arrived.get(key, 0) for key in keys))


def _receive_config(
    source: ImageSource, blobs: "BlobStore", manifest: Manifest, name: str
) -> ImageConfig:
    wanted = manifest.config
    refuse_artifact(manifest, name=name)
    if wanted.size > CONFIG_LIMIT:
        raise Invalid(f"{name}: an image configuration of {wanted.size} bytes is beyond reason")
    if blobs.has(wanted.digest):
        return ImageConfig.from_json(blobs.read(wanted.digest, limit=CONFIG_LIMIT))
    with source.blob(wanted) as stream:
        raw = b"".join(chunks(VerifyingReader(stream, wanted.digest, wanted.size)))
    return ImageConfig.from_json(raw)


def _receive_layers(
    source: ImageSource, place: Place, manifest: Manifest, config: ImageConfig, listener: Listener
) -> None:
    from lamina.image.jobs import Cancelled, Jobs

    stop = Flag()
    piles = _piles(config.diff_ids)
    firsts: dict[tuple[Digest, ...], Job] = {}
    repeats: dict[Digest, Job] = {}
    jobs = Jobs(place.workers, name="layer")
    try:
        for layer, pile in zip(manifest.layers, piles, strict=True):
            if place.blobs.has(layer.digest) and place.layers.has(pile):
                listener(LayerProgress(layer.digest.short, Phase.EXISTS))
                continue
            listener(LayerProgress(layer.digest.short, Phase.PULLING))
            waits = (repeats.get(layer.digest), tuple(firsts.values()))
            task = _LayerTask(source, place, layer, pile, listener, stop, *waits)
            firsts[pile] = repeats[layer.digest] = jobs.submit(task.run)
        _finish(jobs, len(firsts))
    except BaseException:
        stop.set()
        source.stop()
        raise
    finally:
        jobs.close(Cancelled("the pull was stopped"))


def _piles(diff_ids: Sequence[Digest]) -> list[tuple[Digest, ...]]:
    return [tuple(diff_ids[: i + 1]) for i in range(len(diff_ids))]


def _finish(jobs: "Jobs", count: int) -> None:
    """Wait for all, or for the first failure. Raises: that failure."""
    from lamina.image.jobs import Cancelled

    cancelled: BaseException | None = None
    for _ in range(count):
        error = jobs.ended.get().error
        if isinstance(error, Cancelled):
            cancelled = error
        elif error is not None:
            raise error
    if cancelled is not None:
        raise cancelled


@dataclass(slots=True)
class _LayerTask:
    """One layer on its way in."""

    source: ImageSource
    place: Place
    layer: Descriptor
    pile: tuple[Digest, ...]
    listener: Listener
    stop: Flag
    repeated: "Job | None"
    below: tuple["Job", ...]

    def run(self) -> None:
        """Fetch and seal; leave both blob and sealed layer visible, or neither changed."""
        if self.repeated is not None:
            # The same blob lies further down, too. Waiting for it before its lock is taken keeps
            # the two from waiting for each other by way of the layers between them.
            self.repeated.result()
        self._check()
        key = str(self.layer.digest).replace(":", "-")
        with self.place.blobs.writer(key, waiting=self._check) as blob:
            if self.place.blobs.has(self.layer.digest):
                blob.discard()
                self._from_store()
            elif self.place.layers.has(self.pile):
                self._download(blob, None)
            else:
                with self._sealing(held=True) as layer:
                    self._download(blob, None if layer.sealed else layer)
        if self.place.ready is not None:
            self._check()
            self._tell(Phase.EXTRACTING, self.layer.size)
            self.place.ready(self.pile)
        self._tell(Phase.PULLED)

    def _from_store(self) -> None:
        """Seal a layer whose blob is here already."""
        if self.place.layers.has(self.pile):
            return
        # The blob may be another tool's, who did not wait for the disk: we do.
        with self._sealing(held=False) as layer, self.place.blobs.open(self.layer.digest) as stream:
            if layer.sealed:
                return
            reader = VerifyingReader(stream, self.layer.digest, self.layer.size)
            with _Flow(None, layer) as flow:
                for piece in chunks(reader):
                    self._check()
                    flow.write(piece)
                self._tell(Phase.EXTRACTING, self.layer.size)
                self._commit(flow, layer)

    def _download(self, blob: "BlobWriter", layer: "LayerWriter | None") -> None:
        if blob.offset > self.layer.size:
            blob.truncate(0)
        with _Flow(blob, layer) as flow:
            with blob.reader() as earlier:  # what an interrupted pull left behind
                for piece in chunks(earlier):
                    self._check()
                    flow.replay(piece)
            if blob.offset < self.layer.size:
                self._stream(blob, flow)
            flow.kept()
            self._tell(Phase.VERIFYING)
            blob.verify(self.layer.digest, self.layer.size)
            self._tell(Phase.DOWNLOADED)
            store = partial(blob.commit, self.layer.digest, self.layer.size)
            if layer is None:
                store()
            else:
                self._tell(Phase.EXTRACTING, self.layer.size)
                together(partial(self._commit, flow, layer), store)

    def _commit(self, flow: "_Flow", layer: "LayerWriter") -> None:
        """Make the layer visible. Raises: Unsupported (it is packed in a way that nobody here knows)."""
        try:
            flow.commit(layer)
        except (Corrupt, Invalid) as error:
            media_type = self.layer.media_type
            if media_type in MediaType.LAYERS or media_type.endswith(_PACKINGS):
                raise
            raise Unsupported(
                f"layer {self.layer.digest.short} is packed as {media_type}: {error}",
                hint="plain tars, gzip and zstd are known here",
            ) from error

    def _stream(self, blob: "BlobWriter", flow: "_Flow") -> None:
        told = here = blob.offset
        self._tell(Phase.DOWNLOADING, told)
        with self.source.blob(self.layer, offset=blob.offset) as stream:
            for piece in chunks(stream, CHUNK):
                self._check()
                flow.write(piece)
                here += len(piece)
                if here > self.layer.size:
                    flow.kept()
                    blob.discard()
                    raise SizeMismatch(
                        f"{self.layer.digest} is longer than the promised {self.layer.size} bytes"
                    )
                if here - told >= _REPORT_EVERY:
                    told = here
                    self._tell(Phase.DOWNLOADING, told)

    def _sealing(self, *, held: bool) -> "LayerWriter":
        return self.place.layers.writer(
            self.pile, parents_ready=self._parents_ready, waiting=self._check, held=held
        )

    def _parents_ready(self) -> None:
        for future in self.below:  # all: one that needs nothing of those below is not the last
            future.result()

    def _check(self) -> None:
        if self.stop.is_set():
            from lamina.image.jobs import Cancelled

            raise Cancelled("the pull was stopped")

    def _tell(self, phase: Phase, current: int = 0) -> None:
        self.listener(LayerProgress(self.layer.digest.short, phase, current, self.layer.size))


class _Flow:
    """Compressed bytes to the blob file, plain bytes to the sealed layer.

    Bytes that do not inflate or are no tar stop the sealing alone: whether they are the promised
    ones is for the digest to say, and only then is the image itself to blame.
    """

    def __init__(self, blob: "BlobWriter | None", layer: "LayerWriter | None") -> None:
        self._machine: Decompressor | None = None
        self._head = b""
        self._failure: LaminaError | None = None
        # Inflating and sealing (hash, write, parse) cost about the same: two threads, two cores; and
        # a third for the blob, so that inflating never waits for it. A fourth for hashing the tar
        # costs 6 % more CPU: its bytes are in the other processor's cache. Few pieces wait for the
        # blob file: they are what a killed pull has to fetch again.
        self._keep = Pump(blob.write, name="blob", depth=2) if blob is not None else None
        self._pump = Pump(layer.write, name="seal") if layer is not None else None

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        if self._keep is not None:
            self._keep.__exit__()
        if self._pump is not None:
            self._pump.__exit__()

    def write(self, piece: bytes) -> None:
        """Take new bytes."""
        if self._keep is not None:
            self._keep.put(piece)
        self.replay(piece)

    def kept(self) -> None:
        """Wait until the blob file has every byte. Raises: DiskFull."""
        if self._keep is not None:
            self._keep.close()

    def replay(self, piece: bytes) -> None:
        """Take bytes that the blob file has already."""
        if self._pump is None or self._failure is not None:
            return
        if self._machine is None:
            self._head += piece
            if len(self._head) < _HEAD:
                return
            self._machine = decompressor(sniff(self._head))
            piece, self._head = self._head, b""
        try:
            for plain in self._machine.feed(piece):
                self._pump.put(plain)
        except (Corrupt, Invalid) as error:
            self._failure = error

    def commit(self, layer: "LayerWriter") -> None:
        """End the stream and make `layer` visible: its index is made while the disk takes the blob."""
        self.finish()
        layer.commit()

    def finish(self) -> None:
        """Say what was wrong, if anything was, now that the blob is known to be the right one."""
        if self._pump is None:
            return
        self._pump.close()
        if self._failure is not None:
            raise self._failure
        if self._machine is None:
            raise TarInvalid(f"a layer of {len(self._head)} bytes is no tar")
        self._machine.finish()
