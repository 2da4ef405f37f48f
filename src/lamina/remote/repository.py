"""One repository of a registry: its manifests, blobs, tags. Spec: distribution-spec.

Hides challenge, token, retry, redirect, resume and mount.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from lamina.errors import Invalid, LaminaError
from lamina.remote.blobs import BlobReader
from lamina.remote.challenge import repository_scope
from lamina.remote.errors import ManifestUnknown, Purpose, ResponseInvalid
from lamina.remote.messages import Request, Response, origin, without_query
from lamina.remote.uploads import Upload, UploadOutcome
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, DigestInvalid
from lamina.spec.manifest import MANIFEST_LIMIT
from lamina.spec.reference import Reference
from lamina.spec.wire import Document, decode
from lamina.stream.verify import DigestMismatch, Hasher

if TYPE_CHECKING:
    from lamina.remote.client import Client

__all__ = ["ACCEPT", "Repository"]

ACCEPT = ", ".join((*MediaType.MANIFESTS, *MediaType.INDEXES))
"""Every manifest type in one header: some servers look at the first header only."""

_PAGE = 1000
_MOST_PAGES = 10_000
_LISTING_LIMIT = 16 * 1024 * 1024
_NEXT = re.compile(r"<([^>]*)>\s*;[^,<]*\brel\s*=\s*\"?next\"?", re.IGNORECASE)
_VAGUE_TYPES = ("", "text/plain", "application/json", "application/octet-stream")
_NO_HEAD = (400, 403, 404, 405, 501)


class Repository:
    """What a registry keeps under one name. Thread-safe, as its client is."""

    def __init__(self, client: "Client", registry: str, repository: str) -> None:
        self.client = client
        self.registry = registry
        self.repository = repository

    @classmethod
    def of(cls, client: "Client", reference: Reference) -> "Repository":
        """Give the repository that a reference is in."""
        return cls(client, reference.registry, reference.repository)

    @property
    def name(self) -> str:
        """The name as people write it."""
        return Reference(self.registry, self.repository).familiar_name

    # manifests

    def resolve(self, reference: Reference) -> Descriptor:
        """Find out what the reference means now, without its content where the registry can say.

        Registries whose HEAD lacks something are asked with GET. Raises: ManifestUnknown,
        RepositoryUnknown, LoginRequired, AccessDenied, RegistryUnreachable, TooManyRequests.
        """
        target = reference.digest or reference.tag
        response = self._pull(self._manifest_request("HEAD", target))
        if not response.is_success and response.status not in _NO_HEAD:
            raise self._error(response, "pull", target, "manifest")
        found = _described(response) if response.is_success else None
        if found is None or (reference.digest and found.digest != reference.digest):
            found, _ = self.manifest(target)
        return found

    def manifest(self, target: str | Digest) -> tuple[Descriptor, bytes]:
        """Fetch a manifest or index by tag or digest; its bytes are verified.

        A tag's bytes are checked against what the registry says their digest is, where it does.
        Raises: as `resolve`, and DigestMismatch, ResponseInvalid (beyond 4 MiB).
        """
        response = self._pull(self._manifest_request("GET", target))
        if not response.is_success:
            raise self._error(response, "pull", target, "manifest")
        raw = response.body
        if len(raw) > MANIFEST_LIMIT:
            raise ResponseInvalid(
                f"manifest for {self._shown(target)} is larger than {MANIFEST_LIMIT} bytes"
            )
        claimed = response.header("Docker-Content-Digest")
        if isinstance(target, Digest):
            _verify(raw, target, self._shown(target))
            digest = target
        else:
            digest = _parse_digest(claimed) or Digest.of(raw)
            _verify(raw, digest, self._shown(target))
        return Descriptor(_media_type(response, raw), digest, len(raw)), raw

    def put_manifest(self, target: str | Digest, raw: bytes, media_type: str) -> Digest:
        """Store a manifest under a tag or its digest; everything it names must be there.

        Raises: LoginRequired, AccessDenied, RequestRefused (the registry finds it invalid),
        DigestMismatch (it stored something else).
        """
        url = self._url(f"manifests/{quote(target, safe=':')}")
        response = self._push(Request("PUT", url, {"Content-Type": media_type}, raw))
        if not response.is_success:
            raise self._error(response, "push", target, "manifest")
        claimed = _parse_digest(response.header("Docker-Content-Digest"))
        digest = target if isinstance(target, Digest) else Digest.of(raw)
        if claimed and claimed.algorithm == digest.algorithm and claimed != digest:
            raise DigestMismatch(
                f"{self._shown(target)}: sent {digest}, the registry has {claimed}"
            )
        return digest

    def delete_manifest(self, target: str | Digest) -> None:
        """Delete a manifest by digest, or a tag where the registry knows how.

        Raises: ManifestUnknown, AccessDenied, RegistryLacks.
        """
        request = Request("DELETE", self._url(f"manifests/{quote(target, safe=':')}"))
        response = self._send(request, "pull", "delete")
        if not response.is_success:
            raise self._error(response, "delete", target, "manifest")

    def _manifest_request(self, method: str, target: str | Digest) -> Request:
        url = self._url(f"manifests/{quote(target, safe=':')}")
        return Request(method, url, {"Accept": ACCEPT}, limit=MANIFEST_LIMIT)

    # blobs

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the repository has a blob."""
        return self._exists(digest, self._pull)

    def blob(self, descriptor: Descriptor, offset: int = 0) -> BlobReader:
        """Open a blob at `offset` bytes; it survives dropped connections. The caller verifies.

        Raises: BlobUnknown, SizeMismatch (the registry has another size), and as `resolve`.
        """
        digest = descriptor.digest

        def open_at(start: int) -> Response:
            return self._open_blob(digest, start)

        return BlobReader(descriptor, offset, open_at, self.client.transport).open()

    def upload(
        self,
        descriptor: Descriptor,
        open_body: Callable[[], BinaryIO],
        *,
        mount_from: Iterable[str] = (),
        progress: Callable[[int], None] | None = None,
        session: str = "",
        started: Callable[[str], None] | None = None,
    ) -> UploadOutcome:
        """Bring a blob there unless it is: mounted from a repository of `mount_from`, or sent.

        `open_body` gives the bytes from the start, seekable; it is called again after a break.
        `progress` hears how many bytes the registry has. `started` hears the upload's address,
        with which (`session`) a later process goes on. Raises: see `Upload.run`.
        """
        channel = _Channel(self, descriptor.digest)
        task = Upload(channel, descriptor, open_body, progress=progress, started=started)
        return task.run(mount_from, session=session)

    def delete_blob(self, digest: Digest) -> None:
        """Delete a blob. Raises: BlobUnknown, AccessDenied, RegistryLacks."""
        response = self._send(Request("DELETE", self._url(f"blobs/{digest}")), "pull", "delete")
        if not response.is_success:
            raise self._error(response, "delete", digest, "blob")

    def _exists(self, digest: Digest, send: Callable[[Request], Response]) -> bool:
        response = send(Request("HEAD", self._url(f"blobs/{digest}")))
        if response.status in (405, 501):
            response = send(Request("GET", self._url(f"blobs/{digest}"), stream=True))
            if response.stream:
                response.stream.close()
        if response.status == 404:  # noqa: PLR2004
            return False
        if not response.is_success:
            raise self._error(response, "push" if send == self._push else "pull", digest, "blob")
        return True

    def _open_blob(self, digest: Digest, start: int) -> Response:
        """Ask for a blob. 416 is given back as it is: the reader knows what to do."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = Request("GET", self._url(f"blobs/{digest}"), headers, stream=True)
        response = self._pull(request)
        if response.status in (400, 401, 403) and origin(response.url) != origin(request.url):
            response = self._pull(request)  # a signed address that ran out: get a new one
        if response.is_success or (start and response.status == 416):  # noqa: PLR2004
            return response
        raise self._error(response, "pull", digest, "blob")

    # listings

    def tags(self) -> tuple[str, ...]:
        """List the tags, in the registry's order. Raises: RepositoryUnknown, and as `resolve`."""
        found: list[str] = []
        for document in self._pages(self._url(f"tags/list?n={_PAGE}")):
            rows = document.get("tags") or []
            if not isinstance(rows, list):
                raise ResponseInvalid(f"{self.name}: the registry's list of tags is none")
            found += [row for row in rows if isinstance(row, str)]
        return tuple(dict.fromkeys(found))

    def referrers(self, digest: Digest, *, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """List the manifests attached to `digest`, those of one type if asked.

        Registries without the API keep them under the tag `<algorithm>-<hex>`.
        Spec: distribution-spec, "Listing Referrers".
        """
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        request = Request("GET", self._url(f"referrers/{digest}{query}"))
        response = self._pull(request)
        if response.status in (404, 405):
            documents: Iterable[Document] = self._tagged_referrers(digest)
        else:
            documents = self._pages(request.url, response)
        found = [each for document in documents for each in self._read_referrers(document)]
        return tuple(each for each in found if artifact_type in ("", each.artifact_type))

    def _read_referrers(self, document: Document) -> list[Descriptor]:
        rows = document.get("manifests") or []
        if not isinstance(rows, list):
            raise ResponseInvalid(f"{self.name}: the registry's list of referrers is none")
        try:
            return [Descriptor.from_json(row) for row in rows if isinstance(row, dict)]
        except Invalid as error:
            raise ResponseInvalid(f"{self.name}: malformed referrers: {error}") from error

    def _tagged_referrers(self, digest: Digest) -> Iterator[Document]:
        try:
            _, raw = self.manifest(f"{digest.algorithm[:32]}-{digest.hex[:64]}")
        except ManifestUnknown:
            return
        yield decode(raw, what="referrers index")

    def _pages(self, url: str, first: Response | None = None) -> Iterator[Document]:
        """Follow Link headers, relative ones too; a loop ends the listing."""
        seen: set[str] = set()
        response = first
        while url not in seen and len(seen) < _MOST_PAGES:
            seen.add(url)
            if response is None:
                response = self._pull(Request("GET", url, limit=_LISTING_LIMIT))
            if not response.is_success:
                raise self._error(response, "pull", self.name, "repository")
            try:
                yield decode(response.body, what=f"answer of {without_query(url)}")
            except Invalid as error:
                raise ResponseInvalid(f"{error}: is {self.registry} a registry?") from error
            link = _NEXT.search(response.header("Link"))
            if link is None:
                return
            url, response = self.client.transport.resolve(response.url, link[1]), None

    # sending

    def _url(self, path: str) -> str:
        return f"{self.client.endpoints.find(self.registry).url}/v2/{self.repository}/{path}"

    def _pull(self, request: Request) -> Response:
        return self._send(request, "pull")

    def _push(self, request: Request) -> Response:
        return self._send(request, "pull", "push")

    def _send(self, request: Request, *actions: str, also: tuple[str, ...] = ()) -> Response:
        return self.client.send(
            self.client.endpoints.find(self.registry),
            request,
            repository=self.repository,
            scopes=(repository_scope(self.repository, *actions), *also),
        )

    def _error(self, response: Response, verb: str, target: str, kind: str) -> LaminaError:
        purpose = Purpose(verb, self.name, self._shown(target, kind), kind, self.registry)
        return self.client.failure(response, purpose, self.repository)

    def _shown(self, target: str, kind: str = "manifest") -> str:
        if kind != "manifest":
            return target
        return f"{self.name}{'@' if isinstance(target, Digest) else ':'}{target}"


class _Channel:
    """A repository and the blob that is to go there, for `Upload`."""

    def __init__(self, repository: Repository, digest: Digest) -> None:
        self._repository = repository
        self._digest = digest
        self.transport = repository.client.transport
        self.uploads_url = repository._url("blobs/uploads/")  # noqa: SLF001  same file

    def send(self, request: Request, *, mount_from: str = "") -> Response:
        """Send with the right to push; the source of a mount needs one to pull too."""
        also = (repository_scope(mount_from, "pull"),) if mount_from else ()
        return self._repository._send(request, "pull", "push", also=also)  # noqa: SLF001

    def exists(self) -> bool:
        """Tell whether the blob is there."""
        return self._repository._exists(self._digest, self._repository._push)  # noqa: SLF001

    def error(self, response: Response) -> LaminaError:
        """Give the error of a push."""
        return self._repository._error(response, "push", self._digest, "upload")  # noqa: SLF001


def _described(response: Response) -> Descriptor | None:
    """Read a HEAD response; None when it does not say enough."""
    digest = _parse_digest(response.header("Docker-Content-Digest"))
    media_type = response.header("Content-Type").partition(";")[0].strip()
    length = response.header("Content-Length")
    if digest is None or media_type in _VAGUE_TYPES or not length.isdigit():
        return None
    return Descriptor(media_type, digest, int(length))


def _media_type(response: Response, raw: bytes) -> str:
    """Give the type the transport said; where that is vague, what the document says or looks like."""
    said = response.header("Content-Type").partition(";")[0].strip().lower()
    if said not in _VAGUE_TYPES:
        return said
    try:
        document = decode(raw, what="manifest")
    except Invalid as error:
        raise ResponseInvalid(f"{without_query(response.url)}: {error}") from error
    own = document.get("mediaType")
    if isinstance(own, str) and own:
        return own
    return MediaType.OCI_INDEX if "manifests" in document else MediaType.OCI_MANIFEST


def _parse_digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text.strip())
    except DigestInvalid:
        return None


def _verify(raw: bytes, digest: Digest, what: str) -> None:
    hasher = Hasher(digest.algorithm)
    hasher.update(raw)
    if hasher.digest != digest:
        raise DigestMismatch(
            f"manifest for {what}: expected {digest}, got {hasher.digest}",
            hint="the registry, or a proxy on the way, gave other bytes; try again",
        )
