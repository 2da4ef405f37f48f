"""Rows of repositories and their pull counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.names import namespace_of
from lamina.hub.tables import quotas
from lamina.hub.tables.roles import MAY_READ, Reader, reader_values

__all__ = [
    "MANY_TAGS",
    "Listed",
    "Repository",
    "add",
    "catalog",
    "count_empty",
    "count_pulls",
    "describe",
    "ensure",
    "find",
    "of_namespace",
    "popular",
    "pulls_by_day",
    "remove",
    "search",
    "set_private",
]

_DAY_S = 86400
_ALL = 1 << 40
MANY_TAGS = 1000
"""Lists count so many tags of a repository and no more."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A collection of images under one name; times are epoch seconds."""

    id: int
    name: str
    namespace: str
    is_private: bool
    summary: str
    readme: str
    pulls: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository as a list shows it; `tags` is `MANY_TAGS` where there may be more."""

    repository: Repository
    tags: int
    latest_tag: str


_COLUMNS = (
    "repositories.id, repositories.name, namespace, is_private, summary, readme, pulls,"
    " created_at, updated_at"
)
_HAS_CONTENT = "EXISTS (SELECT 1 FROM manifests WHERE manifests.repository_id = repositories.id)"
_OF_MEMBER = (
    "namespace IN (SELECT organisations.name FROM accounts"
    " JOIN members ON members.account_id = accounts.id"
    " JOIN organisations ON organisations.id = members.organisation_id WHERE accounts.name = ?)"
)
_BY_TIME = "updated_at DESC, repositories.name"
_BY_PULLS = "pulls DESC, updated_at DESC, repositories.name"
_LAST_NAME = "substr(name, length(rtrim(name, replace(name, '/', ''))) + 1)"
"""What stands after the last slash, in the very words of its index."""
# Counted no further than people read, for whom a page of many such rows has to be quick.
_LISTED = (
    f"SELECT {_COLUMNS},"  # noqa: S608 - constants
    " (SELECT count(*) FROM (SELECT 1 FROM tags WHERE tags.repository_id = repositories.id"
    f"  LIMIT {MANY_TAGS}) AS counted),"
    " coalesce((SELECT name FROM tags WHERE repository_id = repositories.id AND name = 'latest'),"
    "  (SELECT name FROM tags WHERE repository_id = repositories.id"
    "   ORDER BY pushed_at DESC, name LIMIT 1), '')"
    " FROM repositories"
)


def _repository(row: Row) -> Repository:
    return Repository(row[0], row[1], row[2], bool(row[3]), *tuple(row)[4:9])


def _listed(row: Row) -> Listed:
    return Listed(_repository(row), row[9], row[10])


def find(connection: Connection, name: str) -> Repository | None:
    """Give the repository of that name, whoever asks; None if there is none."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM repositories WHERE name = ?",  # noqa: S608 - a constant
        (name,),
    ).fetchone()
    return _repository(row) if row else None


def add(connection: Connection, name: str, *, now: float) -> None:
    """Make a repository unless it is there: public, but where its organisation wants private ones."""
    namespace = namespace_of(name)
    row = connection.execute(
        "SELECT new_private FROM organisations WHERE name = ?", (namespace,)
    ).fetchone()
    connection.execute(
        "INSERT INTO repositories (name, namespace, is_private, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (name, namespace, bool(row and row[0]), now, now),
    )


def ensure(connection: Connection, name: str, *, now: float) -> Repository:
    """Give the repository of that name, made if need be: a push makes its repository."""
    repository = find(connection, name)
    if repository is None:
        add(connection, name, now=now)
        repository = find(connection, name)
    assert repository is not None  # noqa: S101 - just made in this transaction
    return repository


def search(
    connection: Connection, words: str, *, reader: Reader, limit: int, offset: int = 0
) -> tuple[Listed, ...]:
    """Give repositories with every one of `words` in name or summary.

    With words: those of that very name first, then what is pulled most; without: the newest push
    first. Only what `reader` may see; none without content. Reads an index in that order as far as
    the page goes: of words that hardly any repository has, all of it.
    """
    terms = words.lower().replace("\0", "").split()[:8]
    wheres, values = [_HAS_CONTENT, MAY_READ], [*reader_values(reader)]
    if not terms:
        return _page(connection, wheres, values, order=_BY_TIME, limit=limit, offset=offset)
    for term in terms:
        wheres.append("(repositories.name LIKE ? ESCAPE '!' OR lower(summary) LIKE ? ESCAPE '!')")
        values += [f"%{_escaped(term)}%"] * 2
    named, name = "repositories.name LIKE ? ESCAPE '!'", f"%/{_escaped(terms[0])}"
    firsts = [f"{_LAST_NAME} = ?", named, *wheres]
    of_firsts = [terms[0].rpartition("/")[2], name, *values]
    first = _page(connection, firsts, of_firsts, order=_BY_PULLS, limit=limit, offset=offset)
    if len(first) == limit:
        return first
    before = offset + len(first)
    if offset and not first:
        before = _count(connection, firsts, of_firsts)
    others, of_others = [f"NOT {named}", *wheres], [name, *values]
    rest, offset = limit - len(first), offset + len(first) - before
    return first + _page(connection, others, of_others, order=_BY_PULLS, limit=rest, offset=offset)


def popular(connection: Connection, *, reader: Reader, limit: int) -> tuple[Listed, ...]:
    """Give what was pulled most, of what `reader` may see."""
    wheres, values = ["pulls > 0", _HAS_CONTENT, MAY_READ], reader_values(reader)
    return _page(connection, wheres, values, order=_BY_PULLS, limit=limit)


def of_namespace(
    connection: Connection, namespace: str, *, reader: Reader, limit: int = _ALL, offset: int = 0
) -> tuple[Listed, ...]:
    """Give what `reader` may see of one namespace's repositories, newest push first.

    Those without content are shown to whose namespace it is, and to members of the organisation.
    """
    own = namespace == reader.namespace or reader.is_admin
    wheres = ["namespace = ?", f"(? OR ({MAY_READ} AND ({_HAS_CONTENT} OR {_OF_MEMBER})))"]
    values = (namespace, own, *reader_values(reader), reader.name)
    return _page(connection, wheres, values, order=_BY_TIME, limit=limit, offset=offset)


def _page(
    connection: Connection,
    wheres: Sequence[str],
    values: Sequence[object],
    *,
    order: str,
    limit: int,
    offset: int = 0,
) -> tuple[Listed, ...]:
    """Give repositories in an order; the costly columns are asked for those shown alone."""
    found = connection.execute(
        f"SELECT repositories.id FROM repositories WHERE {' AND '.join(wheres)}"  # noqa: S608 - constants
        f" ORDER BY {order} LIMIT ? OFFSET ?",
        (*values, limit, offset),
    ).fetchall()
    rows = (
        connection.execute(f"{_LISTED} WHERE repositories.id = ?", (each[0],)).fetchone()
        for each in found
    )
    return tuple(_listed(row) for row in rows)


def _count(connection: Connection, wheres: Sequence[str], values: Sequence[object]) -> int:
    found = connection.execute(
        f"SELECT count(*) FROM repositories WHERE {' AND '.join(wheres)}",  # noqa: S608 - constants
        values,
    ).fetchone()
    return int(found[0]) if found else 0


def _escaped(term: str) -> str:
    return term.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def catalog(connection: Connection, *, reader: Reader, last: str, limit: int) -> tuple[str, ...]:
    """Give names after `last` in byte order that `reader` may see, at most `limit`."""
    rows = connection.execute(
        f"SELECT name FROM repositories WHERE name > ? AND {_HAS_CONTENT}"  # noqa: S608 - a constant
        f" AND {MAY_READ} ORDER BY name LIMIT ?",
        (last, *reader_values(reader), limit),
    )
    return tuple(row[0] for row in rows)


def count_empty(connection: Connection, namespace: str, *, limit: int) -> int:
    """Count a namespace's repositories without content, no further than `limit`."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM repositories WHERE namespace = ?"  # noqa: S608 - a constant
        f" AND NOT {_HAS_CONTENT} LIMIT ?) AS counted",
        (namespace, limit),
    ).fetchone()
    return int(row[0])


def describe(connection: Connection, repository: Repository, *, summary: str, readme: str) -> None:
    """Set what the repository's page says."""
    connection.execute(
        "UPDATE repositories SET summary = ?, readme = ? WHERE id = ?",
        (summary, readme, repository.id),
    )


def set_private(connection: Connection, repository: Repository, *, is_private: bool) -> None:
    """Say who may see it: everyone, or its owners and who was given a role."""
    connection.execute(
        "UPDATE repositories SET is_private = ? WHERE id = ?", (is_private, repository.id)
    )


def remove(connection: Connection, repository: Repository, *, now: float) -> None:
    """Delete a repository with all its tags and manifests; its blobs' grace period begins."""
    connection.execute(
        "INSERT INTO leftovers (place, digest, since)"
        " SELECT id, '', ? FROM uploads WHERE repository_id = ?",
        (now, repository.id),
    )
    connection.execute(
        "UPDATE blobs SET released_at = ? WHERE digest IN"
        " (SELECT digest FROM links WHERE repository_id = ?) AND NOT EXISTS"
        " (SELECT 1 FROM links WHERE links.digest = blobs.digest AND repository_id <> ?)",
        (now, repository.id, repository.id),
    )
    connection.execute("DELETE FROM repositories WHERE id = ?", (repository.id,))
    for target in (repository.name, repository.namespace):
        quotas.recount(connection, target)


def count_pulls(connection: Connection, counts: Mapping[int, int], *, now: float) -> None:
    """Add pulls per repository id; one deleted meanwhile is left out."""
    day = int(now // _DAY_S)
    for repository_id, count in counts.items():
        known = connection.execute(
            "UPDATE repositories SET pulls = pulls + ? WHERE id = ?", (count, repository_id)
        )
        if known.rowcount:
            connection.execute(
                "INSERT INTO pulls (repository_id, day, count) VALUES (?, ?, ?)"
                " ON CONFLICT (repository_id, day) DO UPDATE SET count = pulls.count + excluded.count",
                (repository_id, day, count),
            )


def pulls_by_day(connection: Connection, repository_id: int, *, since: int) -> dict[int, int]:
    """Give pulls by day (days since 1970, UTC) from the day `since` on; days without are missing."""
    rows = connection.execute(
        "SELECT day, count FROM pulls WHERE repository_id = ? AND day >= ?", (repository_id, since)
    )
    return {row[0]: row[1] for row in rows}
