"""A connection of the hub: aiohttp's, with a short way in front for answers that are still known.

Where a whole plain request comes in one piece, nothing else is under way on the connection, and
`Answers` has what it asks for, the answer is written at once: no task, no thread, no middleware. Everything
else goes to aiohttp byte for byte. What the long way does besides answering is done here, too: the request's
id, its place in the metrics, its line in the log, its pull counted.
Why and what it gives: docs/decisions/0018-hot-path.md.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lamina.hub.heads import HEAD_LIMIT, Head, Heads, read_head
from lamina.hub.logs import ACCOUNT, REQUEST_ID, log_request, logs_requests
from lamina.hub.remembered import TELLS, UNTIL, Answer, Answers, Key
from lamina.hub.watch import REQUEST_ID_HEADER, SERVER, line_of, request_id, route_of
from lamina.hub.web import address_behind, is_within

if TYPE_CHECKING:
    from lamina.hub.services import Services
    from lamina.hub.silence import Silence
    from lamina.hub.underway import Underway

__all__ = ["Desk", "Front"]

_OWN = ("Date", REQUEST_ID_HEADER)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Desk:
    """What all connections of one listening hub share."""

    services: "Services"
    answers: Answers
    silence: "Silence"
    underway: "Underway"
    heads: Heads = field(default_factory=Heads)
    _date: tuple[int, str] = (0, "")

    def date(self) -> str:
        """Give the moment as HTTP writes it."""
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]


class Front(web.RequestHandler):
    """One connection. aiohttp sees every request that is not answered here."""

    __slots__ = (
        "_asked",
        "_desk",
        "_given",
        "_is_full",
        "_is_heard",
        "_is_strange",
        "_partial",
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
        self._asked: tuple[Key, Hashable] | None = None

    def data_received(self, data: bytes) -> None:
        """Answer at once if that can be done, else hand over to aiohttp."""
        if self._given or self._partial or self._is_strange:
            self._follow(data)
        else:
            began = time.perf_counter()
            head = self._desk.heads.read(data)
            if head is None:
                self._follow(data)
            else:
                if head.is_plain:
                    version = self._desk.answers.version()
                    answer = self._desk.answers.find(head.key)
                    if answer is not None and self._may_answer():
                        self._send(head, answer, began)
                        return
                    self._asked = (head.key, version)
                self._given = 1
        super().data_received(data)

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
        if asked is not None and resp.status == HTTPStatus.OK and isinstance(resp, web.Response):
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
        return not (
            self._is_full
            or self._desk.underway.is_stopping
            or self.transport is None
            or self.transport.is_closing()
        )

    def _send(self, head: Head, answer: Answer, began: float) -> None:
        """Answer, then count and write down how it went."""
        desk = self._desk
        given = head.fields.get("x-request-id", "")
        remote, proxies = self._remote(), desk.services.settings.proxies
        known = request_id(given, is_believed=is_within(remote, proxies))
        start = f"Date: {desk.date()}\r\n{REQUEST_ID_HEADER}: {known}\r\n\r\n".encode()
        is_sent = head.method != "HEAD"
        assert self.transport is not None  # noqa: S101 - asked by `_may_answer`
        self.transport.write(answer.start + start + answer.body)
        self._rest()
        answer.tells()
        sent = len(answer.body) if is_sent else 0
        took_s = time.perf_counter() - began
        desk.services.metrics.count(
            method=head.method, route=answer.route, status=200, took_s=took_s, received=0, sent=sent
        )
        if logs_requests():
            REQUEST_ID.set(known)
            ACCOUNT.set(answer.account)
            log_request(
                line_of(
                    method=head.method,
                    path=head.target.partition("?")[0],
                    route=answer.route,
                    status=200,
                    took_s=took_s,
                    received=0,
                    sent=sent,
                    address=address_behind(remote, head.fields.get("x-forwarded-for", ""), proxies),
                    agent=head.fields.get("user-agent", ""),
                    given_id=given,
                )
            )

    def _remote(self) -> str:
        peer = self.peername
        return str(peer[0]) if isinstance(peer, (list, tuple)) else str(peer or "")

    def _rest(self) -> None:
        """Keep the connection for the next request: aiohttp's timer knows only of what it answered."""
        if not self._is_heard:
            self._is_heard = True
            self._desk.silence.forget(self)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout


def _to_keep(request: web.BaseRequest, response: web.Response) -> Answer | None:
    """Give an answer as it can be given again, if its route and its caller's login allow that."""
    tells: Callable[[], None] | None = request.get(TELLS)
    until: float | None = request.get(UNTIL)
    body = response.body
    if tells is None or until is None or not (body is None or isinstance(body, bytes)):
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
    )
