"""A connection of the hub: aiohttp's, with a short way in front for answers that are still known.

Where a whole plain request comes in one piece, nothing else is under way on the connection, and
`Answers` has what it asks for, the answer is written at once: no task, no thread, no middleware. Small uploads are begun and taken so, too, by `Intake`; one that does not go well is aiohttp's with all its
bytes, as if nobody had looked. Everything else goes to aiohttp byte for byte. What the long way does besides
answering is done here, too: the request's id, its place in the metrics, its line in the log, its pull counted.
Why and what it gives: docs/decisions/0018-hot-path.md.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lamina.hub.heads import HEAD_LIMIT, Head, Heads, Sending, read_head
from lamina.hub.intake import Intake, LongWay
from lamina.hub.logs import ACCOUNT, REQUEST_ID, log_request, logs_requests
from lamina.hub.offers import Wish
from lamina.hub.remembered import FILE, TELLS, UNTIL, Answer, Answers, KeptFile, Key
from lamina.hub.sending import send_file, spare_pacing
from lamina.hub.watch import REQUEST_ID_HEADER, SERVER, line_of, request_id, route_of
from lamina.hub.web import address_behind, is_within

if TYPE_CHECKING:
    from lamina.hub.services import Services
    from lamina.hub.silence import Silence
    from lamina.hub.underway import Underway

__all__ = ["Desk", "Front"]

_OWN = ("Date", REQUEST_ID_HEADER)
_END_OF_HEAD = b"\r\n\r\n"
_GONE = 499  # as nginx counts clients that hung up
_SENDS = (b"POST /v2/", b"PUT /v2/")
_PATIENCE_S = 0.05  # for the rest of a small body; one that is slow is received as it comes
_ROUTE = "upload"
_ALL = f"Docker-Distribution-API-Version: registry/2.0\r\nServer: {SERVER}\r\nContent-Length: 0\r\n"
_HELD = 64 * 1024  # bytes of what comes next, read while an upload is taken


@dataclass(slots=True)
class Desk:
    """What all connections of one listening hub share."""

    services: "Services"
    answers: Answers
    silence: "Silence"
    underway: "Underway"
    intake: Intake | None = None
    heads: Heads = field(default_factory=Heads)
    _date: tuple[int, str] = (0, "")

    def date(self) -> str:
        """Give the moment as HTTP writes it."""
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]


@dataclass(slots=True)
class _Taking:
    """A small upload that is coming, or being taken: all its bytes, and what came after them."""

    sending: Sending
    wish: Wish
    began: float
    data: bytearray
    patience: asyncio.TimerHandle | None = None
    is_whole: bool = False
    is_reading: bool = True


class Front(web.RequestHandler):
    """One connection. aiohttp sees every request that is not answered here."""

    __slots__ = (
        "_asked",
        "_desk",
        "_given",
        "_has_ended",
        "_is_full",
        "_is_heard",
        "_is_strange",
        "_partial",
        "_sender",
        "_taking",
    )

    def __init__(
        self,
        server: web.Server,
        desk: Desk,
        *,
        loop: asyncio.AbstractEventLoop,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(server, loop=loop, **options)
        self._desk = desk
        self._given = 0  # whole plain requests that aiohttp has and has not answered
        self._partial = b""  # the beginning of a head that aiohttp has
        self._is_strange = False  # where requests begin and end, aiohttp alone knows from now on
        self._is_full = False
        self._is_heard = False
        self._has_ended = False  # the client sends nothing more, and waits for its answers
        self._sender: asyncio.Task[None] | None = None  # of a file that is being sent
        self._taking: _Taking | None = None
        self._asked: tuple[Key, Hashable] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        spare_pacing(transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer at once if that can be done, else hand over to aiohttp.

        aiohttp itself comes with no bytes where it is to go on with what it has.
        """
        rest = self._receive(data)
        while rest:
            rest = self._receive(rest)

    def _receive(self, data: bytes) -> bytes:
        """See to what came; give what is left of it where a request was answered."""
        if self._taking is not None:
            self._gather(self._taking, data)
            return b""
        if self._given or self._partial or self._is_strange:
            self._follow(data)
        else:
            began = time.perf_counter()
            sends = data.startswith(_SENDS)
            head = None if sends else self._desk.heads.read(data)
            if head is None:
                rest = self._take_in(data, began) if sends else None
                if rest is not None:
                    return rest
                self._follow(data)
            else:
                if head.is_plain:
                    version = self._desk.answers.version()
                    answer = self._desk.answers.find(head.key)
                    if answer is not None and self._may_answer():
                        if answer.file is None:
                            self._send(head, answer, began)
                            return b""
                        if self.ssl_context is None:
                            self._send_file(head, answer, answer.file, began)
                            return b""
                    self._asked = (head.key, version)
                self._given = 1
        super().data_received(data)
        return b""

    def eof_received(self) -> bool | None:  # type: ignore[override] # aiohttp's says nothing, which means: close
        """Answer whoever asked and sends no more, as far as it is known what they asked."""
        if self._taking is not None and not self._taking.is_whole:
            self._forget(self._taking)
        is_owed = self._taking is not None or (self._given and not self._partial)
        if self._is_strange or not is_owed or self.ssl_context is not None:
            return None
        self._has_ended = True
        return True

    def pause_writing(self) -> None:
        """Note that the client takes no more for now."""
        self._is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client takes more."""
        self._is_full = False
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._is_strange = True
        if self._taking is not None and not self._taking.is_whole:
            self._forget(self._taking)
        if self._sender is not None:
            self._sender.cancel()
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Any:  # noqa: ANN401 - aiohttp's own, which differs between its versions
        """Send what the long way answered, and keep it where that may be."""
        if not resp.prepared:  # aiohttp's own answers to what is no request, too
            resp.headers["Server"] = SERVER
        result = await super().finish_response(request, resp, start_time)
        asked, self._asked = self._asked, None
        self._given -= 1
        if not resp.keep_alive:
            self._is_strange = True
        if self._has_ended and not self._given:
            self.close()
        if asked is not None and resp.status == HTTPStatus.OK:
            answer = _to_keep(request, resp)
            if answer is not None:
                self._desk.answers.keep(*asked, answer)
        return result

    def _follow(self, data: bytes) -> None:
        """Keep up with what aiohttp is given: whole plain requests and beginnings of such, or lose track."""
        if self._is_strange:
            return
        self._asked = None  # a second request may be answered before the first is
        read = self._partial + data
        if read_head(read) is not None:
            self._partial = b""
            self._given += 1
        elif len(read) <= HEAD_LIMIT and _END_OF_HEAD not in read:
            self._partial = read
        else:
            self._is_strange, self._partial = True, b""

    def _may_answer(self) -> bool:
        return not (self._is_full or self._desk.underway.is_stopping or self._open() is None)

    def _send(self, head: Head, answer: Answer, began: float) -> None:
        """Answer, then count and write down how it went."""
        known = self._write(head, answer.start, answer.body)
        answer.tells()
        sent = len(answer.body) if head.method != "HEAD" else 0
        self._tell(head, known, began, route=answer.route, account=answer.account, sent=sent)

    def _send_file(self, head: Head, answer: Answer, file: KeptFile, began: float) -> None:
        """Answer with a file; what comes meanwhile waits in its socket."""
        transport = self.transport
        assert transport is not None  # noqa: S101 - asked by `_may_answer`
        transport.pause_reading()
        known = self._write(head, answer.start)
        self._desk.underway.begin()
        self._desk.services.metrics.in_flight += 1

        async def send() -> None:
            status = _GONE
            try:
                await send_file(transport, file.reader, 0, file.size)
                status = int(HTTPStatus.OK)
            except (
                OSError
            ):  # the client went away, or the disk fails: only a cut says that this is not all
                transport.abort()
            finally:
                self._end_file(head, answer, known, began, status=status, sent=file.size)

        self._sender = self._loop.create_task(send())

    def _end_file(
        self, head: Head, answer: Answer, known: str, began: float, *, status: int, sent: int
    ) -> None:
        """Count a file that was sent, and listen again."""
        self._sender = None
        self._desk.underway.end()
        self._desk.services.metrics.in_flight -= 1
        sent = sent if status == HTTPStatus.OK else 0
        name = answer.account
        self._tell(head, known, began, route=answer.route, account=name, status=status, sent=sent)
        transport = self._open()
        if transport is not None:
            self._rest()
            transport.resume_reading()
            if self._desk.underway.is_stopping:
                transport.close()

    def _write(self, head: Head, start: bytes, body: bytes = b"") -> str:
        """Write an answer; give the request's id."""
        desk = self._desk
        given = head.fields.get("x-request-id", "")
        is_believed = is_within(self._remote(), desk.services.settings.proxies)
        known = request_id(given, is_believed=is_believed)
        end = f"Date: {desk.date()}\r\n{REQUEST_ID_HEADER}: {known}\r\n\r\n".encode()
        transport = self._open()
        if transport is not None:
            transport.write(start + end + body)
            self._rest()
        return known

    def _tell(
        self,
        head: Head,
        known: str,
        began: float,
        *,
        route: str,
        account: str,
        status: int = HTTPStatus.OK,
        received: int = 0,
        sent: int = 0,
    ) -> None:
        """Count how a request went, and write it down."""
        desk, took_s = self._desk, time.perf_counter() - began
        desk.services.metrics.count(
            method=head.method,
            route=route,
            status=status,
            took_s=took_s,
            received=received,
            sent=sent,
        )
        if logs_requests():
            REQUEST_ID.set(known)
            ACCOUNT.set(account)
            forwarded = head.fields.get("x-forwarded-for", "")
            proxies = desk.services.settings.proxies
            log_request(
                line_of(
                    method=head.method,
                    path=head.target.partition("?")[0],
                    route=route,
                    status=status,
                    took_s=took_s,
                    received=received,
                    sent=sent,
                    address=address_behind(self._remote(), forwarded, proxies),
                    agent=head.fields.get("user-agent", ""),
                    given_id=head.fields.get("x-request-id", ""),
                )
            )

    def _take_in(self, data: bytes, began: float) -> bytes | None:
        """Begin an upload, or take one that is small; give what is left, None if aiohttp is to read it.

        A request that is all here and goes the long way has a known end: the connection stays in front.
        """
        desk = self._desk
        intake = desk.intake
        sending = (
            desk.heads.read_sending(data) if intake is not None and self._may_answer() else None
        )
        if intake is None or sending is None or desk.services.settings.read_only:
            return None
        head, size, end = sending.head, sending.end - sending.start, sending.end
        try:
            wish = intake.read(head.method, head.target, head.fields.get("authorization", ""))
            if wish.digest is None and not size:
                start = _begun(wish.repository, intake.begin(wish))
                known = self._write(head, start)
                name, status = wish.login.name, HTTPStatus.ACCEPTED
                self._tell(head, known, began, route=_ROUTE, account=name, status=status)
                return data[end:]
            if wish.digest is not None and size and intake.has_room(size):
                self._taking = _Taking(sending, wish, began, bytearray())
                return data
        except LongWay:
            pass
        if len(data) < end:
            return None
        self._given = 1
        super().data_received(data[:end])
        return data[end:]

    def _gather(self, taking: _Taking, data: bytes) -> None:
        """Add what came, and have the upload taken once it is whole."""
        taking.data += data
        end = taking.sending.end
        if not taking.is_whole and len(taking.data) >= end:
            taking.is_whole = True
            if taking.patience is not None:
                taking.patience.cancel()
            self._have_taken(taking, bytes(taking.data[taking.sending.start : end]))
        elif not taking.is_whole and taking.patience is None:
            taking.patience = self._loop.call_later(_PATIENCE_S, self._let_go, taking)
        # also of the first bytes: they may be what was read behind the one before
        if taking.is_whole and len(taking.data) > end + _HELD and taking.is_reading:
            transport = self._open()
            if transport is not None:
                taking.is_reading = False
                transport.pause_reading()

    def _let_go(self, taking: _Taking) -> None:
        """Leave an upload to aiohttp of which not all is here."""
        self._forget(taking)
        self._follow(bytes(taking.data))
        super().data_received(bytes(taking.data))

    def _forget(self, taking: _Taking) -> None:
        self._taking = None
        if taking.patience is not None:
            taking.patience.cancel()

    def _have_taken(self, taking: _Taking, body: bytes) -> None:
        desk = self._desk
        intake = desk.intake
        assert intake is not None  # noqa: S101 - else nothing is taken
        self._rest()  # nor does aiohttp's timer know that something is under way
        desk.underway.begin()
        desk.services.metrics.in_flight += 1

        intake.take(taking.wish, body, partial(self._taken, taking))

    def _taken(self, taking: _Taking, account: str | None) -> None:
        """Say that a blob is kept, or leave its request to aiohttp."""
        desk, sending = self._desk, taking.sending
        self._taking = None
        is_last = desk.underway.is_stopping
        desk.underway.end()
        desk.services.metrics.in_flight -= 1
        request, rest = bytes(taking.data[: sending.end]), bytes(taking.data[sending.end :])
        if account is not None:
            start = _created(taking.wish) + (b"Connection: close\r\n" if is_last else b"")
            known = self._write(sending.head, start)
            self._tell(
                sending.head,
                known,
                taking.began,
                route=_ROUTE,
                account=account,
                status=HTTPStatus.CREATED,
                received=sending.end - sending.start,
            )
            is_last = is_last or (self._has_ended and not rest)
        elif self._open() is not None:
            is_last, self._given = False, 1
            super().data_received(request)
        transport = self._open()
        if transport is None:
            return
        if not taking.is_reading:
            transport.resume_reading()
        if is_last:
            transport.close()
        elif rest:
            self.data_received(rest)

    def _open(self) -> asyncio.Transport | None:
        """Give the connection unless it has ended."""
        transport = self.transport
        return None if transport is None or transport.is_closing() else transport

    def _remote(self) -> str:
        peer = self.peername
        return str(peer[0]) if isinstance(peer, (list, tuple)) else str(peer or "")

    def _process_keepalive(self) -> None:
        """Close a connection that rests: aiohttp asks when it is time, and knows not what goes on here."""
        if self._sender is not None or self._taking is not None:
            self._rest()
        super()._process_keepalive()

    def _rest(self) -> None:
        """Keep the connection for the next request: aiohttp's timer knows only of what it answered."""
        if not self._is_heard:
            self._is_heard = True
            self._desk.silence.forget(self)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout


def _begun(repository: str, upload: str) -> bytes:
    """Give the head of the answer to who begins an upload, without what each has of its own."""
    return (
        f"HTTP/1.1 202 Accepted\r\nLocation: /v2/{repository}/blobs/uploads/{upload}\r\n"
        f"Range: 0-0\r\nDocker-Upload-UUID: {upload}\r\n{_ALL}"
    ).encode()


def _created(wish: Wish) -> bytes:
    return (
        f"HTTP/1.1 201 Created\r\nLocation: /v2/{wish.repository}/blobs/{wish.digest}\r\n"
        f"Docker-Content-Digest: {wish.digest}\r\n{_ALL}"
    ).encode()


def _to_keep(request: web.BaseRequest, response: web.StreamResponse) -> Answer | None:
    """Give an answer as it can be given again, if its route and its caller's login allow that."""
    tells: Callable[[], None] | None = request.get(TELLS)
    until: float | None = request.get(UNTIL)
    file: KeptFile | None = request.get(FILE)
    body = response.body if isinstance(response, web.Response) else None
    if tells is None or until is None or not (body is None or isinstance(body, bytes)):
        return None
    if file is None and not isinstance(response, web.Response):
        return None
    lines = [f"HTTP/1.1 200 {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name not in _OWN]
    return Answer(
        start="".join(f"{line}\r\n" for line in lines).encode(),
        body=b"" if request.method == "HEAD" or body is None else body,
        route=route_of(request.path),
        account=ACCOUNT.get(),
        until=until,
        tells=tells,
        file=file,
    )
