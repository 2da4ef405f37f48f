"""One repository of a registry: its manifests, blobs, tags. Spec: distribution-spec.

Hides challenge, token, retry, redirect, resume and mount.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from lamina.errors import Invalid, LaminaError, Unavailable
from lamina.events import Notice
from lamina.remote.blobs import BlobReader
from lamina.remote.challenge import repository_scope
from lamina.remote.described import (
    check_promise,
    described,
    media_type_of,
    next_page,
    parse_digest,
    verify,
)
from lamina.remote.errors import ManifestUnknown, Purpose, ResponseInvalid
from lamina.remote.messages import Request, Response, origin, quoted, without_query
from lamina.remote.registries import PlaceOf
from lamina.remote.uploads import Habits, Upload, UploadOutcome
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import MANIFEST_LIMIT
from lamina.spec.reference import Reference
from lamina.spec.wire import Document, decode, encode
from lamina.stream.verify import DigestMismatch
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, TypeVar

    from lamina.remote.client import Client
    from lamina.remote.growing import Growing

    _T = TypeVar("_T")

__all__ = ["ACCEPT", "Repository"]

ACCEPT = ", ".join((*MediaType.MANIFESTS, *MediaType.INDEXES))
"""Every manifest type in one header: some servers look at the first header only."""

_PAGE = 1000
_MOST_PAGES = 10_000
_LISTING_LIMIT = 16 * 1024 * 1024
_MIRROR_OPENINGS = 3
_NO_HEAD = (400, 403, 404, 405, 501)


class Repository:
    """What a registry keeps under one name. Thread-safe, as its client is.

    Manifests and blobs are read from the registry's mirrors first, if `registries.toml` has some;
    everything else, and what they lack, is the origin's. `mirror` makes one of a mirror.
    Raises: RegistryBlocked.
    """

    def __init__(
        self, client: "Client", registry: str, repository: str, *, mirror: PlaceOf | None = None
    ) -> None:
        self.client = client
        self.registry = registry
        self.repository = repository
        places = (mirror,) if mirror else client.registries.places(registry, repository)
        self._place = places[-1]
        self._is_mirror = mirror is not None
        self._mirrors = tuple(
            Repository(client, registry, repository, mirror=place) for place in places[:-1]
        )
        self._habits = Habits()

    @classmethod
    def of(cls, client: "Client", reference: Reference) -> "Repository":
        """Give the repository that a reference is in."""
        return cls(client, reference.registry, reference.repository)

    def has_login(self) -> bool:
        """Tell whether requests that push will be let in at once; a token is fetched for it if need be.

        Without an earlier refusal nobody knows what the registry wants: False. Raises: LoginRefused.
        """
        place = self._place
        scopes = (repository_scope(place.repository, "pull", "push"),)
        endpoint = self.client.endpoints.find(place.registry)
        return bool(self.client.authorizer.header(endpoint, place.repository, scopes))

    def warm(self, count: int) -> None:
        """Have `count` idle connections soon, opened meanwhile, for requests that go out together."""
        place = next((each for each in self._mirrors if each._serves), self)._place  # noqa: SLF001  one of us
        self.client.warm(self.client.endpoints.find(place.registry), count)

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
        return self._first(lambda place: place._resolve(reference))  # noqa: SLF001  one of us

    def _resolve(self, reference: Reference) -> Descriptor:
        target = reference.digest or reference.tag
        response = self._pull(self._manifest_request("HEAD", target))
        if not response.is_success and response.status not in _NO_HEAD:
            raise self._error(response, "pull", target, "manifest")
        found = described(response) if response.is_success else None
        if found is None or (reference.digest and found.digest != reference.digest):
            found, _ = self._manifest(target)
        return found

    def manifest(self, target: str | Digest) -> tuple[Descriptor, bytes]:
        """Fetch a manifest or index by tag or digest; its bytes are verified.

        A tag's bytes are checked against what the registry says their digest is, where it does.
        Raises: as `resolve`, and DigestMismatch, ResponseInvalid (beyond 4 MiB).
        """
        return self._first(lambda place: place._manifest(target))  # noqa: SLF001  one of us

    def _manifest(self, target: str | Digest) -> tuple[Descriptor, bytes]:
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
            verify(raw, target, self._shown(target))
            digest = target
        else:
            digest = parse_digest(claimed) or Digest.of(raw)
            verify(raw, digest, self._shown(target))
        return Descriptor(media_type_of(response, raw), digest, len(raw)), raw

    def put_manifest(self, target: str | Digest, raw: bytes, media_type: str) -> Digest:
        """Store a manifest under a tag or its digest; everything it names must be there.

        Raises: LoginRequired, AccessDenied, RequestRefused (the registry finds it invalid),
        DigestMismatch (it stored something else).
        """
        url = self._url(f"manifests/{quoted(target, ':')}")
        response = self._push(Request("PUT", url, {"Content-Type": media_type}, raw))
        if not response.is_success:
            raise self._error(response, "push", target, "manifest")
        claimed = parse_digest(response.header("Docker-Content-Digest"))
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
        request = Request("DELETE", self._url(f"manifests/{quoted(target, ':')}"))
        response = self._send(request, "pull", "delete")
        if not response.is_success:
            raise self._error(response, "delete", target, "manifest")

    def _manifest_request(self, method: str, target: str | Digest) -> Request:
        url = self._url(f"manifests/{quoted(target, ':')}")
        return Request(method, url, {"Accept": ACCEPT}, limit=MANIFEST_LIMIT)

    # blobs

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the repository has a blob."""
        return self._exists(digest, self._pull)

    def holds(self, digest: Digest) -> bool:
        """Tell whether the repository has a blob, with the right to push that sending it would need."""
        return self._exists(digest, self._push)

    def mount(self, digest: Digest, source: str) -> bool:
        """Take a blob over from another repository of this registry; tell whether that was done."""
        near = self._near([source])
        if not near:
            return False
        query = f"?mount={quoted(digest)}&from={quoted(near[0])}"
        channel = _Channel(self)
        request = Request("POST", channel.uploads_url + query, body=b"")
        try:
            response = channel.send(request, mount_from=near[0])
        except LaminaError:  # a login that may not even ask for the source
            return False
        if response.status == 202:  # noqa: PLR2004  an upload was opened instead: not needed
            self._cancel(response)
        return response.status == 201  # noqa: PLR2004

    def _cancel(self, opened: Response) -> None:
        """Tell the registry that an upload is not needed; it may forget it by itself too."""
        location = opened.header("Location")
        with suppress(LaminaError):
            target = self.client.transport.resolve(opened.url, location)
            self._push(Request("DELETE", target, retry=False))

    def blob(self, descriptor: Descriptor, offset: int = 0) -> BlobReader:
        """Open a blob at `offset` bytes; it survives dropped connections. The caller verifies.

        Raises: BlobUnknown, SizeMismatch (the registry has another size), and as `resolve`.
        """
        open_at = self._opener(descriptor, None)
        return BlobReader(descriptor, offset, open_at, self.client.transport).open()

    def part(self, descriptor: Descriptor, start: int, end: int) -> BlobReader:
        """Open the bytes of a blob from `start` up to `end`, which come as such or not at all.

        Raises: as `blob`, and RangesRefused (the registry does not do that), here or on `read`.
        """
        open_at = self._opener(descriptor, end)
        return BlobReader(descriptor, start, open_at, self.client.transport, end=end).open()

    def _opener(self, descriptor: Descriptor, end: int | None) -> Callable[[int], Response]:
        """Give what opens a blob, or its part up to `end`: at a mirror while one serves, else here."""
        places = [*(each for each in self._mirrors if each._serves), self]  # noqa: SLF001  one of us
        openings = 0

        def open_at(start: int) -> Response:
            nonlocal openings
            while len(places) > 1:
                openings += 1
                if openings > _MIRROR_OPENINGS:  # it breaks off again and again
                    openings = 0
                    places.pop(0)
                    continue
                try:
                    response = places[0]._open_blob(descriptor.digest, start, end)  # noqa: SLF001
                    check_promise(response, descriptor)
                except LaminaError as error:
                    openings = 0
                    places.pop(0)._leave(error)  # noqa: SLF001  one of us
                else:
                    return response
            return self._open_blob(descriptor.digest, start, end)

        return open_at

    def upload(
        self,
        descriptor: Descriptor,
        open_body: "Callable[[], BinaryIO]",
        *,
        mount_from: Iterable[str] = (),
        progress: Callable[[int], None] | None = None,
        session: str = "",
        started: Callable[[str], None] | None = None,
        look: bool = True,
    ) -> UploadOutcome:
        """Bring a blob there unless it is: mounted from a repository of `mount_from`, or sent.

        `open_body` gives the bytes from the start, seekable; it is called again after a break.
        `progress` hears how many bytes the registry has. `started` hears the upload's address,
        with which (`session`) a later process goes on. Without `look` it is known to be missing.
        Raises: see `Upload.run`.
        """
        task = Upload(_Channel(self), descriptor, open_body, progress=progress, started=started)
        return task.run(self._near(mount_from), session=session, look=look)

    def upload_growing(
        self,
        growing: "Growing",
        *,
        progress: Callable[[int], None] | None = None,
        session: str = "",
        started: Callable[[str], None] | None = None,
    ) -> None:
        """Send a blob while it is being made; it has a name when it is whole. Raises: as `upload`.

        With the `session` of another process it must become the same blob, and goes on there.
        """
        task = Upload(
            _Channel(self),
            None,
            growing.open,
            progress=progress,
            started=started,
            growing=growing,
        )
        task.run(session=session)

    def _near(self, sources: Iterable[str]) -> list[str]:
        """Give what repositories are called where this one is; those that are elsewhere are left out."""
        places = [self.client.registries.places(self.registry, each)[-1] for each in sources]
        return [each.repository for each in places if each.registry == self._place.registry]

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

    def _open_blob(self, digest: Digest, start: int, end: int | None) -> Response:
        """Ask for a blob. 416 is given back as it is: the reader knows what to do."""
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        request = Request("GET", self._url(f"blobs/{digest}"), headers, stream=True)
        response = self._pull(request)
        if response.status in (400, 401, 403) and origin(response.url) != origin(request.url):
            response = self._pull(request)  # a signed address that ran out: get a new one
        if response.is_success or (headers and response.status == 416):  # noqa: PLR2004
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
        query = f"?artifactType={quoted(artifact_type)}" if artifact_type else ""
        request = Request("GET", self._url(f"referrers/{digest}{query}"))
        response = self._pull(request)
        if response.status in (404, 405):
            documents: Iterable[Document] = self._tagged_referrers(digest)
        else:
            documents = self._pages(request.url, response)
        found = [each for document in documents for each in self._read_referrers(document)]
        return tuple(each for each in found if artifact_type in ("", each.artifact_type))

    def attach(self, subject: Digest, descriptor: Descriptor, raw: bytes) -> None:
        """Have a manifest that was put here listed at its subject, by a registry that lists none.

        There the list is an index under the tag `<algorithm>-<hex>`, which clients keep up.
        Spec: distribution-spec, "Pushing Manifests with Subject". Raises: as `put_manifest`.
        """
        if self._pull(Request("GET", self._url(f"referrers/{subject}"))).is_success:
            return
        rows = [row for page in self._tagged_referrers(subject) for row in page["manifests"]]
        if any(row.get("digest") == str(descriptor.digest) for row in rows):
            return
        document = decode(raw, what="manifest")
        kind = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
        row = {**descriptor.to_json(), **({"artifactType": kind} if kind else {})}
        if document.get("annotations"):
            row["annotations"] = document["annotations"]
        index = {"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": [*rows, row]}
        tag = f"{subject.algorithm[:32]}-{subject.hex[:64]}"
        self.put_manifest(tag, encode(index), MediaType.OCI_INDEX)

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
            following = next_page(response)
            if not following:
                return
            url, response = self.client.transport.resolve(response.url, following), None

    # mirrors

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The hosts of the mirrors that are asked first."""
        return tuple(each._place.registry for each in self._mirrors if each._serves)  # noqa: SLF001

    def _first(self, ask: "Callable[[Repository], _T]") -> "_T":
        """Ask the mirrors in order, then the origin; what a mirror cannot say is no failure."""
        for mirror in self._mirrors:
            if mirror._serves:  # noqa: SLF001  one of us
                try:
                    return ask(mirror)
                except LaminaError as error:
                    mirror._leave(error)  # noqa: SLF001  one of us
        return ask(self)

    @property
    def _serves(self) -> bool:
        return self._place.registry not in self.client.lost_mirrors

    def _leave(self, error: LaminaError) -> None:
        """Pass over a mirror; one that does not answer is not asked again by this client."""
        if isinstance(error, Unavailable) and self._place.registry not in self.client.lost_mirrors:
            self.client.lost_mirrors.add(self._place.registry)
            self.client.listener(Notice(f"Passing over mirror {self._place.registry}: {error}"))

    # sending

    def _url(self, path: str) -> str:
        place = self._place
        url = f"{self.client.endpoints.find(place.registry).url}/v2/{place.repository}/{path}"
        if (
            self._is_mirror
        ):  # containerd's way to tell a cache of many registries which one is meant
            url += f"{'&' if '?' in path else '?'}ns={quoted(self.registry, ':')}"
        return url

    def _pull(self, request: Request) -> Response:
        return self._send(request, "pull")

    def _push(self, request: Request) -> Response:
        return self._send(request, "pull", "push")

    def _send(self, request: Request, *actions: str, also: tuple[str, ...] = ()) -> Response:
        if self._is_mirror:
            request = replace(request, retry=False)  # there is somebody else to ask
        place = self._place
        return self.client.send(
            self.client.endpoints.find(place.registry),
            request,
            repository=place.repository,
            scopes=(repository_scope(place.repository, *actions), *also),
        )

    def _error(self, response: Response, verb: str, target: str, kind: str) -> LaminaError:
        purpose = Purpose(verb, self.name, self._shown(target, kind), kind, self._place.registry)
        return self.client.failure(response, purpose, self._place.repository)

    def _shown(self, target: str, kind: str = "manifest") -> str:
        if kind != "manifest":
            return target
        return f"{self.name}{'@' if isinstance(target, Digest) else ':'}{target}"


class _Channel:
    """A repository that blobs are to go to, for `Upload`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.habits = repository._habits  # noqa: SLF001  same file
        self.transport = repository.client.transport
        self.uploads_url = repository._url("blobs/uploads/")  # noqa: SLF001  same file

    def send(self, request: Request, *, mount_from: str = "") -> Response:
        """Send with the right to push; the source of a mount needs one to pull too."""
        also = (repository_scope(mount_from, "pull"),) if mount_from else ()
        return self._repository._send(request, "pull", "push", also=also)  # noqa: SLF001

    def exists(self, digest: str) -> bool:
        """Tell whether a blob is there."""
        return self._repository._exists(Digest(digest), self._repository._push)  # noqa: SLF001

    def error(self, response: Response) -> LaminaError:
        """Give the error of a push."""
        return self._repository._error(response, "push", "a blob", "upload")  # noqa: SLF001
