"""What webhooks are told: events as documents, put into the outbox by the transaction of the deed.

So a deed that was done is told, whatever dies in between, and one that was undone is not. The
document has the fields of distribution's notifications, which receivers know. Pulls write nothing
by themselves: they wait in memory for the next flush, and only where a webhook wants them.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.names import namespace_of
from lamina.hub.tables import webhooks
from lamina.hub.tables.webhooks import Delivery
from lamina.spec.wire import Document, encode

__all__ = ["EVENTS", "NOBODY", "Asked", "Deed", "Outbox", "event_document"]

EVENTS = ("push", "move", "delete", "pull")
"""Kinds of events: a manifest came, a tag that was there names another, something went, a pull."""

_PULLS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that did a deed: its id, who sent it from where, and what we are called there."""

    id: str = ""
    address: str = ""
    host: str = ""
    method: str = ""
    agent: str = ""
    url: str = ""


NOBODY = Asked()


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to a repository, by the account `actor`. `tags` went with a manifest."""

    event: str
    repository: str
    actor: str
    digest: str = ""
    media_type: str = ""
    size: int = 0
    tag: str = ""
    previous: str = ""
    tags: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Say what it was done to: `alice/app:v1`."""
        if self.tag:
            return f"{self.repository}:{self.tag}"
        return f"{self.repository}@{self.digest}" if self.digest else self.repository


def event_document(deed: Deed, asked: Asked, *, event_id: str, timestamp: str) -> Document:
    """Give the document that tells of a deed. Pure."""
    target: Document = {"repository": deed.repository}
    if deed.digest:
        target |= {
            "mediaType": deed.media_type,
            "digest": deed.digest,
            "size": deed.size,
            "length": deed.size,
        }
        if asked.url and deed.event != "delete":
            target["url"] = f"{asked.url}/v2/{deed.repository}/manifests/{deed.digest}"
    if deed.tag:
        target["tag"] = deed.tag
    if deed.tags:
        target["tags"] = list(deed.tags)
    if deed.previous:
        target["previous"] = deed.previous
    event: Document = {
        "id": event_id,
        "timestamp": timestamp,
        "action": deed.event,
        "target": target,
        "request": {
            "id": asked.id,
            "addr": asked.address,
            "host": asked.host,
            "method": asked.method,
            "useragent": asked.agent,
        },
        "actor": {"name": deed.actor},
        "source": {"addr": asked.host},
    }
    return {"events": [event]}


class Outbox:
    """Puts deeds into the outbox of those who want to hear of them. Safe for many threads."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._told_of_pulls: frozenset[str] = frozenset()
        self._pulls: list[tuple[Deed, Asked]] = []
        self._is_told = False
        self._wake: Callable[[], object] | None = None

    def tell(self, connection: Connection, deed: Deed, asked: Asked = NOBODY) -> None:
        """Have `deed` delivered once the transaction is over. Costs one read by key for most."""
        scopes = (namespace_of(deed.repository), deed.repository)
        found = webhooks.listening(connection, scopes, deed.event)
        if found:
            self.put(connection, found, deed, asked)

    def put(
        self, connection: Connection, hooks: Sequence[str], deed: Deed, asked: Asked = NOBODY
    ) -> None:
        """Have `deed` delivered to these webhooks."""
        self._is_told = True
        now = self._clock()
        event_id = str(uuid.uuid4())
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        body = encode(event_document(deed, asked, event_id=event_id, timestamp=timestamp))
        for hook in hooks:
            webhooks.add_delivery(
                connection,
                Delivery(
                    str(uuid.uuid4()), hook, event_id, deed.event, deed.subject, body, now, now,
                    0, "waiting", 0, "", "", 0.0,
                ),
            )  # fmt: skip

    def stir(self) -> None:
        """Have what was told delivered now, after its transaction; without it that takes a second."""
        if self._is_told and self._wake is not None:
            self._is_told = False
            self._wake()

    def wake_by(self, wake: Callable[[], object] | None) -> None:
        """Say how whoever delivers is woken, from any thread; None: nobody delivers here."""
        self._wake = wake

    def wants_pulls(self, repository: str) -> bool:
        """Tell whether someone wants to hear of pulls there; known as of the last flush."""
        told = self._told_of_pulls
        return bool(told) and (repository in told or namespace_of(repository) in told)

    def pulled(self, deed: Deed, asked: Asked = NOBODY) -> None:
        """Note a pull for the next flush; beyond ten thousand they are not told one by one."""
        with self._guard:
            if len(self._pulls) < _PULLS_KEPT:
                self._pulls.append((deed, asked))

    def take_pulls(self) -> "list[tuple[Deed, Asked]]":
        """Give the pulls noted since the last time."""
        with self._guard:
            pulls, self._pulls = self._pulls, []
        return pulls

    def take_back(self, pulls: "list[tuple[Deed, Asked]]") -> None:
        """Keep pulls that could not be told, as those noted first."""
        with self._guard:
            self._pulls = [*pulls, *self._pulls][:_PULLS_KEPT]

    def look(self, connection: Connection) -> None:
        """Learn anew where someone wants to hear of pulls."""
        self._told_of_pulls = webhooks.scopes_told_of(connection, "pull")
