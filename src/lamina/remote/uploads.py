"""Bring one blob to a registry: look, else mount, else send; resumed where the server stands.

Spec: distribution-spec, "Pushing blobs". A small blob goes with the POST where the registry takes it,
a middling one with the PUT; of a large one POST opens an upload, one PATCH streams it, PUT closes it.
After a break the server is asked how much it has. distribution's own registry (2.8, seen) cannot say
after a cut PATCH and calls the upload invalid: there it begins anew. Where a proxy refuses so much at
once (413), it goes in pieces.
"""

from collections.abc import Callable, Iterable, Iterator

from lamina.errors import LaminaError
from lamina.remote.errors import (
    BodyUnreadable,
    ConnectionBroken,
    RegistryFailed,
    ResponseInvalid,
    problems,
)
from lamina.remote.http import BLOCK, Transport
from lamina.remote.messages import Body, Request, Response, quoted, split_url, without_query
from lamina.remote.retry import RETRIED
from lamina.stream.verify import DigestMismatch
from lamina.values import Enum, Protocol, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.remote.growing import Growing
    from lamina.spec.descriptor import Descriptor

__all__ = ["Channel", "Habits", "Upload", "UploadOutcome", "UploadResult"]

_RANGE = r"\s*(?:bytes\s*[= ]\s*)?(\d+)-(-?\d+)\s*(?:/.*)?"
_CREATED = 201
_ACCEPTED = 202
_GONE = (400, 404, 405, 410, 501)
_BEHIND = (409, 416)
_TOO_LARGE = 413
_NO_WHOLE = (400, 404, 405, 411, 413, 415, 501)
_WITH_POST = 64 * 1024
_WITH_PUT = 512 * 1024
_PIECES = (64 << 20, 16 << 20, 4 << 20, 1 << 20)
_GROWN = 8 << 20


class UploadResult(Enum):
    """How the blob came to be there."""

    EXISTS = "exists"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """The end of an upload; `mounted_from` is the repository it was mounted from."""

    result: UploadResult
    mounted_from: str = ""


@dataclass(slots=True)
class Habits:
    """What a repository's registry was found to do, so that it is not tried again for each blob.

    `takes_whole`: a blob may come with the POST. `piece`: no more bytes than that in one request
    (0: any number). Read and written by several threads; each only learns.
    """

    takes_whole: bool = True
    piece: int = 0


class Channel(Protocol):
    """One repository, as uploads need it."""

    transport: Transport
    uploads_url: str
    habits: Habits

    def send(self, request: Request, *, mount_from: str = "") -> Response:
        """Send with the right to push here, and to pull from `mount_from`."""

    def exists(self, digest: str) -> bool:
        """Tell whether a blob is there."""

    def error(self, response: Response) -> LaminaError:
        """Give the error an unsuccessful response means."""


class _Restart(Exception):
    """The upload is lost or spoiled; only a new one helps. `cause` is raised when none is left."""

    def __init__(self, cause: LaminaError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Upload:
    """One blob on its way out. `open_body` gives it from the start, seekable; the upload closes it.

    `progress` hears how many bytes the server has, which can go back after a break. `started`
    hears the address of the upload whenever it changes: given to `run` as `session` by a later
    process, it goes on there. Of a blob that is still being made `growing` says how far it is.
    """

    def __init__(
        self,
        channel: Channel,
        descriptor: "Descriptor | None",
        open_body: "Callable[[], BinaryIO]",
        *,
        progress: Callable[[int], None] | None = None,
        started: Callable[[str], None] | None = None,
        growing: "Growing | None" = None,
    ) -> None:
        self._channel = channel
        self._transport = channel.transport
        self._digest = str(descriptor.digest) if descriptor else ""
        self._size = descriptor.size if descriptor else 0
        self._growing = growing
        self._open_body = open_body
        self._progress = progress or _ignore
        self._started = started or _ignore
        self._location = ""
        self._offset = 0
        self._unsure = False
        self._least = 0

    def run(
        self, mount_from: Iterable[str] = (), *, session: str = "", look: bool = True
    ) -> UploadOutcome:
        """Bring the blob there by the cheapest way that works; without `look` it is not there.

        Raises: LoginRequired, LoginRefused, AccessDenied, ConnectionBroken, RegistryFailed,
        DigestMismatch (the registry computed another one), BodyUnreadable.
        """
        sources = tuple(mount_from)
        look = look and bool(self._digest)
        by_mounting = bool(sources) and not session  # one question instead of two
        if look and not by_mounting and self._channel.exists(self._digest):
            return UploadOutcome(UploadResult.EXISTS)
        resumed = bool(session) and self._resume(session)
        source = "" if resumed else self._mount(sources)
        if source:  # or it was there before: a registry that mounts does not tell
            return UploadOutcome(UploadResult.MOUNTED, source)
        if look and by_mounting and self._channel.exists(self._digest):
            self._cancel()
            return UploadOutcome(UploadResult.EXISTS)
        tries = self._transport.tries()
        while True:
            try:
                self._send()
                return UploadOutcome(UploadResult.UPLOADED)
            except _Restart as lost:
                self._location, self._offset, self._unsure = "", 0, False
                spoiled_twice = isinstance(lost.cause, DigestMismatch) and tries.failures
                pause_s = tries.pause_s(0)
                if spoiled_twice or pause_s is None:
                    raise lost.cause from lost
                self._transport.wait(pause_s, str(lost.cause))

    def _send(self) -> None:
        """Send it all, by as few requests as its size and the registry allow."""
        small = self._growing is None and self._size <= _WITH_POST
        if small and not self._location and self._post_whole():
            return
        if not self._location and not self._begin():
            return
        middling = self._growing is None and self._size <= _WITH_PUT and not self._offset
        if middling and not self._piece() and self._put_whole():
            return
        self._transfer()
        self._complete()

    def _resume(self, session: str) -> bool:
        """Take up an earlier process's upload; tell whether the registry still knows it."""
        self._location = session
        try:
            self._ask_offset()
        except (_Restart, LaminaError):
            self._location, self._offset = "", 0
            return False
        return True

    def _mount(self, sources: Iterable[str]) -> str:
        """Try to mount from each repository; give the one that worked.

        A registry that does not mount opens an upload instead (202), which is used.
        """
        for source in sources:
            query = f"?mount={quoted(self._digest)}&from={quoted(source)}"
            request = Request("POST", self._channel.uploads_url + query, body=b"")
            try:
                response = self._channel.send(request, mount_from=source)
            except LaminaError:  # a login that may not even ask for the source: send it instead
                continue
            if response.status == _CREATED:
                self._cancel()
                return source
            if response.status == _ACCEPTED:
                self._cancel()
                self._move(response)
        return ""

    def _cancel(self) -> None:
        """Tell the registry that an upload is not needed; it may forget it by itself too."""
        if not self._location:
            return
        location, self._location = self._location, ""
        try:
            self._channel.send(Request("DELETE", location, retry=False))
        except LaminaError:
            return

    def _post_whole(self) -> bool:
        """Send the blob with the request that would open an upload; False when that was not taken.

        Registries need not know this way (spec: "Pushing a blob monolithically"): 202 has opened an
        upload as if there had been no body, and the next blob is not tried like this.
        """
        if not self._channel.habits.takes_whole:
            return False
        url = f"{self._channel.uploads_url}?digest={quoted(self._digest)}"
        data = b"".join(self._pieces(0, self._size))
        headers = {"Content-Type": "application/octet-stream"}
        response = self._channel.send(Request("POST", url, headers, data))
        if response.status == _CREATED:
            return True
        self._channel.habits.takes_whole = False
        if response.is_success:
            self._move(response)
        elif response.status not in _NO_WHOLE:
            raise self._channel.error(response)
        return False

    def _begin(self) -> bool:
        """Open an upload; False when the registry says that the blob is there (201)."""
        response = self._channel.send(Request("POST", self._channel.uploads_url, body=b""))
        if response.status == _CREATED:
            return False
        if not response.is_success:
            raise self._channel.error(response)
        self._move(response)
        return True

    def _move(self, response: Response) -> None:
        """Follow to the newest Location; it may be relative, and its query is part of it."""
        location = response.header("Location")
        if not location:
            if self._location:
                return
            raise ResponseInvalid(
                f"{response.method} {without_query(response.url)}: opened an upload and says not where"
            )
        least = response.header("OCI-Chunk-Min-Length").strip()
        self._least = int(least) if least.isascii() and least.isdigit() else self._least
        here = split_url(response.url)
        if here.scheme == "https" and location.lower().startswith(f"http://{here.netloc.lower()}/"):
            # A registry behind a TLS proxy that knows nothing of it; plain http would leak the login.
            location = location.partition("://")[2].removeprefix(here.netloc)
        target = self._transport.resolve(response.url, location)
        if target != self._location:
            self._location = target
            self._started(target)

    def _put_whole(self) -> bool:
        """Send the blob with the request that closes the upload; False: go on at the offset.

        Raises: _Restart.
        """
        try:
            response = self._channel.send(self._closing(Body(self._size, lambda: self._pieces(0))))
        except ConnectionBroken as error:
            reason = str(error)
        else:
            if response.is_success:
                return True
            if response.status == _TOO_LARGE:
                self._shrink(response, self._size)
            elif response.status not in (*RETRIED, *_BEHIND):
                raise self._refusal(response)
            reason = str(self._channel.error(response))
        if self._channel.exists(self._digest):
            return True
        self._transport.wait(self._transport.tries().pause_s(0) or 0.0, reason)
        self._ask_offset()
        return False

    def _transfer(self) -> None:
        """Send everything from the server's offset on, as often as there is progress."""
        tries = self._transport.tries(self._offset)
        flows = self._growing is not None and not self._offset and not self._piece()
        while flows or (end := self._end()) > self._offset:
            flowed, flows = flows, False
            try:
                response = self._channel.send(self._flow() if flowed else self._patch(end))
            except ConnectionBroken as error:
                reason = str(error)
            else:
                if response.is_success:
                    self._move(response)
                    self._offset, self._unsure = self._size if flowed else end, False
                    continue
                if response.status == 404:  # noqa: PLR2004
                    raise _Restart(self._channel.error(response))
                if response.status == _TOO_LARGE and not flowed:
                    self._shrink(response, end - self._offset)
                elif response.status not in (*RETRIED, *_BEHIND, _TOO_LARGE):
                    raise self._channel.error(response)
                reason = str(self._channel.error(response))
                if self._unsure and response.status in _BEHIND:  # so it has that one byte
                    self._offset, self._unsure = 1, False
                    self._move(response)
                    continue
            pause_s = tries.pause_s(self._offset)
            if pause_s is None:
                raise ConnectionBroken(
                    f"{self._digest}: sending broke off {tries.failures} times: {reason}",
                    hint="repeat the command: what arrived is not sent again",
                )
            self._transport.wait(pause_s, reason)
            self._ask_offset()
        self._progress(self._size)

    def _end(self) -> int:
        """Tell up to where the next request goes; the offset itself when all is there."""
        piece = self._piece()
        if self._growing is not None:
            piece = max(min(piece or _GROWN, _GROWN), self._least)
            there = self._growing.wait(self._offset + piece)
            if there < self._offset + piece:
                made = self._growing.made()
                self._digest, self._size = str(made.digest), made.size
            return min(there, self._offset + piece)
        return min(self._size, self._offset + piece) if piece else self._size

    def _piece(self) -> int:
        return self._channel.habits.piece

    def _shrink(self, response: Response, sent: int) -> None:
        """Send less at once from now on. Raises: what 413 means, when less is not possible."""
        fitting = next((piece for piece in _PIECES if self._least <= piece < sent), 0)
        if not fitting:
            raise self._channel.error(response)
        self._channel.habits.piece = fitting

    def _patch(self, end: int) -> Request:
        headers = {"Content-Type": "application/octet-stream"}
        offset = self._offset
        whole = not offset and end == self._size and self._growing is None
        if not whole or self._unsure:  # else it is Docker's own form, which every registry takes
            headers["Content-Range"] = f"{offset}-{end - 1}"
        body = Body(end - offset, lambda: self._pieces(offset, end))
        return Request("PATCH", self._location, headers, body, retry=False)

    def _flow(self) -> Request:
        """Send all of a blob that is being made with one request, as Docker does: registries sync each."""
        headers = {"Content-Type": "application/octet-stream"}
        return Request("PATCH", self._location, headers, Body(None, self._as_made), retry=False)

    def _as_made(self) -> Iterator[bytes]:
        """Give the blob as far as it is made, until it is whole. Raises: what the maker fails with."""
        growing = self._growing
        assert growing is not None  # noqa: S101 - what else would flow
        offset, whole = 0, False
        while not whole:
            there = growing.wait(offset + BLOCK)
            if whole := there < offset + BLOCK:
                made = growing.made()
                self._digest, self._size = str(made.digest), made.size
            yield from self._pieces(offset, there)
            offset = there

    def _pieces(self, offset: int, end: int = -1) -> Iterator[bytes]:
        """Read the body from `offset` on. Raises: BodyUnreadable."""
        stop = self._size if end < 0 else end
        try:
            with self._open_body() as file:
                file.seek(offset)
                while offset < stop:
                    piece = file.read(min(BLOCK, stop - offset))
                    if not piece:
                        raise BodyUnreadable(f"{self._digest} ended after {offset} of {stop} bytes")
                    yield piece
                    offset += len(piece)
                    self._progress(offset)
        except (
            OSError
        ) as error:  # ours, not the network's: the transport must not take it for its own
            raise BodyUnreadable(f"cannot read {self._digest} to send it: {error}") from error

    def _ask_offset(self) -> None:
        """Ask how much the server has. Raises: _Restart (it has forgotten, or does not say)."""
        import re  # not for pushes that nothing interrupts

        response = self._channel.send(Request("GET", self._location))
        if response.status in _GONE:
            raise _Restart(self._channel.error(response))
        if not response.is_success:
            raise self._channel.error(response)
        self._move(response)
        match = re.fullmatch(_RANGE, response.header("Range"))
        end = int(match[2]) if match else 0
        # "0-0" is said for one byte and, by every registry, for none: the next piece says where it
        # begins, and a registry that has the byte answers 416. One that does not look at that has
        # a byte too many, which PUT notices.
        self._offset = end + 1 if end > 0 else 0
        self._unsure = match is not None and end == 0
        if self._growing is None and self._offset > self._size:
            raise _Restart(RegistryFailed(f"{self._digest}: the registry has more than was sent"))
        self._progress(self._offset)

    def _closing(self, body: "bytes | Body") -> Request:
        mark = "&" if split_url(self._location).query else "?"
        url = f"{self._location}{mark}digest={quoted(self._digest)}"
        headers = {"Content-Type": "application/octet-stream"}
        return Request("PUT", url, headers, body, retry=False)

    def _complete(self) -> None:
        """Close the upload under the digest; a lost answer is looked up."""
        tries = self._transport.tries()
        while True:
            response = None
            try:
                response = self._channel.send(self._closing(b""))
                if response.is_success:
                    return
                reason = str(self._channel.error(response))
            except ConnectionBroken as error:
                reason = str(error)
            if self._channel.exists(self._digest):
                return
            if response is not None and response.status not in RETRIED:
                raise self._refusal(response)
            pause_s = tries.pause_s(0)
            if pause_s is None:
                raise ConnectionBroken(f"{self._digest}: the upload could not be closed: {reason}")
            self._transport.wait(pause_s, reason)

    def _refusal(self, response: Response) -> LaminaError | _Restart:
        error = self._channel.error(response)
        codes = {problem.code for problem in problems(response.body)}
        if "DIGEST_INVALID" in codes:
            return _Restart(
                DigestMismatch(
                    f"{self._digest}: the registry received other bytes: {error}",
                    hint="the bytes were damaged on the way, or on this disk (`lamina fsck`)",
                )
            )
        if response.status in (404, 416) or codes & {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"}:
            return _Restart(error)
        return error


def _ignore(value: object) -> None:
    """Hear nothing."""
