"""Use cases of mirroring rules: make, list, look at their runs, run now. Admins alone; calls block."""

import secrets
from collections.abc import Callable, Sequence

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.database import Connection, Database
from lamina.hub.errors import FormInvalid, LoginRequired, NameUnknown
from lamina.hub.names import is_repository, namespace_of
from lamina.hub.tables import accounts, caches, mirrors, organisations
from lamina.hub.tables.mirrors import Mirror, Run
from lamina.spec.reference import Reference

__all__ = ["EVERY_HOURS", "Mirrors"]

EVERY_HOURS = 24
"""How often a rule runs unless said otherwise."""
_HOUR_S = 3600
_LONGEST_HOURS = 8760
_PATTERNS, _PATTERN_LENGTH = 50, 128
_RUNS_SHOWN = 20


class Mirrors:
    """The mirroring rules of a hub."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def all(self, caller: Caller) -> tuple[tuple[Mirror, Run | None], ...]:
        """Give every rule by its target, with its last run. Raises: NameUnknown, LoginRequired."""
        _check(caller)

        def work(connection: Connection) -> tuple[tuple[Mirror, Run | None], ...]:
            return tuple(
                (each, next(iter(mirrors.runs(connection, each.id, limit=1)), None))
                for each in mirrors.rows(connection)
            )

        return self._database.read(work)

    def get(self, caller: Caller, mirror_id: str) -> tuple[Mirror, tuple[Run, ...]]:
        """Give a rule and its newest runs. Raises: MirrorUnknown, NameUnknown, LoginRequired."""
        _check(caller)
        return self._database.read(
            lambda connection: (
                mirrors.find(connection, mirror_id),
                mirrors.runs(connection, mirror_id, limit=_RUNS_SHOWN),
            )
        )

    def create(
        self,
        caller: Caller,
        target: str,
        source: str,
        *,
        tags: Sequence[str] = ("*",),
        every_hours: int = EVERY_HOURS,
        deletes: bool = False,
        username: str = "",
        password: str = "",
    ) -> Mirror:
        """Make a rule; it runs for the first time as soon as somebody looks.

        `source` is a repository as people write it (`debian`, `quay.io/team/app`). With `deletes`,
        tags that fit and are gone there go here. Raises: FormInvalid, NameUnknown, LoginRequired.
        """
        _check(caller)
        fields = {
            "target": "" if is_repository(target) else "Write the repository as NAMESPACE/NAME",
            "source": _source_trouble(source),
            "tags": _tags_trouble(tags),
            "every_hours": ""
            if 1 <= every_hours <= _LONGEST_HOURS
            else f"A rule runs every 1 to {_LONGEST_HOURS} hours",
            "username": ""
            if bool(username) == bool(password) and (username + password).isprintable()
            else "A login is a name and a password or token, or neither",
        }
        _raise(fields)
        now = self._clock()
        named = Reference.parse(source)
        made = Mirror(
            id=secrets.token_hex(8),
            target=target,
            source=f"{named.registry}/{named.repository}",
            tags=tuple(dict.fromkeys(tags)),
            every_s=every_hours * _HOUR_S,
            deletes=deletes,
            username=username,
            password=password,
            next_at=now,
            running_until=0.0,
            created_at=now,
            created_by=caller.name,
        )

        def work(connection: Connection) -> None:
            _raise({"target": _namespace_trouble(connection, namespace_of(target))})
            mirrors.add(connection, made)

        self._database.write(work)
        return made

    def remove(self, caller: Caller, mirror_id: str) -> Mirror:
        """Forget a rule; what it copied stays. Raises: MirrorUnknown, NameUnknown, LoginRequired."""
        _check(caller)

        def work(connection: Connection) -> Mirror:
            found = mirrors.find(connection, mirror_id)
            mirrors.remove(connection, mirror_id)
            return found

        return self._database.write(work)

    def run_now(self, caller: Caller, mirror_id: str) -> Mirror:
        """Have a rule run within seconds; again after it, if it runs. Raises: MirrorUnknown, …."""
        _check(caller)
        now = self._clock()

        def work(connection: Connection) -> Mirror:
            found = mirrors.find(connection, mirror_id)
            mirrors.hasten(connection, mirror_id, now=now)
            return found

        return self._database.write(work)


def _check(caller: Caller) -> None:
    """Let admins pass; for all others there are no rules to see. Raises: LoginRequired, NameUnknown."""
    if not caller.name:
        raise LoginRequired("mirroring rules are an admin's")
    if not caller.is_admin or caller.token_id:
        raise NameUnknown("there is no such page")


def _raise(fields: dict[str, str]) -> None:
    wrong = {field: text for field, text in fields.items() if text}
    if wrong:
        raise FormInvalid(wrong)


def _source_trouble(source: str) -> str:
    try:
        found = Reference.parse(source, default_tag="")
    except Invalid as error:
        return error.message[:1].upper() + error.message[1:]
    if found.tag or found.digest:
        return "Write the source without a tag: which tags are copied is said beside it"
    return ""


def _tags_trouble(tags: Sequence[str]) -> str:
    if not 1 <= len(tags) <= _PATTERNS:
        return f"Give 1 to {_PATTERNS} patterns of tags, such as v* or *"
    for each in tags:
        if not each or len(each) > _PATTERN_LENGTH or not each.isprintable() or " " in each:
            return f"{each!r} is no pattern of tags"
    return ""


def _namespace_trouble(connection: Connection, namespace: str) -> str:
    if any(each.namespace == namespace for each in caches.rows(connection)):
        return f"{namespace} stands for another registry: nothing is copied there"
    if accounts.find(connection, namespace) or organisations.find(connection, namespace):
        return ""
    return f"There is no namespace {namespace}: make an organisation of that name first"
