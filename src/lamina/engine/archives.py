"""Save, load and import: images as tar files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from lamina.engine.clock import now_text
from lamina.engine.journal import note_image
from lamina.engine.naming import keep_image, name_image
from lamina.errors import Corrupt, Invalid
from lamina.events import Event, LayerProgress, Listener, Notice, Phase
from lamina.image.archive import LEFT_OUT, Archive, ArchiveSource, LegacyImage
from lamina.image.edit import append_layer, apply_changes, new_manifest
from lamina.image.intake import Intake
from lamina.image.receive import Place, receive
from lamina.image.source import PlatformUnavailable, choose_manifest
from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.tar import TarWriter
from lamina.spec.config import History, ImageConfig
from lamina.spec.descriptor import MediaType
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference
from lamina.spec.wire import Document, encode
from lamina.stream.codec import decompressed, sniff
from lamina.stream.verify import CHUNK, DigestMismatch, Hasher, chunks
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import BinaryIO

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.digest import Digest
    from lamina.spec.manifest import Manifest
    from lamina.store.undo import Occasion

__all__ = [
    "ArchiveInvalid",
    "ImportRequest",
    "Loaded",
    "import_",
    "load",
    "opened_archive",
    "save",
]

_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"


class ArchiveInvalid(Invalid):
    """The file is no image archive."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One image that a load brought: its ID and the familiar names it got."""

    id: "Digest"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What an import should make of a root file system's tar."""

    name: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    platform: str = ""
    source: str = "-"


def save(
    engine: "Engine",
    names: Sequence[str],
    out: "BinaryIO",
    *,
    form: str,
    platform: str = "",
    without: "Container[Digest]" = (),
) -> None:
    """Write images with their names as one tar, blobs exactly as they are kept.

    The tar is an OCI image layout; form `docker` adds the `manifest.json` that docker's load
    reads. Layers `without` are left out: the bundle is for a machine that has them, and says so.
    The same images give the same bytes. Raises: ImageUnknown, Invalid (form), DigestMismatch (a blob
    is damaged; what was written is of no use).
    """
    if form not in ("docker", "oci"):
        raise Invalid(f"unknown archive format {form!r}", hint="use docker or oci")
    with engine.store.lease():
        images = [
            (engine.images.resolve(name, platform=platform), _names_to_save(engine, name))
            for name in names
        ]
        layers = {layer.digest for image, _ in images for layer in image.manifest.layers}
        left = {digest for digest in layers if digest in without}
        writer = TarWriter(out.write)
        _put(writer, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        index: Document = {"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX}
        index["manifests"] = _index_rows(images)
        if left:
            index["annotations"] = {LEFT_OUT: ",".join(sorted(left))}
        _put(writer, "index.json", encode(index))
        if form == "docker" and not left:  # docker cannot do without any layer
            _put(writer, "manifest.json", encode([_docker_row(*image) for image in images]))
        digests = [d for d in _blobs_of(image for image, _ in images) if d not in left]
        # A plain user's skopeo fails at folders that the tar does not list: it gives them to root.
        for folder in ("blobs", *sorted({f"blobs/{digest.algorithm}" for digest in digests})):
            writer.add(Entry(folder.encode(), Kind.DIRECTORY, 0o755))
        for digest in digests:
            size = engine.store.blobs.size(digest)
            entry = _file(f"blobs/{digest.algorithm}/{digest.hex}", size)
            hasher = Hasher(digest.algorithm)
            with engine.store.blobs.open(digest) as blob:
                writer.add(entry, _hashed(chunks(blob, CHUNK), hasher))
            if hasher.digest != digest:  # a backup that nobody can load would be found out too late
                raise DigestMismatch(
                    f"blob {digest} is damaged on disk: its bytes have digest {hasher.digest}",
                    hint="`lamina fsck --repair` makes it again where it can; else pull or build the image again",
                )
        writer.close()
    for image, _ in images:
        note_image(engine, str(image.id), "save")


def _hashed(pieces: "Iterable[bytes]", hasher: Hasher) -> "Iterator[bytes]":
    for piece in pieces:
        hasher.update(piece)
        yield piece


def _names_to_save(engine: "Engine", name: str) -> tuple[str, ...]:
    """Tell which names go along: a tag saves itself, an ID saves none."""
    first = engine.images.find(name)[0].name
    if not first or "@" in first:
        return ()
    return (first,) if str(_parsed(name)) == first else ()


def _parsed(text: str) -> Reference | None:
    try:
        return Reference.parse(text)
    except Invalid:
        return None


def _index_rows(images: "Sequence[tuple[LocalImage, tuple[str, ...]]]") -> list[Document]:
    rows = []
    for image, names in images:
        for name in names or ("",):
            row = image.manifest.descriptor.to_json()
            row["platform"] = image.config.platform.to_json()
            if name:
                tag = Reference.parse(name).tag
                row["annotations"] = {_FULL_NAME: name, _REF_NAME: tag}
            rows.append(row)
    return rows


def _docker_row(image: "LocalImage", names: tuple[str, ...]) -> Document:
    return {
        "Config": f"blobs/{image.id.algorithm}/{image.id.hex}",
        "RepoTags": [Reference.parse(name).familiar for name in names] or None,
        "Layers": [
            f"blobs/{row.digest.algorithm}/{row.digest.hex}" for row in image.manifest.layers
        ],
    }


def _blobs_of(images: "Iterable[LocalImage]") -> "list[Digest]":
    digests: dict[Digest, None] = {}
    for image in images:
        rows = (image.manifest.descriptor, image.manifest.config, *image.manifest.layers)
        digests.update(dict.fromkeys(row.digest for row in rows))
    return list(digests)


def _file(name: str, size: int) -> Entry:
    return Entry(os.fsencode(name), Kind.FILE, 0o644, 0, 0, size, 0)


def _put(writer: TarWriter, name: str, data: bytes) -> None:
    writer.add(_file(name, len(data)), (data,))


def load(
    engine: "Engine", stream: "BinaryIO", *, platform: str = "", listener: Listener
) -> tuple[Loaded, ...]:
    """Read every image of a docker-archive or OCI layout tar, gzip or zstd around it or not.

    With `platform` only those for it. Each image is verified like a pulled one before it gets its names.
    Raises: ArchiveInvalid (no such image in it), Corrupt (damaged), Unavailable (disk).
    """
    from lamina.engine.undo import occasion

    chosen = Platform.parse(platform) if platform else None
    others: list[str] = []
    why = occasion("load")  # one for all its images: they come back together
    with engine.store.lease(), _seekable(engine, stream) as file:
        archive = _opened(file)
        place = engine.place()
        loaded = []
        for image in archive.images():
            source = ArchiveSource(archive, image.descriptor)
            if chosen and not _offers(source, chosen, others):
                continue
            wanted = chosen or image.descriptor.platform or engine.platform
            shown = image.names[0] if image.names else image.descriptor.digest
            received = receive(source, place, wanted, name=shown, listener=_as_loading(listener))
            documents = received.manifest, received.config
            loaded.append(_named(engine, *documents, image.names, listener, why=why))
        if not loaded and not others:
            for legacy in archive.legacy_images():
                if chosen and not _fits(archive.read(legacy.config), chosen, others):
                    continue
                manifest, config = _receive_legacy(place, archive, legacy, listener)
                loaded.append(_named(engine, manifest, config, legacy.names, listener, why=why))
    if others and not loaded:
        there = ", ".join(sorted(set(others)))
        raise ArchiveInvalid(f"the file holds no image for {platform}", hint=f"it has {there}")
    if not loaded:
        raise ArchiveInvalid(
            "the file holds no image: neither index.json nor manifest.json is in it",
            hint="a tar of a root file system is read by `lamina import`",
        )
    return tuple(loaded)


def _offers(source: ArchiveSource, wanted: Platform, others: list[str]) -> bool:
    """Tell whether an image of an archive is for `wanted`; else note in `others` what it is for."""
    try:
        manifest = choose_manifest(source, wanted, name="the archive")[1]
    except PlatformUnavailable:
        index = parse_manifest(source.manifest(None)[1])
        rows = index.manifests if isinstance(index, Index) else ()
        others += [str(row.platform) for row in rows if row.platform] or ["others"]
        return False
    return _fits(source.config(manifest), wanted, others)


def _fits(config: bytes, wanted: Platform, others: list[str]) -> bool:
    platform = ImageConfig.from_json(config).platform
    if wanted.choose([platform]) is None:
        others.append(str(platform))
        return False
    return True


@contextmanager
def opened_archive(engine: "Engine", stream: "BinaryIO") -> Iterator[Archive]:
    """Give an image's tar for reading at any place, gzip or zstd around it or not.

    Raises: ArchiveInvalid (no tar).
    """
    with _seekable(engine, stream) as file:
        yield _opened(file)


def _opened(file: "BinaryIO") -> Archive:
    try:
        return Archive(file)
    except EntryInvalid as error:
        raise ArchiveInvalid(
            f"the file is no whole tar archive: {error}",
            hint="it may have been cut short on its way here; save it again",
        ) from error


def _as_loading(listener: Listener) -> Listener:
    """Tell of layers in a load's words; what only a download has is left out."""

    def tell(event: Event) -> None:
        if isinstance(event, LayerProgress):
            if event.phase not in (Phase.DOWNLOADING, Phase.EXTRACTING):
                return
            event = LayerProgress(event.id, Phase.LOADING, event.current, event.total)
        listener(event)

    return tell


@contextmanager
def _seekable(engine: "Engine", stream: "BinaryIO") -> "Iterator[BinaryIO]":
    """Give `stream` itself when it is a plain file, else a temporary copy without compression."""
    from tempfile import TemporaryFile

    head = b""
    if stream.seekable() and _is_file(stream):
        head = stream.read(4)
        stream.seek(0)
    if head and not sniff(head):
        yield stream
        return
    with TemporaryFile(dir=engine.store.disk.uploads) as copy:
        for piece in decompressed(stream):
            copy.write(piece)
        copy.flush()
        yield copy


def _is_file(stream: "BinaryIO") -> bool:
    """Tell whether the stream has a descriptor that threads can read by position."""
    try:
        return stream.fileno() >= 0
    except OSError:  # bytes in memory
        return False


def _receive_legacy(
    place: Place, archive: Archive, image: LegacyImage, listener: Listener
) -> "tuple[Manifest, ImageConfig]":
    """Take in an image of docker's old archives, whose layers have names instead of digests."""
    config = ImageConfig.from_json(archive.read(image.config))
    if len(config.diff_ids) != len(image.layers):
        raise Corrupt(
            f"the archive lists {len(image.layers)} layers, its configuration {len(config.diff_ids)}"
        )
    blobs = []
    for number, (member, diff_id) in enumerate(zip(image.layers, config.diff_ids, strict=True)):
        stream = archive.open(member)
        listener(LayerProgress(diff_id.short, Phase.LOADING, 0, stream.size))
        with Intake(place, config.diff_ids[:number]) as intake:
            for piece in decompressed(stream):
                intake.write(piece)
            layer = intake.commit(expected=diff_id)
        listener(LayerProgress(diff_id.short, Phase.PULLED, stream.size, stream.size))
        blobs.append(layer.blob)
    manifest = new_manifest(config, blobs)
    place.blobs.put(config.raw)
    place.blobs.put(manifest.raw)
    return manifest, config


def _named(
    engine: "Engine",
    manifest: "Manifest",
    config: ImageConfig,
    names: Sequence[str],
    listener: Listener,
    *,
    why: "Occasion",
) -> Loaded:
    references = list(dict.fromkeys(Reference.parse(name) for name in names))
    for reference in references:
        name_image(engine, str(reference), manifest, config, command=why)
        listener(Notice(f"Loaded image: {reference.familiar}"))
    if not references:
        keep_image(engine, manifest, config)
        listener(Notice(f"Loaded image ID: {config.digest}"))
    return Loaded(config.digest, tuple(reference.familiar for reference in references))


def import_(engine: "Engine", stream: "BinaryIO", request: ImportRequest) -> "Digest":
    """Make a one-layer image of a tar, compressed or not; give its ID.

    Raises: ReferenceInvalid, ChangeInvalid, Corrupt (no tar).
    """
    reference = Reference.parse(request.name) if request.name else None
    settings = apply_changes({}, request.changes)
    platform = Platform.parse(request.platform) if request.platform else engine.platform
    place = Place(engine.store.blobs, engine.layers)
    with engine.store.lease():
        with Intake(place, ()) as intake:
            for piece in decompressed(stream):
                intake.write(piece)
            layer = intake.commit()
        comment = request.message or f"Imported from {request.source}"
        base: Document = {**platform.to_json(), "os": platform.os}
        config = append_layer(
            base,
            diff_id=layer.diff_id,
            row=History(created=now_text(), comment=comment),
            settings=settings,
        )
        manifest = new_manifest(config, [layer.blob])
        engine.store.blobs.put(config.raw)
        engine.store.blobs.put(manifest.raw)
        if reference is None:
            keep_image(engine, manifest, config)
        else:
            command = f"import {request.source} {reference.familiar}"
            name_image(engine, str(reference), manifest, config, command=command)
    return config.digest
