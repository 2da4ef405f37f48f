"""Rows of quotas, and how much of each is used.

Whoever adds or takes a link says so here, in the same transaction; where no quota is, that costs one
read by key. A namespace counts a digest once, however many of its repositories show it.
"""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.errors import QuotaExceeded
from lamina.hub.names import HUB, is_repository, namespace_of

__all__ = [
    "Quota",
    "add_link",
    "find",
    "holds",
    "measure",
    "of_repository",
    "recount",
    "remove_link",
    "remove_quota",
    "rows",
    "set_quota",
    "sizes",
    "standing",
    "underway",
]


@dataclass(frozen=True, slots=True)
class Quota:
    """What `target` has of what it may have. `is_own` False: the size is every namespace's."""

    target: str
    size: int
    used: int
    is_own: bool = True


_FOUND = (
    "SELECT quotas.target, coalesce(quotas.size, general.size), quotas.used, quotas.size IS NOT NULL"
    " FROM quotas LEFT JOIN quotas AS general ON general.target = 'hub'"
)


def rows(connection: Connection) -> tuple[Quota, ...]:
    """Give every quota by target."""
    found = connection.execute(f"{_FOUND} ORDER BY quotas.target").fetchall()
    return tuple(Quota(row[0], row[1], row[2], bool(row[3])) for row in found if row[1] is not None)


def find(connection: Connection, target: str) -> Quota | None:
    """Give the quota that holds for `target`, if any does; what is used may not be counted yet."""
    row = connection.execute(f"{_FOUND} WHERE quotas.target = ?", (target,)).fetchone()
    if row is not None and row[1] is not None:
        return Quota(row[0], row[1], row[2], bool(row[3]))
    if is_repository(target) or target == HUB:
        return None
    every = connection.execute("SELECT size FROM quotas WHERE target = ?", (HUB,)).fetchone()
    if every is None:
        return None
    return Quota(target, every[0], measure(connection, target), is_own=False)


def of_repository(connection: Connection, name: str) -> tuple[Quota, ...]:
    """Give the quotas that hold in a repository: its own and its namespace's."""
    if connection.execute("SELECT 1 FROM quotas LIMIT 1").fetchone() is None:
        return ()
    found = (find(connection, name), find(connection, namespace_of(name)))
    return tuple(each for each in found if each is not None)


def set_quota(connection: Connection, target: str, size: int) -> None:
    """Let `target` have `size` bytes; what it has is counted now."""
    connection.execute("DELETE FROM quotas WHERE target = ?", (target,))
    used = 0 if target == HUB else measure(connection, target)
    connection.execute(
        "INSERT INTO quotas (target, size, used) VALUES (?, ?, ?)", (target, size, used)
    )


def remove_quota(connection: Connection, target: str) -> bool:
    """Drop a quota; tell whether there was one."""
    gone = connection.execute(
        "DELETE FROM quotas WHERE target = ? AND size IS NOT NULL", (target,)
    ).rowcount
    if target == HUB:
        connection.execute("DELETE FROM quotas WHERE size IS NULL")
    return bool(gone)


def measure(connection: Connection, target: str) -> int:
    """Count the bytes of a repository, a namespace or the hub; costs time with their blobs."""
    if target == HUB:
        values: tuple[str, ...] = ()
        sql = "SELECT sum(size) FROM blobs WHERE released_at IS NULL"
    elif is_repository(target):
        sql = (
            "SELECT sum(size) FROM links JOIN blobs ON blobs.digest = links.digest WHERE"
            " repository_id = (SELECT id FROM repositories WHERE name = ?)"
        )
        values = (target,)
    else:
        sql = (
            "SELECT sum(size) FROM blobs WHERE digest IN (SELECT links.digest FROM links"
            " JOIN repositories ON repositories.id = repository_id WHERE namespace = ?)"
        )
        values = (target,)
    return int(connection.execute(sql, values).fetchone()[0] or 0)


def sizes(connection: Connection, namespace: str, *, limit: int) -> tuple[tuple[str, int], ...]:
    """Give (repository, bytes) of a namespace, the largest first."""
    found = connection.execute(
        "SELECT name, coalesce(sum(size), 0) AS used FROM repositories"
        " LEFT JOIN links ON links.repository_id = repositories.id"
        " LEFT JOIN blobs ON blobs.digest = links.digest"
        " WHERE namespace = ? GROUP BY name ORDER BY 2 DESC, 1 LIMIT ?",
        (namespace, limit),
    )
    return tuple((row[0], int(row[1])) for row in found)


def recount(connection: Connection, target: str) -> None:
    """Count anew what is used of a quota, if there is one."""
    if connection.execute("SELECT 1 FROM quotas WHERE target = ?", (target,)).fetchone():
        connection.execute(
            "UPDATE quotas SET used = ? WHERE target = ?", (measure(connection, target), target)
        )


def standing(connection: Connection, name: str) -> tuple[tuple[Quota, tuple[str, ...]], ...]:
    """Give the quotas that hold in a repository, each with the uploads that are on their way into it."""
    return tuple(
        (each, underway(connection, each.target)) for each in of_repository(connection, name)
    )


def underway(connection: Connection, target: str) -> tuple[str, ...]:
    """Give the uploads into a repository or a namespace."""
    column = "name" if is_repository(target) else "namespace"
    found = connection.execute(
        "SELECT uploads.id FROM repositories JOIN uploads ON uploads.repository_id = repositories.id"  # noqa: S608 - two constants
        f" WHERE {column} = ?",
        (target,),
    )
    return tuple(row[0] for row in found)


def holds(connection: Connection, repository_id: int) -> bool:
    """Tell whether any quota holds in a repository. Reads by key alone."""
    row = connection.execute(
        "SELECT 1 FROM repositories JOIN quotas ON target IN (name, namespace, 'hub') WHERE id = ?",
        (repository_id,),
    ).fetchone()
    return row is not None


def add_link(connection: Connection, repository_id: int, digest: str) -> None:
    """Count a link that was just added. Raises: QuotaExceeded."""
    for target, size, used, added in _changes(connection, repository_id, digest):
        if added and size is not None and used + added > size:
            raise QuotaExceeded(target, size=size, used=used, wanted=added)
        connection.execute("UPDATE quotas SET used = used + ? WHERE target = ?", (added, target))


def remove_link(connection: Connection, repository_id: int, digest: str) -> None:
    """Count a link that was just taken."""
    for target, _, _, gone in _changes(connection, repository_id, digest):
        connection.execute("UPDATE quotas SET used = used - ? WHERE target = ?", (gone, target))


def _changes(
    connection: Connection, repository_id: int, digest: str
) -> list[tuple[str, int | None, int, int]]:
    """Give (target, size, used, bytes that the repository's link to a blob is worth) of quotas."""
    # By key alone: on PostgreSQL whoever reads another's row would wait for another's pushes.
    rows_here = connection.execute(
        "SELECT name, namespace, target FROM repositories"
        " JOIN quotas ON target IN (name, namespace, 'hub') WHERE id = ?",
        (repository_id,),
    ).fetchall()
    if not rows_here:
        return []
    name, namespace = rows_here[0][0], rows_here[0][1]
    blob = connection.execute("SELECT size FROM blobs WHERE digest = ?", (digest,)).fetchone()
    bytes_here = int(blob[0]) if blob else 0
    _follow_default(connection, namespace, repository_id, digest)
    found = []
    for target in (name, namespace):
        row = connection.execute(f"{_FOUND} WHERE quotas.target = ?", (target,)).fetchone()
        if row is not None:
            is_shown = target == namespace and _shows_too(
                connection, namespace, repository_id, digest
            )
            found.append((target, row[1], row[2], 0 if is_shown else bytes_here))
    return found


def _follow_default(
    connection: Connection, namespace: str, repository_id: int, digest: str
) -> None:
    """Have a namespace counted that has no quota of its own, where all have one.

    It is counted as it was before the link to `digest` came or went.
    """
    every = connection.execute("SELECT 1 FROM quotas WHERE target = ?", (HUB,)).fetchone()
    known = connection.execute("SELECT 1 FROM quotas WHERE target = ?", (namespace,)).fetchone()
    if every is None or known is not None:
        return
    used = measure(connection, namespace)
    here = connection.execute(
        "SELECT size FROM links JOIN blobs ON blobs.digest = links.digest"
        " WHERE repository_id = ? AND links.digest = ?",
        (repository_id, digest),
    ).fetchone()
    is_shown = _shows_too(connection, namespace, repository_id, digest)
    if here is not None and not is_shown:  # it came just now
        used -= int(here[0])
    if here is None and not is_shown:  # it went just now
        blob = connection.execute("SELECT size FROM blobs WHERE digest = ?", (digest,)).fetchone()
        used += int(blob[0]) if blob else 0
    connection.execute(
        "INSERT INTO quotas (target, size, used) VALUES (?, NULL, ?)", (namespace, used)
    )


def _shows_too(connection: Connection, namespace: str, repository_id: int, digest: str) -> bool:
    """Tell whether another repository of the namespace shows the blob."""
    row = connection.execute(
        "SELECT 1 FROM links JOIN repositories ON repositories.id = repository_id"
        " WHERE digest = ? AND namespace = ? AND repository_id <> ? LIMIT 1",
        (digest, namespace, repository_id),
    ).fetchone()
    return row is not None
