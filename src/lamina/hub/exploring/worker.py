"""A process of its own that looks into one layer, or lays the indexes of one image over each other.

What strangers packed is unpacked here and nowhere else: with bounded memory, time and disk, after
everyone else (nice), without the hub's keys, and with nothing to say but a file. If the hub is killed,
this ends by itself. Run as `python -m lamina.hub.exploring.worker layer|image FOLDER`; the folder holds
`asked.json`, and gets `told.json`.
"""

import errno
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import BinaryIO
from urllib.parse import quote

from lamina.errors import Invalid, LaminaError, Unsupported
from lamina.hub.exploring.answers import answers_of
from lamina.hub.exploring.catalogue import catalogue_of
from lamina.layer.hollow import HollowLayer, pack
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index_writer import SeekIndexWriter
from lamina.layer.spans import EVERY, Span, SpanCutter
from lamina.spec.config import ImageConfig
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, encode
from lamina.stream.codec import compressor, sniff
from lamina.stream.libz import libz
from lamina.stream.seek_points import finder
from lamina.stream.verify import Hasher, chunks
from lamina.study.records import is_record
from lamina.study.regrets import seen_in

__all__ = ["ANSWERS", "ASKED", "CATALOGUE", "INDEX", "LACKS", "SEALED", "SEEK", "TOLD", "main"]

ASKED, TOLD, INDEX, SEEK, SEALED, ANSWERS, CATALOGUE = (
    "asked.json", "told.json", "index", "seek", "sealed", "answers", "catalogue",
)  # fmt: skip
LACKS = {
    errno.ENOSPC: 100, errno.EDQUOT: 101, errno.ENOMEM: 102, errno.EMFILE: 103, errno.ENFILE: 103,
    errno.EAGAIN: 104,
}  # fmt: skip
"""What the machine may be short of for a while, and how a worker ends then."""

_MEMORY = 1024**3
_SEALER_MEMORY = 512 * 1024**2
_CPU_S = 900
_FILES = 4096
_SECRETS = 1000
_NICE = 15
_LOOK_EVERY_S = 0.5
_PIECE = 256 * 1024


def main(arguments: Sequence[str]) -> int:
    """Do what `asked.json` asks for; `told.json` says how it went, or why it cannot be done."""
    what, folder = arguments
    with open(os.path.join(folder, ASKED), encoding="utf-8") as file:
        asked = json.load(file)
    _end_with(int(asked["hub"]))
    _bound(int(asked["limit"]))
    try:
        told = (_layer if what == "layer" else _image)(folder, asked)
    except LaminaError as error:
        told = {"trouble": error.message}
    except MemoryError:
        told = {"trouble": f"it needs more than {_MEMORY >> 20} MiB of memory"}
    with open(os.path.join(folder, TOLD), "w", encoding="utf-8") as file:
        json.dump(told, file)
    return 0


def _end(arguments: Sequence[str]) -> int:
    """Be `main`, and say by a number that the machine has no room: there may be none to write it down."""
    try:
        return main(arguments)
    except OSError as error:
        if error.errno not in LACKS:
            raise
        return LACKS[error.errno]


def _end_with(hub: int) -> None:
    """End this process within a second once `hub`, who started it, is gone, whatever it does then."""

    def watch() -> None:
        while os.getppid() == hub:
            time.sleep(_LOOK_EVERY_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _bound(limit: int) -> None:
    """Take little of the machine, from here on."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = 2 * limit + _MEMORY  # a sealed layer: its tar and its index
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, _FILES), hard), hard))


def _layer(folder: str, asked: Document) -> Document:
    """Seal the layer that comes on stdin, and write its hollow form; or with `keep` leave it as it is."""
    path = os.path.join(folder, SEALED)
    whole: dict[str, str] = asked.get("whole", {})
    asks: list[bytes] | None = []
    with ExitStack() as stack:
        if not asked.get("keep"):
            stack.callback(_remove, path)
        sealer = stack.enter_context(Sealer(path, memory_limit=_SEALER_MEMORY, early=False))
        out = stack.enter_context(open(os.path.join(folder, SEEK), "xb"))
        seek = _Seek(out)
        import hashlib

        total = hashlib.sha256()
        for piece in _bounded(int(asked["limit"]), seek):
            total.update(piece)
            sealer.write(piece)
        diff_id = Digest(f"sha256:{total.hexdigest()}")

        def below() -> list[SealedLayer]:
            # What is copied from these is as long as it should be, and its content zeros, but of `whole` ones.
            nonlocal asks
            asks = sealer.unlisted()
            paths = [whole.get(each, each) for each in asked["below"]]
            return [stack.enter_context(SealedLayer.open(each)) for each in paths]

        result = sealer.finish(diff_id, below)
        told = {
            "copied_from": [each for each in result.copied_from if each not in whole.values()],
            "copied": result.copied,
        }
        if asked.get("keep"):
            return told
        layer = stack.enter_context(SealedLayer.open(path))
        secrets = [
            [what, os.fsdecode(where)]
            for what, where in sorted(seen_in(layer).secrets, key=lambda row: row[1])
        ][:_SECRETS]
        # no secrets: the index is attached to the image, for everyone who may pull
        notes: Document = {"diff_id": str(diff_id), "size": result.size, "entries": result.entries}
        if result.needs_parents and asks is not None:
            notes["asks"] = [quote(each) for each in asks]
        data = pack(layer, is_record, notes=encode(notes))
        _write(os.path.join(folder, INDEX), data)
        # else it would tell of the zeros that stand for what was copied
        if not told["copied_from"]:
            seek.finish(layer)
    return {**told, "needs_parents": result.needs_parents, "secrets": secrets}


class _Seek:
    """The layer's seek index, of which windows come while it is decoded."""

    def __init__(self, sink: BinaryIO) -> None:
        self._writer = SeekIndexWriter(sink)
        self._blob = Hasher()
        self._codec = ""
        self._spans: tuple[Span, ...] = ()

    def decoded(self, source: BinaryIO) -> Iterator[bytes]:
        """Give the plain bytes of `source`. Raises: CodecError."""
        head = source.read(_PIECE)
        self._codec = sniff(head)
        library = libz() if self._codec == "gzip" else None
        cutter = SpanCutter(finder(self._codec, EVERY, library), self._writer.keep)
        for packed in chain((head,), chunks(source, _PIECE)):
            self._blob.update(packed)
            yield from cutter.feed(packed)
        self._spans = cutter.finish()

    def finish(self, layer: SealedLayer) -> None:
        """Write the rest."""
        blob = self._blob
        self._writer.finish(
            layer, self._spans, blob=blob.digest, blob_size=blob.size, codec=self._codec
        )


def _bounded(limit: int, seek: _Seek) -> Iterator[bytes]:
    """Give the plain bytes of stdin, up to a limit. Raises: Unsupported, CodecError."""
    size = 0
    with os.fdopen(0, "rb", closefd=False) as source:
        for piece in seek.decoded(source):
            size += len(piece)
            if size > limit:
                raise Unsupported(f"a layer has more than {limit} bytes unpacked")
            yield piece


def _image(folder: str, asked: Document) -> Document:
    """Answer what is asked of an image, from its layers' indexes."""
    config = ImageConfig.from_json(bytes.fromhex(asked["config"]))
    with ExitStack() as stack:
        layers = [stack.enter_context(HollowLayer.open(each)) for each in asked["layers"]]
        found = answers_of(layers, config, asked["secrets"])
        _write(os.path.join(folder, CATALOGUE), _packed(catalogue_of(layers)))
    _write(os.path.join(folder, ANSWERS), _packed(encode(found)))
    return {
        "efficiency": found["efficiency"], "wasted": found["wasted"],
        "packages": found["packages_in_all"], "secrets": found["secrets_in_all"],
    }  # fmt: skip


def _packed(data: bytes) -> bytes:
    machine = compressor("zstd", 6)
    return machine.compress(data) + machine.flush()


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - what the head of this file says
        raise Invalid("run as: worker layer|image FOLDER")
    sys.exit(_end(sys.argv[1:]))
