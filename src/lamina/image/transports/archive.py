"""Image archives as sinks (`oci-archive:`, `docker-archive:`): a layout, written out as one tar.

The tar of a `docker-archive:` is a layout too, with the `manifest.json` that docker reads beside
it; so nothing is compressed or inflated on the way and digests stay.
"""

import os
from contextlib import suppress

from lamina.errors import Invalid, Unsupported
from lamina.image.transports.folder import LayoutSink
from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import TarWriter
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.reference import Reference
from lamina.spec.wire import Document, encode
from lamina.stream.files import disk_errors, fresh_name, publish, remove_tree
from lamina.stream.verify import chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.image.sink import Arrival, OpenBlob, Progress
    from lamina.spec.descriptor import Descriptor

__all__ = ["ArchiveSink"]

_FULL_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


class ArchiveSink:
    """One new tar file; it appears whole, in the place of a former one."""

    def __init__(self, path: str, name: str = "", *, docker: bool) -> None:
        self._path = path
        self._name = name
        self._docker = docker
        self._reference = Reference.parse(name) if name and docker else None
        self._folder = f"{path}.{fresh_name()}~"
        self._layout = LayoutSink(self._folder, name)
        self._top: tuple[Descriptor, bytes] | None = None

    def take(self, wanted: "Descriptor", opened: "OpenBlob", progress: "Progress") -> "Arrival":
        """Take a blob."""
        return self._layout.take(wanted, opened, progress)

    def manifest(self, descriptor: "Descriptor", raw: bytes, *, top: bool) -> None:
        """Take a manifest. Raises: Unsupported (docker's archives hold no indexes)."""
        if self._docker and not isinstance(parse_manifest(raw, descriptor.media_type), Manifest):
            raise Unsupported(
                "a docker-archive holds images, not indexes of them",
                hint="leave out --all, or copy to oci-archive:",
            )
        self._layout.manifest(descriptor, raw, top=top)
        if top:
            self._top = (descriptor, raw)

    def finish(self) -> None:
        """Write the tar beside its place, and move it there."""
        if self._top is None:
            raise Invalid("nothing was copied")
        self._layout.finish()
        temporary = f"{self._folder}.tar"
        with disk_errors(f"writing {self._path}"):
            try:
                with open(temporary, "xb") as file:
                    self._write(file)
                    file.flush()
                    os.fsync(file.fileno())
                publish(temporary, self._path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        remove_tree(self._folder)

    def abandon(self) -> None:
        """Remove what was gathered."""
        remove_tree(self._folder)

    def _write(self, file: "BinaryIO") -> None:
        writer = TarWriter(file.write)
        for name in ("oci-layout", "index.json"):
            with open(f"{self._folder}/{name}", "rb") as source:
                _put(
                    writer,
                    name,
                    self._named(source.read()) if name == "index.json" else source.read(),
                )
        if self._docker:
            _put(writer, "manifest.json", encode([self._docker_row()]))
        writer.add(Entry(b"blobs", Kind.DIRECTORY, 0o755))
        for algorithm in sorted(os.listdir(f"{self._folder}/blobs")):
            writer.add(Entry(f"blobs/{algorithm}".encode(), Kind.DIRECTORY, 0o755))
            for name in sorted(os.listdir(f"{self._folder}/blobs/{algorithm}")):
                path = f"blobs/{algorithm}/{name}"
                with open(f"{self._folder}/{path}", "rb") as source:
                    size = os.fstat(source.fileno()).st_size
                    writer.add(_file(path, size), chunks(source))
        writer.close()

    def _named(self, raw: bytes) -> bytes:
        """Write the index with docker's full name, which its load reads."""
        from lamina.spec.wire import decode

        if self._reference is None:
            return raw
        index = decode(raw)
        for row in index["manifests"]:
            row["annotations"] = {_FULL_NAME: str(self._reference), _REF_NAME: self._reference.tag}
        return encode(index)

    def _docker_row(self) -> Document:
        assert self._top is not None  # noqa: S101 - finish has looked
        manifest = parse_manifest(self._top[1], self._top[0].media_type)
        assert isinstance(manifest, Manifest)  # noqa: S101 - `manifest` took nothing else
        place = "blobs/{0.algorithm}/{0.hex}".format
        return {
            "Config": place(manifest.config.digest),
            "RepoTags": [self._reference.familiar] if self._reference else None,
            "Layers": [place(layer.digest) for layer in manifest.layers],
        }


def _file(name: str, size: int) -> Entry:
    return Entry(os.fsencode(name), Kind.FILE, 0o644, 0, 0, size, 0)


def _put(writer: TarWriter, name: str, data: bytes) -> None:
    writer.add(_file(name, len(data)), (data,))
