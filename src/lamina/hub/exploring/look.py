"""One look into one image: an index for each layer, the answers, and all of it kept with the image."""

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from lamina.errors import LaminaError
from lamina.hub.database import Connection, Database
from lamina.hub.documents import CONFIG_LIMIT, Facts, read_facts
from lamina.hub.errors import BlobUnknown, QuotaExceeded
from lamina.hub.exploring import artifact
from lamina.hub.exploring.kept import secrets_from
from lamina.hub.exploring.processes import Later, Refused, Shortage, work
from lamina.hub.exploring.shelf import Shelf
from lamina.hub.exploring.worker import ANSWERS, CATALOGUE, INDEX, SEEK
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

__all__ = ["LEASE_S", "Gone", "Look", "Places", "check_room"]

LEASE_S = 120.0
"""How long an image is a process's own after it last said so."""

_ROOM = 512 * 1024 * 1024
"""Bytes of the disk that are left to everyone else."""


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

    def run(self, image: Manifest) -> None:
        """Look. Raises: Refused, QuotaExceeded, Gone, Later, Shortage, LaminaError, OSError."""
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
        pile = Digest.of("\n".join(one.digest for one in image.layers[: number + 1]).encode())
        keys = (str(layer), f"pile {pile}")
        known, seek = places.database.read(
            lambda connection: (
                _known(connection, keys),
                _known(connection, tuple(f"seek {key}" for key in keys)),
            )
        )
        if known is not None and seek is not None and self._is_seen(known.digest):
            with suppress(LaminaError, OSError):  # what cannot be read is made anew
                places.shelf.index(known.digest, places.fetch)
                return known, seek
        place = places.database.read(lambda connection: blobs.place(connection, layer))
        if place is None:
            raise Later(f"layer {number + 1} is not here any more")
        with places.storage.open(layer, place) as source:
            try:
                told = work(
                    "layer",
                    self._folder,
                    {"limit": self._limit, "below": self._files(below)},
                    source,
                    goes_on=self._goes_on,
                )
            except Refused as error:
                raise Refused(f"layer {number + 1}: {error.message}") from error
        part = self._keep(self._taken(INDEX))
        self._secrets[part.digest] = told["secrets"]
        data = self._taken(SEEK)
        made = self._keep(data) if told["seek"] else empty
        key = keys[1] if told["needs_parents"] else keys[0]

        def note(connection: Connection) -> None:
            explorations.note_index(connection, key, part.digest)
            explorations.note_index(connection, f"seek {key}", made.digest)

        places.database.write(note)
        return part, made

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


def _known(connection: Connection, keys: tuple[str, ...]) -> _Part | None:
    for key in keys:
        digest = explorations.index_of(connection, key)
        if digest is not None:
            row = connection.execute(
                "SELECT size FROM blobs WHERE digest = ?", (digest,)
            ).fetchone()
            return _Part(digest, int(row[0]))
    return None
