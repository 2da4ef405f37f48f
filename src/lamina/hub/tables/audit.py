"""Rows of the audit log."""

from dataclasses import dataclass

from lamina.hub.database import Connection

__all__ = ["About", "Entry", "about", "actions", "add", "expire", "rows"]

_LOOKED = 200_000
_TYPED = (
    "login refused", "ask for a link", "create token", "revoke token", "connect identity",
    "disconnect identity", "end session",
)  # fmt: skip
_OF_ORGANISATION = (
    "create team", "delete team", "join team", "leave team", "make member", "make owner",
    "remove member",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed: `at` is epoch seconds, `account` empty for nobody, `id` 0 before it is kept."""

    at: float
    account: str
    action: str
    subject: str
    address: str
    token: str
    request: str
    id: int = 0


def add(connection: Connection, entry: Entry) -> None:
    """Keep a deed."""
    connection.execute(
        "INSERT INTO audit (at, account, action, subject, address, token, request)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry.at,
            entry.account,
            entry.action,
            entry.subject,
            entry.address,
            entry.token,
            entry.request,
        ),
    )


def rows(
    connection: Connection, *, account: str, action: str, before: int, limit: int
) -> tuple[Entry, ...]:
    """Give deeds from the newest on; empty filters take all, `before` 0 begins at the newest."""
    wanted: list[tuple[str, object]] = []
    if account:
        wanted.append(("account = ?", account))
    if action:
        wanted.append(("action = ?", action))
    if before:
        wanted.append(("id < ?", before))
    where = " AND ".join(condition for condition, _ in wanted) or "1 = 1"
    found = connection.execute(
        "SELECT at, account, action, subject, address, token, request, id FROM audit"  # noqa: S608 - constants
        f" WHERE {where} ORDER BY id DESC LIMIT ?",
        (*(value for _, value in wanted), limit),
    )
    return tuple(Entry(*row) for row in found)


@dataclass(frozen=True, slots=True)
class About:
    """Deeds from the newest on, and before which id to look on; 0: there is no more."""

    rows: tuple[Entry, ...]
    before: int


def about(
    connection: Connection,
    name: str,
    *,
    by: str = "",
    account: str = "",
    action: str = "",
    before: int = 0,
    limit: int,
) -> About:
    """Give what was done to a repository, or in a namespace; with `by`, whatever that account did, too.

    Nothing leads from a subject to its deeds: looks at no more than two hundred thousand of the log at a time.
    """
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM audit").fetchone()
    start = min(before, newest[0] + 1) if before else newest[0] + 1
    end = start - _LOOKED
    where, values = _concerns(name)
    if by:
        where, values = f"({where} OR account = ?)", [*values, by]
    for column, text in (("account", account), ("action", action)):
        if text:
            where, values = f"{where} AND {column} = ?", [*values, text]
    found = connection.execute(
        "SELECT at, account, action, subject, address, token, request, id FROM audit"  # noqa: S608 - constants
        f" WHERE id < ? AND id >= ? AND {where} ORDER BY id DESC LIMIT ?",
        (start, end, *values, limit + 1),
    )
    entries = tuple(Entry(*row) for row in found)
    if len(entries) > limit:
        return About(entries[:limit], entries[limit - 1].id)
    return About(entries, max(end, 0))


def _concerns(name: str) -> tuple[str, list[object]]:
    """Give the condition that a deed is about `name`, by the words that `note` is given.

    Subjects that anyone types are left out: they would write into other people's logs.
    """
    escaped = name.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    of_repository = "/" in name
    ends = (":%", "@%", " %") if of_repository else ("/%", "+%", " %")
    starts = " OR ".join(["subject LIKE ? ESCAPE '!'"] * len(ends))
    typed = ", ".join("?" * len(_TYPED))
    where = f"(action NOT IN ({typed}) AND (subject = ? OR {starts})"
    values: list[object] = [*_TYPED, name, *(escaped + end for end in ends)]
    if not of_repository:
        marks = ", ".join("?" * len(_OF_ORGANISATION))
        where += f" OR (action IN ({marks}) AND subject LIKE ? ESCAPE '!')"
        values += [*_OF_ORGANISATION, f"% of {escaped}"]
        where += " OR (action = 'login refused' AND subject = ?)"
        values.append(name)
    return where + ")", values


def actions(connection: Connection) -> tuple[str, ...]:
    """Give every action that was ever noted, by name."""
    found = connection.execute("SELECT DISTINCT action FROM audit ORDER BY action")
    return tuple(str(row[0]) for row in found)


def expire(connection: Connection, *, before: float) -> None:
    """Drop what was done before that moment."""
    connection.execute("DELETE FROM audit WHERE at <= ?", (before,))
