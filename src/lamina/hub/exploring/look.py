"""One look into one image: an index for each layer, the answers, and all of it kept with the image."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from lamina.errors import LaminaError
from lamina.hub.database import Connection, Database
from lamina.hub.documents import CONFIG_LIMIT, Facts, read_facts
from lamina.hub.errors import BlobUnknown, QuotaExceeded
from lamina.hub.exploring import artifact
from lamina.hub.exploring.asking import Answers
from lamina.hub.exploring.kept import secrets_from
from lamina.hub.exploring.notes import Notes, notes_of
from lamina.hub.exploring.processes import Later, Refused, Shortage, work
from lamina.hub.exploring.shelf import Shelf
from lamina.hub.exploring.worker import ANSWERS, CATALOGUE, INDEX, SEALED, SEEK
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, explorations, manifests
from lamina.hub.tables.explorations import Exploration, Job
from lamina.image import seek_artifact
from lamina.image.seek_build import StreamRanges
from lamina.layer.seek_index import SeekIndex, head_in
from lamina.layer.seek_index_writer import Written
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, chain_id
from lamina.spec.manifest import Manifest
from lamina.spec.wire import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.hollow import HollowLayer

__all__ = ["LEASE_S", "Gone", "Look", "Places", "check_room"]

LEASE_S = 120.0
"""How long an image is a process's own after it last said so."""

_ROOM = 512 * 1024 * 1024
"""Bytes of the disk that are left to everyone else."""

_COPIED = 64 * 1024 * 1024
"""Bytes of lower layers' files that hard links may bring into a layer's indexes."""


class Gone(LaminaError):
    """The image was deleted, another has taken it, or the hub is stopping: nothing is to be noted."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a hub keeps things, and the time; `fetch` gives a whole blob of it."""

    database: Database
    storage: Storage
    shelf: Shelf
    clock: Callable[[], float]

    def fetch(self, digest: Digest) -> bytes:
        """Give a whole blob, whoever asks. Raises: BlobUnknown."""
        place = self.database.read(lambda connection: blobs.place(connection, digest))
        if place is None:
            raise BlobUnknown(f"blob {digest} is not here")
        parts = []
        with self.storage.open(digest, place) as file:
            while piece := file.read(1024 * 1024):
                parts.append(piece)
        data = b"".join(parts)
        if Digest.of(data) != digest:
            raise BlobUnknown(f"blob {digest} is damaged")
        return data


@dataclass(frozen=True, slots=True)
class _Part:
    """A blob that was made, or was here before."""

    digest: Digest
    size: int


Secrets = list[tuple[str, str]]
"""What each looks like, and its path."""


class Look:
    """A job on its way, in a folder of its own. `goes_on` is called while workers work."""

    def __init__(
        self, places: Places, job: Job, folder: str, *, limit: int, goes_on: Callable[[], None]
    ) -> None:
        self._places = places
        self._job = job
        self._folder = folder
        self._limit = limit
        self._asked = goes_on
        self._secrets: dict[Digest, Secrets] = {}
        self._answers = Answers()
        self._opened = ExitStack()
        self._open: list[HollowLayer] = []  # the image's lowest, as far as anybody asked
        self._asks: dict[Digest, tuple[bytes, ...] | None] = {}
        self._kept: dict[str, str] = {}  # whole layers, by where their indexes are
        self._room = limit

    def run(self, image: Manifest) -> None:
        """Look. Raises: Refused, QuotaExceeded, Gone, Later, Shortage, LaminaError, OSError."""
        with self._opened:
            self._look(image)

    def _look(self, image: Manifest) -> None:
        places = self._places
        places.database.read(lambda connection: _check_links(connection, self._job, image))
        if image.config.size > CONFIG_LIMIT:
            raise Refused(f"its configuration has {image.config.size} bytes")
        config = places.fetch(image.config.digest)
        check_room(self._folder)
        empty = self._keep(artifact.EMPTY)
        parts: list[_Part] = []
        seeks: list[_Part] = []
        for number in range(len(image.layers)):
            part, seek = self._index(image, number, parts, empty)
            parts.append(part)
            seeks += [seek] if seek != empty else []
        told = self._work(
            "image",
            {
                "layers": self._files(parts),
                "config": config.hex(),
                "secrets": [self._secrets[one.digest] for one in parts],
            },
        )
        catalogue = self._keep(self._taken(CATALOGUE))
        found = Exploration(
            self._job.manifest_id, "done", "", places.clock(), told["efficiency"], told["wasted"],
            told["packages"], told["secrets"], tuple(one.digest for one in (*parts, catalogue)),
        )  # fmt: skip
        attached = {artifact.ARTIFACT: self._facts(image, parts, catalogue)}
        if image.layers and len(seeks) == len(image.layers):
            attached[seek_artifact.ARTIFACT] = self._seek_facts(image, config, seeks)
        self._finish(found, self._taken(ANSWERS), attached, (*parts, *seeks, catalogue, empty))

    def _facts(self, image: Manifest, parts: list[_Part], catalogue: _Part) -> Facts:
        subject = Descriptor(self._job.media_type, self._job.digest, len(self._job.raw))
        rows = [
            (layer.digest, part.digest, part.size)
            for layer, part in zip(image.layers, parts, strict=True)
        ]
        raw = artifact.artifact(subject, rows, (catalogue.digest, catalogue.size))
        return read_facts(raw, MediaType.OCI_MANIFEST)

    def _seek_facts(self, image: Manifest, config: bytes, seeks: list[_Part]) -> Facts:
        """Give the artifact by which clients read single files of the image."""
        diff_ids = ImageConfig.from_json(config).diff_ids
        rows = []
        for number, (layer, seek) in enumerate(zip(image.layers, seeks, strict=True)):
            data = self._places.fetch(seek.digest)
            size, digest = head_in(data)
            written = Written(seek.digest, seek.size, Digest(f"sha256:{digest.hex()}"), size)
            is_alone = not SeekIndex.read(
                StreamRanges(partial(BytesIO, data)), len(data)
            ).needs_parents
            pile = None if is_alone else chain_id(diff_ids[: number + 1])
            rows.append(seek_artifact.describe(written, layer.digest, pile))
        subject = Descriptor(self._job.media_type, self._job.digest, len(self._job.raw))
        return read_facts(seek_artifact.artifact(subject, rows).raw, MediaType.OCI_MANIFEST)

    def _finish(
        self,
        found: Exploration,
        answers: bytes,
        attached: dict[str, Facts],
        parts: tuple[_Part, ...],
    ) -> None:
        """Attach what was found to the image, in one transaction."""
        job, now = self._job, self._places.clock()

        def work(connection: Connection) -> None:
            self._renew(connection)
            for digest in dict.fromkeys(one.digest for one in parts):
                if blobs.place(connection, digest) is None:
                    raise BlobUnknown(f"blob {digest} went meanwhile")
                blobs.link(connection, job.repository_id, digest, now=now)
            for kind, facts in attached.items():
                manifests.attach(connection, job.repository_id, facts, now=now)
                explorations.drop_older(connection, job, kind, facts.digest, now=now)
            explorations.finish(connection, found, answers)

        self._places.database.write(work)

    def _index(
        self, image: Manifest, number: int, below: list[_Part], empty: _Part
    ) -> tuple[_Part, _Part]:
        """Give the index of a layer, and its seek index or `empty`: those that are here, or new ones."""
        places, layer = self._places, image.layers[number].digest
        for key in self._keys(image, number, below):
            known, seek = self._noted(key), self._noted(f"seek {key}")
            if known is not None and seek is not None and self._is_seen(known.digest):
                with suppress(LaminaError, OSError):  # what cannot be read is made anew
                    places.shelf.index(known.digest, places.fetch)
                    return known, seek
        told = self._sealed(image, number, below)
        part = self._keep(self._taken(INDEX))
        self._secrets[part.digest] = told["secrets"]
        data = self._taken(SEEK)
        made = empty if told["copied_from"] else self._keep(data)
        notes = self._notes(part)
        self._asks[layer] = notes.asks
        keys = [self._pile(image, number)] if told["needs_parents"] else [str(layer)]
        if notes.asks is not None:
            keys += filter(None, (_asking(layer), self._key(layer, notes.asks, below)))

        def note(connection: Connection) -> None:
            for key in keys:
                explorations.note_index(connection, key, part.digest)
                explorations.note_index(connection, f"seek {key}", made.digest)

        places.database.write(note)
        return part, made

    def _keys(self, image: Manifest, number: int, below: list[_Part]) -> Iterator[str]:
        """Give under what an index of a layer may be noted: by itself, on its pile, or on any that says the same."""
        layer = image.layers[number].digest
        yield str(layer)
        yield self._pile(image, number)
        if layer not in self._asks:
            index = self._noted(_asking(layer))
            self._asks[layer] = None if index is None else self._notes(index).asks
        asks = self._asks[layer]
        if asks is not None and (key := self._key(layer, asks, below)):
            yield key

    @staticmethod
    def _pile(image: Manifest, number: int) -> str:
        rows = "\n".join(one.digest for one in image.layers[: number + 1])
        return f"pile {Digest.of(rows.encode())}"

    def _key(self, layer: Digest, asks: Sequence[bytes], below: list[_Part]) -> str:
        """Give under what its index is noted for all piles that say the same; empty: that takes too long."""
        for part in below[len(self._open) :]:
            self._open.append(
                self._opened.enter_context(
                    self._places.shelf.layer(part.digest, self._places.fetch)
                )
            )
        found = self._answers.about(asks, self._open[: len(below)])
        return f"{layer} on {found}" if found else ""

    def _noted(self, key: str) -> _Part | None:
        return self._places.database.read(lambda connection: _known(connection, key))

    def _notes(self, part: _Part) -> Notes:
        with self._places.shelf.layer(part.digest, self._places.fetch) as index:
            return notes_of(index)

    def _sealed(self, image: Manifest, number: int, below: list[_Part]) -> Document:
        """Have a layer's indexes made, with the content of its links into lower layers where that is little."""
        told = self._unpack(image, number, below)
        if told["copied_from"] and told["copied"] <= _COPIED:
            whole = self._whole(image, told["copied_from"], below)
            if whole is not None:
                for name in (INDEX, SEEK):
                    os.unlink(os.path.join(self._folder, name))
                told = self._unpack(image, number, below, whole=whole)
        return told

    def _whole(
        self, image: Manifest, indexes: Sequence[str], below: list[_Part]
    ) -> dict[str, str] | None:
        """Have lower layers unpacked with their content: give where, by where their indexes are.

        None: together they are larger than what is looked into.
        """
        files = self._files(below)
        found = {}
        for index in indexes:
            if index not in self._kept:
                number = files.index(index)
                self._room -= self._notes(below[number]).size
                if self._room < 0:
                    return None
                lower, folder = below[:number], os.path.join(self._folder, f"whole-{number}")
                told = self._unpack(image, number, lower, folder=folder)
                if told["copied_from"]:
                    whole = self._whole(image, told["copied_from"], lower)
                    if whole is None:
                        return None
                    shutil.rmtree(folder)
                    self._unpack(image, number, lower, whole=whole, folder=folder)
                self._kept[index] = os.path.join(folder, SEALED)
            found[index] = self._kept[index]
        return found

    def _unpack(
        self,
        image: Manifest,
        number: int,
        below: list[_Part],
        *,
        whole: dict[str, str] | None = None,
        folder: str = "",
    ) -> Document:
        """Have a process unpack a layer; in a `folder` of its own it stays there as it is."""
        places, layer = self._places, image.layers[number].digest
        place = places.database.read(lambda connection: blobs.place(connection, layer))
        if place is None:
            raise Later(f"layer {number + 1} is not here any more")
        asked: Document = {
            "limit": self._limit, "below": self._files(below), "whole": whole or {},
            "keep": bool(folder),
        }  # fmt: skip
        if folder:
            os.mkdir(folder, 0o700)
        with places.storage.open(layer, place) as source:
            try:
                return work("layer", folder or self._folder, asked, source, goes_on=self._goes_on)
            except Refused as error:
                raise Refused(f"layer {number + 1}: {error.message}") from error

    def _is_seen(self, index: Digest) -> bool:
        """Tell whether the secrets of a layer are known, by this look or that at another image."""
        if index not in self._secrets:
            found = self._places.database.read(
                lambda connection: explorations.answers_by_part(connection, index)
            )
            for known, packed in found:
                secrets = secrets_from(packed, known.parts.index(index) + 1)
                if secrets is not None:
                    self._secrets[index] = secrets
                    break
        return index in self._secrets

    def _keep(self, data: bytes) -> _Part:
        """Keep bytes as a blob of the image's repository. Raises: Gone, QuotaExceeded."""
        places, job = self._places, self._job
        digest, now = Digest.of(data), places.clock()

        def link(connection: Connection) -> bool:
            self._renew(connection)
            if blobs.place(connection, digest) is None:
                return False
            blobs.link(connection, job.repository_id, digest, now=now)
            return True

        if not places.database.write(link):
            self._add(digest, data)
        return _Part(digest, len(data))

    def _add(self, digest: Digest, data: bytes) -> None:
        """Keep new bytes, as `Uploads.take` does those of a push."""
        places, job, now = self._places, self._job, self._places.clock()
        upload, is_noted = str(uuid.uuid4()), not places.storage.finds_strays
        if is_noted:
            places.database.write(
                lambda connection: blobs.keep_leftover(connection, "", upload, now=now), alone=False
            )
        kept = places.storage.take(upload, digest, data)

        def add(connection: Connection) -> None:
            self._renew(connection)
            if is_noted:
                blobs.save_leftover(connection, upload)
            blobs.add(connection, job.repository_id, digest, kept, now=now)

        try:
            places.database.write(add)
        except (QuotaExceeded, Gone):
            if not is_noted:
                places.storage.drop_upload(upload)
            raise
        places.storage.shelve(digest, kept.place)

    def _goes_on(self) -> None:
        """Be asked about every second by a worker at work. Raises: Gone, Shortage."""
        self._asked()
        check_room(self._folder)  # a small blob may be packed so that it fills any disk

    def _renew(self, connection: Connection) -> None:
        until = self._places.clock() + LEASE_S
        if not explorations.renew(connection, self._job, until=until):
            raise Gone("the image is gone, or another's")

    def _work(self, what: str, asked: Document) -> Document:
        asked["limit"] = self._limit
        return work(what, self._folder, asked, None, goes_on=self._goes_on)

    def _files(self, parts: list[_Part]) -> list[str]:
        return [self._places.shelf.index(one.digest, self._places.fetch) for one in parts]

    def _taken(self, name: str) -> bytes:
        """Read what a worker wrote, and remove it."""
        path = os.path.join(self._folder, name)
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        return data


def _check_links(connection: Connection, job: Job, image: Manifest) -> None:
    """See that all parts are the repository's own: manifests of caches name what may be another's.

    Raises: Later.
    """
    for part in (image.config, *image.layers):
        if blobs.find(connection, job.repository_id, part.digest) is None:
            raise Later("not all of it is here yet")


def check_room(folder: str) -> None:
    """See that others are left enough of the disk. Raises: Shortage."""
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    if free < _ROOM:
        raise Shortage("too little is free on the hub's disk")


def _known(connection: Connection, key: str) -> _Part | None:
    digest = explorations.index_of(connection, key)
    if digest is None:
        return None
    row = connection.execute("SELECT size FROM blobs WHERE digest = ?", (digest,)).fetchone()
    return _Part(digest, int(row[0]))


def _asking(layer: Digest) -> str:
    """Give under what any index of a layer is noted that knows what it asks those below."""
    return f"asks {layer}"
