"""Images in one tar file: OCI layouts, docker's archives, and the two at once.

Spec: image-spec image-layout.md; docker's `manifest.json` is described by its own `save`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import read_entries
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, decode
from lamina.stream.verify import DigestMismatch
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.spec.manifest import Manifest
    from lamina.stream.verify import Readable

__all__ = [
    "LEFT_OUT",
    "Archive",
    "ArchiveImage",
    "ArchiveSource",
    "LayerLeftOut",
    "LegacyImage",
    "MemberMissing",
]

LEFT_OUT = "io.lamina.bundle.left-out"
"""Annotation of a bundle's index: digests of layers that its receiver has, comma between."""

_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"
_DOCUMENT_LIMIT = 16 * 1024 * 1024
_LINK_LIMIT = 8
_HOLE = 1024 * 1024  # bytes of a hole that are read at a time


class MemberMissing(NotFound):
    """The archive names a file that it does not contain."""


class LayerLeftOut(NotFound):
    """The bundle was made for a machine that has this layer."""


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One entry of an archive's `index.json`, and the names it should get."""

    descriptor: Descriptor
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LegacyImage:
    """One row of a `manifest.json` without an OCI index: member names, lowest layer first."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


class Archive:
    """Random access to a plain tar of an image. Reads its headers once; closes nothing."""

    def __init__(self, file: "BinaryIO") -> None:
        self._file = file
        file.seek(0)
        self._members: dict[str, Entry] = {}
        for entry in read_entries(file):
            name = os.fsdecode(entry.path)
            self._members[name] = entry

    def has(self, name: str) -> bool:
        """Tell whether there is a file called `name`."""
        return name in self._members

    def open(self, name: str, offset: int = 0) -> "_Member":
        """Open one file at `offset`, following links inside the archive. Raises: MemberMissing."""
        for _ in range(_LINK_LIMIT):
            entry = self._members.get(name)
            if entry is None:
                break
            if entry.kind is Kind.FILE:
                return _Member(self._file.fileno(), entry, offset)
            if entry.kind is Kind.HARDLINK:
                name = os.fsdecode(entry.link)
            elif entry.kind is Kind.SYMLINK:
                name = os.path.normpath(
                    os.path.join(os.path.dirname(name), os.fsdecode(entry.link))
                )
            else:
                break
        raise MemberMissing(f"the archive has no file {name!r}", hint="it may have been cut short")

    def read(self, name: str) -> bytes:
        """Read one small file whole. Raises: MemberMissing, Corrupt (beyond 16 MiB)."""
        member = self.open(name)
        if member.size > _DOCUMENT_LIMIT:
            raise Corrupt(f"{name!r} in the archive has {member.size} bytes, beyond reason")
        return b"".join(iter(lambda: member.read(_DOCUMENT_LIMIT), b""))

    def left_out(self) -> frozenset[str]:
        """Give the digests of the layers that a bundle does without."""
        if not self.has("index.json"):
            return frozenset()
        annotations = decode(self.read("index.json"), what="index.json").get("annotations")
        text = annotations.get(LEFT_OUT) if isinstance(annotations, dict) else ""
        return frozenset(str(text or "").split(",")) - {""}

    def images(self) -> tuple[ArchiveImage, ...]:
        """List what `index.json` offers; empty when there is no OCI layout."""
        if not self.has("index.json") or not self.has("oci-layout"):
            return ()
        by_config = self._docker_names()
        rows = decode(self.read("index.json"), what="index.json").get("manifests") or []
        images = []
        for row in rows:
            descriptor = Descriptor.from_json(row)
            names = _names_of(descriptor.annotations)
            config = self._config_of(descriptor)
            names += [name for name in by_config.get(config, ()) if name not in names]
            images.append(ArchiveImage(descriptor, tuple(names)))
        return _merged(images)

    def _config_of(self, descriptor: Descriptor) -> str:
        path = _blob_path(descriptor.digest)
        if descriptor.media_type not in MediaType.MANIFESTS or not self.has(path):
            return ""
        config = decode(self.read(path)).get("config")
        return str(config.get("digest")) if isinstance(config, dict) else ""

    def _docker_names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self._docker_rows():
            digest = Digest.of(self.read(str(row.get("Config"))))
            found.setdefault(str(digest), []).extend(row.get("RepoTags") or [])
        return found

    def _docker_rows(self) -> list[Document]:
        if not self.has("manifest.json"):
            return []
        rows = decode(b'{"rows":' + self.read("manifest.json") + b"}", what="manifest.json")["rows"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Invalid("manifest.json is not a list of images")
        return rows

    def legacy_images(self) -> tuple[LegacyImage, ...]:
        """List what `manifest.json` offers, for archives that have no OCI layout."""
        return tuple(
            LegacyImage(
                config=str(row.get("Config") or ""),
                layers=tuple(row.get("Layers") or ()),
                names=tuple(row.get("RepoTags") or ()),
            )
            for row in self._docker_rows()
        )


class ArchiveSource:
    """One image of an archive's OCI layout, as an `ImageSource`."""

    def __init__(self, archive: Archive, descriptor: Descriptor) -> None:
        self._archive = archive
        self._descriptor = descriptor

    def manifest(self, digest: Digest | None) -> tuple[Descriptor, bytes]:
        """Read a manifest and check its digest. Raises: MemberMissing, DigestMismatch."""
        wanted = digest or self._descriptor.digest
        raw = self._archive.read(_blob_path(wanted))
        if Digest.of(raw) != wanted:
            raise DigestMismatch(f"{wanted} in the archive is damaged")
        media_type = self._descriptor.media_type if digest is None else ""
        return Descriptor(media_type, wanted, len(raw)), raw

    def config(self, manifest: "Manifest") -> bytes:
        """Read a manifest's configuration, as it is. Raises: MemberMissing, Corrupt."""
        return self._archive.read(_blob_path(manifest.config.digest))

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> "Iterator[Readable]":
        """Open a blob of the archive at `offset`. Raises: LayerLeftOut, MemberMissing."""
        try:
            member = self._archive.open(_blob_path(descriptor.digest), offset)
        except MemberMissing as error:
            if descriptor.digest not in self._archive.left_out():
                raise
            raise LayerLeftOut(
                f"the bundle leaves out layer {descriptor.digest}, which is not here",
                hint="make it against this machine: `lamina inventory > have.json` here, "
                "`lamina save --have have.json` there",
            ) from error
        yield member

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - the Protocol's
        """Give nothing: an archive of images does not say what is attached."""
        return ()

    def stop(self) -> None:
        """Do nothing: reads of files end by themselves."""


class _Member:
    """One file of the archive; reads by position, so that threads may share the archive."""

    def __init__(self, fd: int, entry: Entry, offset: int) -> None:
        self._fd = fd
        self._at = offset
        self._segments = entry.segments or ((0, entry.offset, entry.size),)
        self.size = entry.size

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self.size - self._at)
        data = self._read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def _read(self, size: int) -> bytes:
        """Read up to `size` bytes; tar stores a file with long runs of zeros without them."""
        for logical, place, length in self._segments:
            if self._at < logical:
                return bytes(min(size, logical - self._at, _HOLE))
            if self._at < logical + length:
                within = self._at - logical
                return os.pread(self._fd, min(size, length - within), place + within)
        return bytes(min(size, _HOLE))


def _blob_path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _names_of(annotations: Mapping[str, str]) -> list[str]:
    """Choose a full name; a bare `latest` (all that some tools write) names nothing."""
    full = annotations.get(_FULL_NAME)
    if full:
        return [full]
    name = annotations.get(_REF_NAME, "")
    return [name] if ":" in name or "/" in name else []


def _merged(images: list[ArchiveImage]) -> tuple[ArchiveImage, ...]:
    """Join the rows of one manifest: layouts repeat it once per name."""
    rows: dict[Digest, ArchiveImage] = {}
    for image in images:
        known = rows.get(image.descriptor.digest)
        names = (*known.names, *image.names) if known else image.names
        rows[image.descriptor.digest] = ArchiveImage(image.descriptor, tuple(dict.fromkeys(names)))
    return tuple(rows.values())
