"""Tags as pages list them: a piece at a time, found by a word, and those next to one another.

Tags like `sha256-<hex>.sig` are how older tools attach signatures; they are listed with what they are
attached to, and here only where they are searched for.
"""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.tables.manifests import Tag
from lamina.spec.digest import Digest

__all__ = ["Place", "attached_tags", "before", "count", "latest", "page"]

_SHORTEST = 71  # letters of sha256- and its digits
_NEAR = 200
_COLUMNS = (
    "tags.name, digest, media_type, artifact_type, platforms, content_size,"
    " tags.pushed_at, tags.pushed_by"
)
_FROM = "FROM tags JOIN manifests ON manifests.id = manifest_id WHERE tags.repository_id = ?"
_PLAIN = f"NOT (tags.name LIKE 'sha___-%' AND length(tags.name) >= {_SHORTEST})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: after the tag of that name that was pushed then."""

    pushed_at: float
    name: str


def _tag(row: Row) -> Tag:
    return Tag(
        row[0], Digest(row[1]), row[2], row[3], tuple(filter(None, row[4].split(","))),
        row[5], row[6], row[7],
    )  # fmt: skip


def latest(connection: Connection, repository_id: int) -> Tag | None:
    """Give the tag that a pull without a tag wants, `latest`; None if there is none."""
    row = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} AND tags.name = 'latest'",
        (repository_id,),
    ).fetchone()
    return _tag(row) if row else None


def page(
    connection: Connection,
    repository_id: int,
    *,
    words: str = "",
    after: Place | None = None,
    limit: int,
) -> tuple[Tag, ...]:
    """Give tags after a place, the newest push first, of those with `words` in their name.

    Without words it costs what is shown; with them every tag may be looked at.
    """
    chosen, values = _chosen(words)
    if after is not None:
        chosen += " AND (tags.pushed_at < ? OR (tags.pushed_at = ? AND tags.name > ?))"
        values += [after.pushed_at, after.pushed_at, after.name]
        chosen += " AND tags.pushed_at <= ?"  # said again so that the index is entered there
        values.append(after.pushed_at)
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} AND {chosen} ORDER BY tags.pushed_at DESC, tags.name LIMIT ?",
        (repository_id, *values, limit),
    )
    return tuple(map(_tag, rows))


def count(connection: Connection, repository_id: int, *, words: str = "") -> int:
    """Give how many tags `page` lists in all."""
    chosen, values = _chosen(words)
    row = connection.execute(
        f"SELECT count(*) FROM tags WHERE repository_id = ? AND {chosen}",  # noqa: S608 - constants
        (repository_id, *values),
    ).fetchone()
    return int(row[0])


def _chosen(words: str) -> tuple[str, list[object]]:
    if not words:
        return _PLAIN, []
    escaped = words.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return "lower(tags.name) LIKE ? ESCAPE '!'", [f"%{escaped}%"]


def before(
    connection: Connection, repository_id: int, place: Place, *, manifest_id: int, kind: str
) -> str:
    """Give the newest tag pushed before `place` on another manifest of that artifact type; or empty.

    Looks at a few hundred tags at most: many may name the same manifest.
    """
    row = connection.execute(
        "SELECT near.name FROM (SELECT tags.name, manifest_id, tags.pushed_at FROM tags"  # noqa: S608 - constants
        f" WHERE repository_id = ? AND tags.pushed_at <= ? AND tags.name <> ? AND {_PLAIN}"
        f" ORDER BY tags.pushed_at DESC, tags.name LIMIT {_NEAR}) AS near"
        " JOIN manifests ON manifests.id = near.manifest_id"
        " WHERE manifests.id <> ? AND artifact_type = ?"
        " ORDER BY near.pushed_at DESC, near.name LIMIT 1",
        (repository_id, place.pushed_at, place.name, manifest_id, kind),
    ).fetchone()
    return str(row[0]) if row else ""


def attached_tags(
    connection: Connection, repository_id: int, subject: Digest, *, limit: int
) -> tuple[Tag, ...]:
    """Give the tags that attach something to `subject` by their name."""
    start = f"{subject.algorithm}-{subject.hex}"
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} AND tags.name >= ? AND tags.name < ? ORDER BY tags.name LIMIT ?",
        (repository_id, start, f"{start}/", limit),
    )
    return tuple(map(_tag, rows))
