"""Images at registries (`docker:`), read and written through a `Repository`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock

from lamina.errors import Corrupt, Invalid, Unsupported
from lamina.events import Phase
from lamina.image.sink import Arrival, OpenBlob, Progress
from lamina.image.transports.ranges import LARGE, PartedBlob
from lamina.remote.errors import BlobUnknown
from lamina.remote.repository import Repository
from lamina.remote.uploads import UploadResult
from lamina.spec.descriptor import Descriptor
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.stream.verify import chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.remote.blobs import BlobReader
    from lamina.remote.client import Client
    from lamina.spec.digest import Digest
    from lamina.spec.reference import Reference
    from lamina.store.blobs import BlobStore
    from lamina.stream.verify import Readable

__all__ = ["ForeignLayer", "RegistrySink", "RegistrySource"]


class ForeignLayer(Unsupported):
    """The layer is kept elsewhere than at the registry, and nobody has allowed to go there."""


class RegistrySource:
    """One name of one repository, as an `ImageSource`. `abort` cuts the client's connections.

    With `blobs` large ones may come in parts, which are kept there until their turn, and what is
    there already of an index is not fetched. `workers` layers are expected to be asked for together.
    """

    def __init__(
        self,
        client: "Client",
        reference: "Reference",
        abort: Callable[[], None],
        *,
        blobs: "BlobStore | None" = None,
        workers: int = 3,
    ) -> None:
        self._abort = abort
        self._workers = workers
        self._blobs = blobs
        self._repository = Repository.of(client, reference)
        self._wanted = reference.digest or reference.tag

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The registry's mirrors that are asked first."""
        return self._repository.mirrors

    def manifest(self, digest: "Digest | None") -> "tuple[Descriptor, bytes]":
        """Fetch the named manifest, or a child that is not here. Verified by the client."""
        if digest is not None and self._blobs is not None and self._blobs.has(digest):
            with suppress(Corrupt, Invalid):  # damaged here: the registry has a good one
                raw = self._blobs.read(digest)
                return Descriptor(parse_manifest(raw).media_type, digest, len(raw)), raw
        found, raw = self._repository.manifest(digest or self._wanted)
        self._prepare(found, raw)
        return found, raw

    def _prepare(self, found: "Descriptor", raw: bytes) -> None:
        """Have connections for the layers by the time that the configuration is here."""
        with suppress(Invalid, Unsupported):  # for the reader to say
            document = parse_manifest(raw, found.media_type)
            if isinstance(document, Manifest):
                blobs = self._blobs
                lacking = [row for row in document.layers if not (blobs and blobs.has(row.digest))]
                self._repository.warm(min(self._workers, len(lacking)))

    @contextmanager
    def blob(self, descriptor: "Descriptor", offset: int = 0) -> "Iterator[Readable]":
        """Open a blob at `offset`; dropped connections are resumed by the client."""
        reader: BlobReader | PartedBlob
        try:
            if self._blobs is not None and descriptor.size >= LARGE:
                spares = self._blobs.spares(descriptor.digest)
                reader = PartedBlob(self._repository, descriptor, offset, spares).open()
            else:
                reader = self._repository.blob(descriptor, offset=offset)
        except BlobUnknown as error:
            if not descriptor.urls:
                raise
            raise ForeignLayer(
                f"{descriptor.digest} is a foreign layer, which its registry does not keep",
                hint=f"its publisher offers it at {descriptor.urls[0]}; Lamina fetches from registries alone",
            ) from error
        with reader:
            yield reader

    def referrers(self, digest: "Digest") -> "tuple[Descriptor, ...]":
        """Ask the registry, or read the tag that stands for an answer there."""
        return self._repository.referrers(digest)

    def stop(self) -> None:
        """Cut the connections: a thread that waits for a silent server ends at once."""
        self._abort()


class RegistrySink:
    """One name of one repository, as an `ImageSink`.

    `mount_from` are repositories of the same registry that may have the blobs. A blob is fetched
    whole and verified before the first byte of it is sent: registries keep what they were given.
    """

    def __init__(
        self,
        client: "Client",
        reference: "Reference",
        *,
        mount_from: Sequence[str] = (),
        spool: str | None = None,
    ) -> None:
        self._repository = Repository.of(client, reference)
        self._target = reference.digest or reference.tag
        self._mounts = tuple(name for name in mount_from if name != reference.repository)
        self._spool = spool
        self._attaching = Lock()

    def take(self, wanted: "Descriptor", opened: OpenBlob, progress: Progress) -> Arrival:
        """Mount or send a blob, unless the repository has it."""
        from tempfile import TemporaryFile

        with TemporaryFile(dir=self._spool) as spool:
            filled = False

            def body() -> "BinaryIO":
                nonlocal filled
                if not filled:
                    with opened() as stream:
                        for piece in chunks(stream):
                            spool.write(piece)
                    spool.flush()
                    filled = True
                # The upload closes what it is given: a descriptor of its own each time.
                return open(f"/proc/self/fd/{spool.fileno()}", "rb")

            outcome = self._repository.upload(
                wanted, body, mount_from=self._mounts, progress=progress
            )
        if outcome.mounted_from:
            return Arrival(Phase.MOUNTED, outcome.mounted_from)
        existed = outcome.result is UploadResult.EXISTS
        return Arrival(Phase.PRESENT if existed else Phase.PUSHED)

    def manifest(self, descriptor: "Descriptor", raw: bytes, *, top: bool) -> None:
        """Store a manifest: under its digest, the top one under the name."""
        target = self._target if top else descriptor.digest
        self._repository.put_manifest(target, raw, descriptor.media_type)
        if not top and (subject := parse_manifest(raw, descriptor.media_type).subject):
            with self._attaching:  # one list, written whole
                self._repository.attach(subject.digest, descriptor, raw)

    def finish(self) -> None:
        """Do nothing: the last manifest has given the name."""

    def abandon(self) -> None:
        """Do nothing: what arrived whole is kept there, nothing has the name."""
