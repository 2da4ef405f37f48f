"""Image folders: OCI layouts (`oci:`) and skopeo's plain folders (`dir:`).

Spec: image-spec image-layout.md. A `dir:` folder has one image: `version`, `manifest.json`, and
every blob and further manifest under its hex.
"""

import io
import os
from contextlib import contextmanager, nullcontext, suppress
from threading import Lock

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.events import Phase
from lamina.image.pump import Pump
from lamina.image.sink import Arrival, OpenBlob, Progress
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import MANIFEST_LIMIT, parse_manifest
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import (
    acquire,
    disk_errors,
    fresh_name,
    locked,
    sync_directory,
    write_all,
    write_out,
)
from lamina.stream.verify import DigestMismatch, Hasher, chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lamina.stream.verify import Readable

__all__ = ["DirSink", "DirSource", "Files", "LayoutSink", "LayoutSource"]

_REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = {"imageLayoutVersion": "1.0.0"}
_INDEX: Document = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [],
}
_HEX, _HEX_SIZES = frozenset("0123456789abcdef"), (64, 128)
_DIR_VERSION = b"Directory Transport Version: 1.1\n"


class Files:
    """Blobs as files: those of a layout lie by algorithm, those of a plain folder beside each other."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, digest: Digest) -> str:
        """Tell where a blob lies."""
        return f"{self.folder}/blobs/{digest.algorithm}/{digest.hex}"

    def has(self, wanted: Descriptor) -> bool:
        """Tell whether a blob is here, going by its size; where the folder is not, nothing is."""
        return _has(self.path(wanted.digest), wanted.size)

    def read(self, digest: Digest, path: str = "") -> bytes:
        """Read a document and check it. Raises: NotFound, Corrupt."""
        place = path or self.path(digest)
        try:
            with open(place, "rb") as file:
                raw = file.read(MANIFEST_LIMIT + 1)
        except FileNotFoundError as error:
            raise NotFound(
                f"{self.folder} has no {digest}", hint="it may be a part of an image only"
            ) from error
        if len(raw) > MANIFEST_LIMIT:
            raise Corrupt(f"{digest} in {self.folder} is larger than {MANIFEST_LIMIT} bytes")
        hasher = Hasher(digest.algorithm)
        hasher.update(raw)
        if hasher.digest != digest:
            raise DigestMismatch(f"{digest} in {self.folder} is damaged")
        return raw

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> "Iterator[Readable]":
        """Open a blob at `offset`. Raises: NotFound."""
        try:
            file = open(self.path(descriptor.digest), "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError as error:
            raise NotFound(f"{self.folder} has no blob {descriptor.digest}") from error
        with file:
            file.seek(offset)
            yield file

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - the Protocol's
        """Give nothing: a plain folder has one image and no list."""
        return ()

    def stop(self) -> None:
        """Do nothing: reads of files end by themselves."""

    def take(self, wanted: Descriptor, opened: OpenBlob, progress: Progress) -> Arrival:
        """Write a blob beside, verified and synced, then give it its name.

        That the name survives a power cut is left to `finish`: before it nothing leads there.
        """
        path = self.path(wanted.digest)
        if self.has(wanted):
            return Arrival(Phase.PRESENT)
        self.write(path, lambda fd: self._fill(fd, opened, progress))
        return Arrival()

    def write(self, path: str, fill: "Callable[[int], object]") -> None:
        """Let `fill` write a file that appears whole, synced. Its folder is made, and not synced.

        Until then it is locked, which tells it from what a killed process left. Raises: DiskFull.
        """
        temporary = f"{self.folder}/.{fresh_name()}~"
        with disk_errors(f"writing {path}"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = acquire(temporary)
            try:
                fill(fd)
                os.fsync(fd)
                os.rename(temporary, path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
            finally:
                os.close(fd)

    def sweep(self) -> None:
        """Remove what killed processes were writing here; what others write now stays."""
        for name in os.listdir(self.folder):
            if _is_unfinished(name):
                with suppress(BlockingIOError, FileNotFoundError):
                    fd = acquire(f"{self.folder}/{name}", wait=False, create=False)
                    os.unlink(f"{self.folder}/{name}")
                    os.close(fd)

    def _fill(self, fd: int, opened: OpenBlob, progress: Progress) -> None:
        written = 0

        def write(piece: bytes) -> None:
            nonlocal written
            write_all(fd, piece)
            written += len(piece)
            write_out(fd, written - len(piece), written)
            progress(written)

        # Written by a thread of its own: reading hashes what comes.
        with opened() as stream, Pump(write, name="write") as writing:
            for piece in chunks(stream):
                writing.put(piece)
            writing.close()


class LayoutSource(Files):
    """One image of an OCI layout: the only one, or the one with the name `name`."""

    def __init__(self, folder: str, name: str = "") -> None:
        super().__init__(folder)
        self._target = _find(folder, name)

    def manifest(self, digest: Digest | None) -> tuple[Descriptor, bytes]:
        """Read the image's manifest or a child of it, verified."""
        wanted = digest or self._target.digest
        raw = self.read(wanted)
        media_type = "" if digest else self._target.media_type
        return Descriptor(media_type, wanted, len(raw)), raw

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Look through the manifests that `index.json` lists."""
        found = []
        for row in _index(self.folder).get("manifests") or []:
            descriptor = Descriptor.from_json(row)
            if descriptor.media_type in (*MediaType.MANIFESTS, *MediaType.INDEXES):
                document = parse_manifest(self.read(descriptor.digest), descriptor.media_type)
                if document.subject is not None and document.subject.digest == digest:
                    found.append(descriptor)
        return tuple(found)


class LayoutSink(Files):
    """A name in an OCI layout, which is made when absent; other images in it stay."""

    def __init__(self, folder: str, name: str = "") -> None:
        super().__init__(folder)
        self._name = name
        self._top: Descriptor | None = None
        self._attached: list[Descriptor] = []
        with disk_errors(f"making {folder}"):
            os.makedirs(folder, exist_ok=True)
        with suppress(FileNotFoundError):
            _check_layout(folder)
            return
        # A copy that was cut short wrote everything but the marker; the repeat goes on with it.
        ours = {"blobs", "index.json", ".lock"}
        if any(name not in ours and not _is_unfinished(name) for name in os.listdir(folder)):
            raise Invalid(
                f"{folder} is not empty and no OCI layout", hint="name a new or an empty folder"
            )

    def manifest(self, descriptor: Descriptor, raw: bytes, *, top: bool) -> None:
        """Keep a manifest as the blob it is."""
        path = self.path(descriptor.digest)
        if not _has(path, len(raw)):
            self.take(descriptor, lambda: nullcontext(io.BytesIO(raw)), lambda _: None)
        if top:
            self._top = descriptor
        elif parse_manifest(raw, descriptor.media_type).subject is not None:
            self._attached.append(descriptor)  # nothing leads there but the list

    def finish(self) -> None:
        """Put the name into `index.json`; whoever held it before loses it, and the layout marker last."""
        top = self._top
        if top is None:
            raise Invalid("nothing was copied")
        row = top.to_json()
        if self._name:
            row["annotations"] = {_REF_NAME: self._name}
        os.makedirs(f"{self.folder}/blobs/sha256", exist_ok=True)
        blobs = f"{self.folder}/blobs"
        for folder in (*(f"{blobs}/{name}" for name in os.listdir(blobs)), blobs, self.folder):
            sync_directory(folder)
        with locked(f"{self.folder}/.lock"):
            index = _index(self.folder)
            kept = [old for old in index.get("manifests") or [] if not self._replaces(old, row)]
            listed = {old.get("digest") for old in kept}
            new = [each.to_json() for each in self._attached if each.digest not in listed]
            rows = [*kept, row, *new]
            self._put("index.json", {**index, "manifests": rows})
            if not os.path.exists(f"{self.folder}/oci-layout"):
                self._put("oci-layout", _LAYOUT)
            self.sweep()
        with suppress(OSError):
            os.unlink(f"{self.folder}/.lock")

    def _put(self, name: str, document: Document) -> None:
        self.write(f"{self.folder}/{name}", lambda fd: write_all(fd, encode(document)))
        sync_directory(self.folder)

    def _replaces(self, old: Document, row: Document) -> bool:
        name = (old.get("annotations") or {}).get(_REF_NAME, "")
        return bool(name == self._name if self._name else old.get("digest") == row["digest"])

    def abandon(self) -> None:
        """Leave whole blobs for the next attempt."""


class DirSource(Files):
    """The image of a plain folder."""

    def path(self, digest: Digest) -> str:
        """Tell where a blob lies: under its hex; sha512's with the algorithm before it."""
        return f"{self.folder}/{_dir_name(digest)}"

    def manifest(self, digest: Digest | None) -> tuple[Descriptor, bytes]:
        """Read `manifest.json`, or a child's."""
        if digest is not None:
            raw = self.read(digest, f"{self.folder}/{_dir_name(digest)}.manifest.json")
            return Descriptor("", digest, len(raw)), raw
        try:
            with open(f"{self.folder}/manifest.json", "rb") as file:
                raw = file.read(MANIFEST_LIMIT + 1)
        except FileNotFoundError as error:
            raise NotFound(
                f"{self.folder} is no image folder", hint="a `dir:` has a manifest.json"
            ) from error
        return parse_manifest(raw).descriptor, raw


class DirSink(Files):
    """A plain folder, new or empty."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        with disk_errors(f"making {folder}"):
            os.makedirs(folder, exist_ok=True)
        if not os.path.exists(f"{folder}/manifest.json") and not all(
            map(_is_of_dir, os.listdir(folder))
        ):
            raise Invalid(
                f"{folder} is not empty and no image folder", hint="name a new or an empty folder"
            )
        self._lock = Lock()
        self._top = b""

    def path(self, digest: Digest) -> str:
        """Tell where a blob lies."""
        return f"{self.folder}/{_dir_name(digest)}"

    def manifest(self, descriptor: Descriptor, raw: bytes, *, top: bool) -> None:
        """Keep a child's manifest under its digest; the top one waits for `finish`."""
        if top:
            self._top = raw
        else:
            self._put(f"{_dir_name(descriptor.digest)}.manifest.json", raw)

    def finish(self) -> None:
        """Write the version, and `manifest.json` last."""
        self._put("version", _DIR_VERSION)
        sync_directory(self.folder)
        self._put("manifest.json", self._top)
        sync_directory(self.folder)
        self.sweep()

    def _put(self, name: str, raw: bytes) -> None:
        self.write(f"{self.folder}/{name}", lambda fd: write_all(fd, raw))

    def abandon(self) -> None:
        """Leave whole blobs for the next attempt."""


def _dir_name(digest: Digest) -> str:
    return digest.hex if digest.algorithm == "sha256" else f"{digest.algorithm}:{digest.hex}"


def _is_of_dir(name: str) -> bool:
    """Tell whether a copy that was cut short may have left `name` in a plain folder."""
    if name == "version" or _is_unfinished(name):
        return True
    encoded = name.removesuffix(".manifest.json").rpartition(":")[2]
    return len(encoded) in _HEX_SIZES and not set(encoded) - _HEX


def _is_unfinished(name: str) -> bool:
    return name[:1] == "." and name[-1:] == "~" and not set(name[1:-1]) - _HEX


def _has(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except FileNotFoundError:
        return False


def _check_layout(folder: str) -> None:
    with open(f"{folder}/oci-layout", "rb") as file:
        version = decode(file.read(4096), what=f"{folder}/oci-layout").get("imageLayoutVersion")
    if version != _LAYOUT["imageLayoutVersion"]:
        raise Invalid(f"{folder} is an image layout of version {version!r}, we know 1.0.0")


def _index(folder: str) -> Document:
    try:
        with open(f"{folder}/index.json", "rb") as file:
            return decode(file.read(), what=f"{folder}/index.json")
    except FileNotFoundError:
        return dict(_INDEX)


def _find(folder: str, name: str) -> Descriptor:
    """Find an image in a layout by the name it has there, or by its digest."""
    try:
        _check_layout(folder)
    except FileNotFoundError as error:
        raise NotFound(f"{folder} is no OCI layout", hint="it has no file oci-layout") from error
    rows = [Descriptor.from_json(row) for row in _index(folder).get("manifests") or []]
    if not name and len(rows) == 1:
        return rows[0]
    names = [row.annotations.get(_REF_NAME, "") for row in rows]
    for row, own in zip(rows, names, strict=True):
        if name and name in (own, str(row.digest)):
            return row
    shown = ", ".join(sorted(filter(None, names))) or "none has a name"
    if not name:
        raise Invalid(
            f"{folder} has {len(rows)} images; say which", hint=f"oci:{folder}:NAME of {shown}"
        )
    raise NotFound(f"{folder} has no image {name!r}", hint=f"it has {shown}")
