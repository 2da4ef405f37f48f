"""Rows of webhooks and of what is delivered to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import DeliveryUnknown, WebhookUnknown

__all__ = [
    "Attempt",
    "Delivery",
    "Due",
    "Webhook",
    "add",
    "add_delivery",
    "any_due",
    "claim",
    "count",
    "deliveries",
    "delivery",
    "expire",
    "find",
    "forget_namespace",
    "listening",
    "of_scope",
    "remove",
    "scopes_told_of",
    "set_active",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of what: `scope` is a namespace or a repository, `events` kinds of deeds."""

    id: str
    scope: str
    url: str
    secret: str
    events: tuple[str, ...]
    is_active: bool
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook; `next_at` None: it is over, or `status` 0: no answer."""

    id: str
    webhook_id: str
    event_id: str
    event: str
    subject: str
    body: bytes
    made_at: float
    next_at: float | None
    attempts: int
    state: str
    status: int
    asked: str
    answered: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to try now, with where to; `attempts` counts this one."""

    id: str
    webhook_id: str
    event_id: str
    event: str
    body: bytes
    attempts: int
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try went: heads for the log, `status` 0 when no answer came."""

    status: int
    asked: str
    answered: str
    took_s: float


_HOOK = "id, scope, url, secret, events, is_active, created_at, created_by"
_DELIVERY = (
    "id, webhook_id, event_id, event, subject, body, made_at, next_at, attempts, state, status,"
    " asked, answered, took_s"
)


def _hook(row: Row) -> Webhook:
    return Webhook(
        row[0], row[1], row[2], row[3], tuple(row[4].split(",")), bool(row[5]), row[6], row[7]
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6], row[7], *tuple(row)[8:14]
    )


def add(connection: Connection, made: Webhook) -> None:
    """Keep a new webhook."""
    connection.execute(
        f"INSERT INTO webhooks ({_HOOK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            made.id, made.scope, made.url, made.secret, ",".join(made.events), made.is_active,
            made.created_at, made.created_by,
        ),
    )  # fmt: skip


def find(connection: Connection, webhook_id: str) -> Webhook:
    """Give the webhook of that id. Raises: WebhookUnknown."""
    row = connection.execute(
        f"SELECT {_HOOK} FROM webhooks WHERE id = ?",  # noqa: S608 - a constant
        (webhook_id,),
    ).fetchone()
    if row is None:
        raise WebhookUnknown(f"there is no webhook {webhook_id!r}")
    return _hook(row)


def of_scope(connection: Connection, scope: str) -> tuple[Webhook, ...]:
    """Give the webhooks of exactly that namespace or repository, oldest first."""
    rows = connection.execute(
        f"SELECT {_HOOK} FROM webhooks WHERE scope = ? ORDER BY created_at, id",  # noqa: S608 - a constant
        (scope,),
    )
    return tuple(_hook(row) for row in rows)


def count(connection: Connection, scope: str) -> int:
    """Give how many webhooks a scope has."""
    row = connection.execute("SELECT count(*) FROM webhooks WHERE scope = ?", (scope,)).fetchone()
    return int(row[0])


def remove(connection: Connection, webhook_id: str) -> None:
    """Forget a webhook and what was to be delivered to it."""
    connection.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))


def forget_namespace(connection: Connection, namespace: str) -> None:
    """Forget the webhooks of a namespace and all in it: who takes the name next is not told of."""
    below = f"{namespace}/"
    connection.execute(
        "DELETE FROM webhooks WHERE scope = ? OR substr(scope, 1, ?) = ?",
        (namespace, len(below), below),
    )


def set_active(connection: Connection, webhook_id: str, *, is_active: bool) -> None:
    """Have a webhook told of what comes, or not; what waits for one that rests is given up."""
    connection.execute("UPDATE webhooks SET is_active = ? WHERE id = ?", (is_active, webhook_id))
    if not is_active:
        connection.execute(
            "UPDATE deliveries SET next_at = NULL, state = 'failed'"
            " WHERE webhook_id = ? AND next_at IS NOT NULL",
            (webhook_id,),
        )


def listening(connection: Connection, scopes: Sequence[str], event: str) -> tuple[str, ...]:
    """Give the ids of the active webhooks of any of two scopes that want to hear of `event`."""
    rows = connection.execute(
        "SELECT id, events FROM webhooks WHERE scope IN (?, ?) AND is_active = 1",
        (scopes[0], scopes[-1]),
    )
    return tuple(row[0] for row in rows if event in row[1].split(","))


def scopes_told_of(connection: Connection, event: str) -> frozenset[str]:
    """Give the scopes with an active webhook that wants to hear of `event`."""
    rows = connection.execute(
        "SELECT DISTINCT scope, events FROM webhooks WHERE is_active = 1 AND events LIKE ?",
        (f"%{event}%",),
    )
    return frozenset(row[0] for row in rows if event in row[1].split(","))


def add_delivery(connection: Connection, made: Delivery) -> None:
    """Have an event delivered."""
    connection.execute(
        f"INSERT INTO deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            made.id, made.webhook_id, made.event_id, made.event, made.subject, made.body,
            made.made_at, made.next_at, made.attempts, made.state, made.status, made.asked,
            made.answered, made.took_s,
        ),
    )  # fmt: skip


def any_due(connection: Connection, *, now: float) -> bool:
    """Tell whether anything is to be delivered."""
    row = connection.execute(
        "SELECT 1 FROM deliveries WHERE next_at <= ? LIMIT 1", (now,)
    ).fetchone()
    return row is not None


def claim(
    connection: Connection,
    *,
    now: float,
    until: float,
    limit: int,
    each: int,
    busy: Sequence[str] = (),
) -> tuple[Due, ...]:
    """Take deliveries whose time has come: nobody else has them before `until`.

    At most `each` of one webhook, none of those in `busy`: one that never answers holds up no other.
    """
    marks = ", ".join("?" * len(busy)) or "''"
    rows = connection.execute(
        "UPDATE deliveries SET next_at = ?, attempts = attempts + 1 WHERE next_at <= ? AND id IN"  # noqa: S608 - marks
        " (SELECT id FROM (SELECT id, next_at, row_number() OVER"
        "   (PARTITION BY webhook_id ORDER BY next_at, id) AS place FROM deliveries"
        f"   WHERE next_at <= ? AND webhook_id NOT IN ({marks})) AS waiting"
        "  WHERE place <= ? ORDER BY next_at LIMIT ?)"
        " RETURNING id, webhook_id, event_id, event, body, attempts",
        (until, now, now, *busy, each, limit),
    ).fetchall()
    found = []
    for row in rows:
        hook = find(connection, row[1])
        found.append(
            Due(row[0], row[1], row[2], row[3], bytes(row[4]), row[5], hook.url, hook.secret)
        )
    return tuple(found)


def settle(
    connection: Connection, delivery_id: str, went: Attempt, *, state: str, next_at: float | None
) -> None:
    """Write down how a try went, and when the next one is due; None: never."""
    connection.execute(
        "UPDATE deliveries SET state = ?, next_at = ?, status = ?, asked = ?, answered = ?,"
        " took_s = ? WHERE id = ?",
        (state, next_at, went.status, went.asked, went.answered, went.took_s, delivery_id),
    )


def deliveries(connection: Connection, webhook_id: str, *, limit: int) -> tuple[Delivery, ...]:
    """Give what was delivered to a webhook, the newest first."""
    rows = connection.execute(
        f"SELECT {_DELIVERY} FROM deliveries WHERE webhook_id = ?"  # noqa: S608 - a constant
        " ORDER BY made_at DESC, id LIMIT ?",
        (webhook_id, limit),
    )
    return tuple(_delivery(row) for row in rows)


def delivery(connection: Connection, webhook_id: str, delivery_id: str) -> Delivery:
    """Give one delivery of a webhook. Raises: DeliveryUnknown."""
    row = connection.execute(
        f"SELECT {_DELIVERY} FROM deliveries WHERE webhook_id = ? AND id = ?",  # noqa: S608 - a constant
        (webhook_id, delivery_id),
    ).fetchone()
    if row is None:
        raise DeliveryUnknown(
            f"there is no delivery {delivery_id!r}", hint="the log goes back some weeks"
        )
    return _delivery(row)


def expire(connection: Connection, *, before: float) -> None:
    """Drop deliveries made before that moment which are over."""
    connection.execute("DELETE FROM deliveries WHERE made_at <= ? AND next_at IS NULL", (before,))
