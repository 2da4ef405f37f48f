"""Rows of retention rules, and of what they judge."""

from collections.abc import Iterable

from lamina.hub.database import Connection, Row
from lamina.hub.retention_rules import Candidate, Rule
from lamina.hub.tables import manifests

__all__ = [
    "is_as_judged",
    "note_pulls",
    "remove_rule",
    "repositories_after",
    "rules",
    "set_rule",
    "tags",
    "untagged",
]

_COLUMNS = (
    "target, keep_newest, pushed_within_days, pulled_within_days, keep_like, only_like, untagged_days,"
    " changed_at, changed_by"
)


def _rule(row: Row) -> Rule:
    return Rule(
        row[0], row[1], row[2], row[3], tuple(row[4].split()), tuple(row[5].split()), row[6],
        row[7], row[8],
    )  # fmt: skip


def rules(connection: Connection) -> tuple[Rule, ...]:
    """Give every rule by target."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM retention ORDER BY target")  # noqa: S608 - a constant
    return tuple(_rule(row) for row in rows)


def set_rule(connection: Connection, rule: Rule) -> None:
    """Make a rule, in place of its target's old one."""
    remove_rule(connection, rule.target)
    connection.execute(
        f"INSERT INTO retention ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            rule.target, rule.keep_newest, rule.pushed_within_days, rule.pulled_within_days,
            " ".join(rule.keep), " ".join(rule.only), rule.untagged_days,
            rule.changed_at, rule.changed_by,
        ),
    )  # fmt: skip


def remove_rule(connection: Connection, target: str) -> bool:
    """Drop a rule; tell whether there was one."""
    gone = connection.execute("DELETE FROM retention WHERE target = ?", (target,))
    return bool(gone.rowcount)


def repositories_after(
    connection: Connection, last: str, *, limit: int
) -> tuple[tuple[int, str], ...]:
    """Give (id, name) of repositories after `last` in byte order."""
    rows = connection.execute(
        "SELECT id, name FROM repositories WHERE name > ? ORDER BY name LIMIT ?", (last, limit)
    )
    return tuple((row[0], row[1]) for row in rows)


def tags(connection: Connection, repository_id: int) -> tuple[Candidate, ...]:
    """Give every tag of a repository, in no order."""
    rows = connection.execute(
        "SELECT tags.name, digest, manifest_id, tags.pushed_at, pulled_at, content_size FROM tags"
        " JOIN manifests ON manifests.id = manifest_id WHERE tags.repository_id = ?",
        (repository_id,),
    )
    return tuple(Candidate(*row) for row in rows)


_UNTAGGED = (
    "SELECT digest, digest, id, coalesce(untagged_at, pushed_at), pulled_at, content_size"  # noqa: S608 - a constant
    f" FROM manifests WHERE doomed_at IS NULL AND NOT {manifests.HELD}"
)


def untagged(connection: Connection, repository_id: int) -> tuple[Candidate, ...]:
    """Give the manifests that no tag, index or subject holds, and that are not going already."""
    rows = connection.execute(f"{_UNTAGGED} AND repository_id = ?", (repository_id,))
    return tuple(Candidate(*row) for row in rows)


def is_as_judged(connection: Connection, repository_id: int, judged: Candidate) -> bool:
    """Tell whether nobody pushed, moved or asked for it since."""
    if ":" in judged.name:
        row = connection.execute(f"{_UNTAGGED} AND id = ?", (judged.manifest_id,)).fetchone()
    else:
        row = connection.execute(
            "SELECT tags.name, digest, manifest_id, tags.pushed_at, pulled_at, content_size"
            " FROM tags JOIN manifests ON manifests.id = manifest_id"
            " WHERE tags.repository_id = ? AND tags.name = ?",
            (repository_id, judged.name),
        ).fetchone()
    return row is not None and Candidate(*row) == judged


def note_pulls(connection: Connection, manifest_ids: Iterable[int], *, now: float) -> None:
    """Note that manifests were asked for."""
    connection.executemany(
        "UPDATE manifests SET pulled_at = ? WHERE id = ?", [(now, each) for each in manifest_ids]
    )
