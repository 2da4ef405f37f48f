"""Use cases of webhooks: make, list, rest, test, deliver again. Every call may block.

Who may delete in a repository, or owns its namespace, looks after its webhooks. The secret is shown
once; it is kept as it is, because every delivery is signed with it.
"""

import base64
import secrets
import threading
import uuid
from collections.abc import Callable, Sequence

from lamina.errors import LaminaError
from lamina.hub.access import Caller
from lamina.hub.admission import allowed
from lamina.hub.database import Connection, Database
from lamina.hub.errors import FormInvalid, LoginRequired, WebhookUnknown
from lamina.hub.guard import check_url
from lamina.hub.names import is_repository
from lamina.hub.outbox import EVENTS, Deed, Outbox
from lamina.hub.tables import accounts, organisations, repositories, webhooks
from lamina.hub.tables.webhooks import Attempt, Delivery, Due, Webhook

__all__ = ["SECRET_PREFIX", "Webhooks", "next_try_s"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
_PER_SCOPE = 20
_LOG_ROWS = 50
_PAUSES_S = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_LONGEST_PAUSE_S = 86400.0
_LEASE_S = 60.0
_BATCH = 16
_EACH = 2
_GONE = 410


def next_try_s(attempts: int, *, asked_s: float | None, dice: float) -> float | None:
    """Give how long to wait after so many tries; None: give up, after about two days.

    A receiver that asks for longer gets that, up to a day. `dice` in [0, 1) spreads what failed
    together. Pure.
    """
    if attempts > len(_PAUSES_S):
        return None
    pause = _PAUSES_S[attempts - 1] * (1 + dice / 4)
    return max(pause, min(asked_s or 0.0, _LONGEST_PAUSE_S))


class Webhooks:
    """The webhooks of every namespace and repository, and what is on its way to them."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        networks: tuple[str, ...],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._networks = networks
        self._looking = threading.Lock()
        self._flushing = threading.Lock()

    def create(
        self, caller: Caller, scope: str, *, url: str, events: Sequence[str], secret: str = ""
    ) -> Webhook:
        """Make a webhook; with `secret` (whsec_ and base64) the receiver's own is used.

        Raises: FormInvalid, WebhookUnknown, LoginRequired.
        """
        fields = {
            "url": self._url_trouble(url),
            "events": _events_trouble(events),
            "secret": _secret_trouble(secret),
        }
        wrong = {field: text for field, text in fields.items() if text}
        if wrong:
            raise FormInvalid(wrong)
        made = Webhook(
            id=secrets.token_hex(8),
            scope=scope,
            url=url,
            secret=secret or _new_secret(),
            events=tuple(each for each in EVENTS if each in events),
            is_active=True,
            created_at=self._clock(),
            created_by=caller.name,
        )

        def work(connection: Connection) -> None:
            _check(connection, caller, scope)
            if webhooks.count(connection, scope) >= _PER_SCOPE:
                raise FormInvalid(
                    {"url": f"{scope} has {_PER_SCOPE} webhooks; delete one of them first"}
                )
            webhooks.add(connection, made)

        self._database.write(work)
        self.look()
        return made

    def of(self, caller: Caller, scope: str) -> tuple[Webhook, ...]:
        """Give the webhooks of a namespace or a repository. Raises: WebhookUnknown, LoginRequired."""

        def work(connection: Connection) -> tuple[Webhook, ...]:
            _check(connection, caller, scope)
            return webhooks.of_scope(connection, scope)

        return self._database.read(work)

    def get(self, caller: Caller, webhook_id: str) -> tuple[Webhook, tuple[Delivery, ...]]:
        """Give a webhook and its newest deliveries. Raises: WebhookUnknown, LoginRequired."""

        def work(connection: Connection) -> tuple[Webhook, tuple[Delivery, ...]]:
            found = _own(connection, caller, webhook_id)
            return found, webhooks.deliveries(connection, found.id, limit=_LOG_ROWS)

        return self._database.read(work)

    def remove(self, caller: Caller, webhook_id: str) -> Webhook:
        """Delete a webhook with its log. Raises: WebhookUnknown, LoginRequired."""

        def work(connection: Connection) -> Webhook:
            found = _own(connection, caller, webhook_id)
            webhooks.remove(connection, found.id)
            return found

        return self._database.write(work)

    def set_active(self, caller: Caller, webhook_id: str, *, is_active: bool) -> Webhook:
        """Have a webhook told of what comes, or not. Raises: WebhookUnknown, LoginRequired."""

        def work(connection: Connection) -> Webhook:
            found = _own(connection, caller, webhook_id)
            webhooks.set_active(connection, found.id, is_active=is_active)
            return found

        found = self._database.write(work)
        self.look()
        return found

    def test(self, caller: Caller, webhook_id: str) -> Webhook:
        """Send a webhook an event `test`. Raises: WebhookUnknown, LoginRequired."""

        def work(connection: Connection) -> Webhook:
            found = _own(connection, caller, webhook_id)
            self._outbox.put(connection, (found.id,), Deed("test", found.scope, caller.name))
            return found

        made = self._database.write(work)
        self._outbox.stir()
        return made

    def redeliver(self, caller: Caller, webhook_id: str, delivery_id: str) -> Webhook:
        """Send an event once more, under its own id. Raises: WebhookUnknown, DeliveryUnknown, …."""
        now = self._clock()

        def work(connection: Connection) -> Webhook:
            found = _own(connection, caller, webhook_id)
            told = webhooks.delivery(connection, found.id, delivery_id)
            webhooks.add_delivery(
                connection,
                Delivery(
                    str(uuid.uuid4()), found.id, told.event_id, told.event, told.subject, told.body,
                    now, now, 0, "waiting", 0, "", "", 0.0,
                ),
            )  # fmt: skip
            return found

        return self._database.write(work)

    def look(self) -> None:
        """Learn where pulls are to be told of; other processes do with their next flush."""
        with self._looking:  # one after another: what was seen last counts
            self._database.read(self._outbox.look)

    def flush_pulls(self) -> None:
        """Have the pulls delivered that were noted since the last time; on return they are written down."""
        self.look()
        with self._flushing:
            pulls = self._outbox.take_pulls()

            def work(connection: Connection) -> None:
                for deed, asked in pulls:
                    self._outbox.tell(connection, deed, asked)

            try:
                if pulls:
                    self._database.write(work, alone=False)
            except BaseException:
                self._outbox.take_back(pulls)
                raise

    def claim(self, *, busy: Sequence[str]) -> tuple[Due, ...]:
        """Take what is to be delivered now, for a minute; none of the webhooks in `busy`."""
        now = self._clock()
        if not self._database.read(lambda connection: webhooks.any_due(connection, now=now)):
            return ()
        return self._database.write(
            lambda connection: webhooks.claim(
                connection, now=now, until=now + _LEASE_S, limit=_BATCH, each=_EACH, busy=busy
            ),
            alone=False,
        )

    def settle(self, due: Due, went: Attempt, *, asked_s: float | None, dice: float) -> str:
        """Write down how a try went; give `delivered`, `retried` or `failed`.

        A receiver that says 410 wants no more: its webhook rests from then on.
        """
        is_good = 200 <= went.status < 300  # noqa: PLR2004 - success
        pause_s = None
        if not is_good and went.status != _GONE and due.event != "test":
            pause_s = next_try_s(due.attempts, asked_s=asked_s, dice=dice)
        state = "delivered" if is_good else "failed" if pause_s is None else "waiting"
        next_at = None if pause_s is None else self._clock() + pause_s

        def work(connection: Connection) -> None:
            webhooks.settle(connection, due.id, went, state=state, next_at=next_at)
            if went.status == _GONE:
                webhooks.set_active(connection, due.webhook_id, is_active=False)

        self._database.write(work, alone=False)
        return "retried" if state == "waiting" else state

    def _url_trouble(self, url: str) -> str:
        try:
            check_url(url, self._networks)
        except LaminaError as error:
            text = error.message[:1].upper() + error.message[1:]
            return f"{text} ({error.hint})" if error.hint else text
        return ""


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _secret_trouble(secret: str) -> str:
    if not secret:
        return ""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:  # noqa: PLR2004 - by the standard
        return f"A secret is {SECRET_PREFIX} and 24 to 64 bytes in base64"
    return ""


def _events_trouble(events: Sequence[str]) -> str:
    if not events or not set(events) <= set(EVENTS):
        return f"Choose what to be told of: {', '.join(EVENTS)}"
    return ""


def _own(connection: Connection, caller: Caller, webhook_id: str) -> Webhook:
    """Give a webhook that `caller` looks after. Raises: WebhookUnknown, LoginRequired."""
    found = webhooks.find(connection, webhook_id)
    try:
        _check(connection, caller, found.scope)
    except WebhookUnknown:
        raise WebhookUnknown(f"there is no webhook {webhook_id!r}") from None
    return found


def _check(connection: Connection, caller: Caller, scope: str) -> None:
    """Let whoever looks after a scope pass; for all others it has no webhooks.

    Raises: WebhookUnknown, LoginRequired.
    """
    if not caller.name:
        raise LoginRequired("webhooks belong to those who look after a repository")
    if is_repository(scope):
        repository = repositories.find(connection, scope)
        if repository is not None and "delete" in allowed(connection, caller, scope, repository):
            return
    elif accounts.find(connection, scope) or organisations.find(connection, scope):
        any_there = f"{scope}/any"  # who may do everything in it, whatever there is
        if "delete" in allowed(connection, caller, any_there, None):
            return
    raise WebhookUnknown(f"there is no namespace or repository {scope!r} that is yours")
