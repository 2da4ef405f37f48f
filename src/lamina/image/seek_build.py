"""Make the seek indexes of an image: each blob is decoded once, front to back."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import chain

from lamina.errors import Corrupt
from lamina.image.seek_artifact import PILE, artifact, describe
from lamina.layer.indexed import IndexedLayer
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import SeekIndex
from lamina.layer.seek_index_writer import SeekIndexWriter, Written
from lamina.layer.spans import EVERY, SpanCutter
from lamina.spec.digest import Digest, chain_id
from lamina.stream.codec import sniff
from lamina.stream.libz import libz
from lamina.stream.seek_points import finder
from lamina.stream.verify import DigestMismatch, Hasher, VerifyingReader, chunks
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from lamina.layer.span_reader import Ranges
    from lamina.spec.config import ImageConfig
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.manifest import Manifest
    from lamina.stream.verify import Readable

__all__ = ["FileRanges", "SeekBuilder", "StreamRanges"]

_HEAD = 4  # bytes that tell the codec


class FileRanges:
    """Ranges of a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    @contextmanager
    def open(self, start: int, end: int) -> "Iterator[Readable]":
        """Open the file's bytes from `start`; what lies behind `end` may be read too."""
        with open(self._path, "rb", buffering=0) as file:
            file.seek(start)
            if end - start <= EVERY:
                yield BytesIO(file.read(end - start))
            else:
                yield file


class StreamRanges:
    """Ranges of what `opened` opens, anew for each; it must be seekable only if a middle is asked for."""

    def __init__(self, opened: "Callable[[], BinaryIO]") -> None:
        self._opened = opened

    @contextmanager
    def open(self, start: int, end: int) -> "Iterator[Readable]":
        """Open the bytes from `start`; what lies behind `end` may be read too."""
        _ = end
        with self._opened() as stream:
            if start:
                stream.seek(start)
            yield stream


@dataclass(frozen=True, slots=True)
class _Made:
    descriptor: "Descriptor"
    path: str


class SeekBuilder:
    """Makes the indexes of one image in `folder`, which the caller removes; a context manager.

    `blobs` gives ranges of a layer's blob; one is read from its start and once, its digest and diff
    ID checked on the way. `sealed` opens the sealed layer where it is here already: then nothing
    is sealed. Else the tar of the layer that is being made lies in `folder` meanwhile. One thread.
    `check` is called now and then, and may raise to stop it.
    """

    def __init__(
        self,
        manifest: "Manifest",
        config: "ImageConfig",
        folder: str,
        *,
        blobs: "Callable[[Descriptor], Ranges]",
        sealed: "Callable[[Sequence[Digest]], SealedLayer] | None" = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._manifest = manifest
        self._diff_ids = config.diff_ids
        self._folder = folder
        self._blobs = blobs
        self._sealed = sealed
        self._check = check
        self._made: dict[int, _Made] = {}
        if len(config.diff_ids) != len(manifest.layers):
            raise Corrupt(
                f"the manifest has {len(manifest.layers)} layers, its configuration {len(config.diff_ids)}"
            )

    def build(
        self,
        keep: "Callable[[Descriptor, str], None]",
        known: "Callable[[Descriptor, Digest], Descriptor | None]" = lambda _layer, _pile: None,
    ) -> "Manifest":
        """Make what is not known, hand it to `keep` with its file, and give the artifact's manifest.

        `known(layer, chain ID)` gives the descriptor of an index that is kept already. Raises:
        Corrupt (a blob or its tar is not what it should be), TarInvalid, Unsupported (a codec), OSError.
        """
        rows: list[Descriptor] = []
        for number, layer in enumerate(self._manifest.layers):
            before = known(layer, self._pile(number))
            if before is not None and before.annotations.get(PILE, "") in ("", self._pile(number)):
                rows.append(before)
                continue
            made = self.layer(number)
            keep(made.descriptor, made.path)
            rows.append(made.descriptor)
        return artifact(self._manifest.descriptor, rows)

    def layer(self, number: int) -> _Made:
        """Make the index of one layer, counted from 0 at the bottom. Raises: as `build`."""
        if number not in self._made:
            path = f"{self._folder}/{number}.index"
            written, needs_parents = self._write(number, path)
            pile = self._pile(number) if needs_parents else None
            layer = self._manifest.layers[number].digest
            self._made[number] = _Made(describe(written, layer, pile), path)
        return self._made[number]

    def _pile(self, number: int) -> Digest:
        return chain_id(self._diff_ids[: number + 1])

    def _write(self, number: int, path: str) -> tuple[Written, bool]:
        layer, diff_id = self._manifest.layers[number], self._diff_ids[number]
        with ExitStack() as stack:
            out = stack.enter_context(open(path, "wb"))
            writer = SeekIndexWriter(out)
            place = f"{self._folder}/{number}.sealed"
            sealer = None
            if self._sealed is None:
                sealer = stack.enter_context(Sealer(place, early=False))
                stack.callback(os.unlink, place)
            tar = Hasher(diff_id.algorithm)
            source = stack.enter_context(self._blobs(layer).open(0, layer.size))
            pieces = chunks(VerifyingReader(source, layer.digest, layer.size))
            head = next(pieces, b"")
            while 0 < len(head) < _HEAD and (more := next(pieces, b"")):
                head += more
            codec = sniff(head)
            library = libz() if codec == "gzip" else None
            cutter = SpanCutter(finder(codec, EVERY, library), writer.keep)
            for packed in chain((head,), pieces):
                self._check()
                for plain in cutter.feed(packed):
                    tar.update(plain)
                    if sealer is not None:
                        sealer.write(plain)
            spans = cutter.finish()
            if tar.digest != diff_id:
                raise DigestMismatch(
                    f"layer {layer.digest}: its tar is {tar.digest}, the configuration says {diff_id}",
                    hint="the image is damaged; its publisher must push it again",
                )
            if sealer is not None:
                sealer.finish(diff_id, lambda: self._below(number, stack))
                sealed = stack.enter_context(SealedLayer.open(place))
            else:
                assert self._sealed is not None  # noqa: S101 - one of both
                sealed = stack.enter_context(self._sealed(self._diff_ids[: number + 1]))
            written = writer.finish(
                sealed, spans, blob=layer.digest, blob_size=layer.size, codec=codec
            )
            return written, sealed.needs_parents

    def _below(self, number: int, stack: ExitStack) -> list[SealedLayer]:
        """Open the layers below, by their indexes: their files are read from the blobs."""
        return [stack.enter_context(self._opened(each)) for each in range(number)]

    def _opened(self, number: int) -> IndexedLayer:
        made = self.layer(number)
        file = FileRanges(made.path)
        index = SeekIndex.read(file, made.descriptor.size)
        blob = self._blobs(self._manifest.layers[number])
        return IndexedLayer(f"layer {number + 1}", index, file=file, blob=blob)
