"""Rows of manifests, what they name, and tags."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.documents import Facts
from lamina.hub.errors import ContentReferenced, ManifestBlobUnknown, ManifestUnknown
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest

__all__ = [
    "HELD",
    "StoredManifest",
    "Tag",
    "attach",
    "doom",
    "doomed",
    "drop",
    "get",
    "named",
    "put",
    "put_tag",
    "referrers",
    "remove",
    "remove_tag",
    "set_pushed",
    "tag_moment",
    "tag_names",
    "tags_of",
]


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed, with what was noted about it; times are epoch seconds."""

    id: int
    repository_id: int
    digest: Digest
    media_type: str
    raw: bytes
    artifact_type: str
    subject: str
    config: str
    platforms: tuple[str, ...]
    content_size: int
    pushed_at: float
    pushed_by: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as a list shows it."""

    name: str
    digest: Digest
    media_type: str
    artifact_type: str
    platforms: tuple[str, ...]
    content_size: int
    pushed_at: float
    pushed_by: str


_PAGE_WEIGHT = 4 * 1024 * 1024  # bytes of manifests on one page of referrers
_ALL = 1 << 40
_HEAVIEST = 2**63 - 1  # bytes; what a database can count
_COLUMNS = (
    "manifests.id, manifests.repository_id, digest, media_type, raw, artifact_type, subject,"
    " config, platforms, content_size, manifests.pushed_at, manifests.pushed_by"
)


def _manifest(row: Row) -> StoredManifest:
    return StoredManifest(
        row[0], row[1], Digest(row[2]), row[3], bytes(row[4]), row[5], row[6], row[7],
        tuple(filter(None, row[8].split(","))), row[9], row[10], row[11],
    )  # fmt: skip


def get(connection: Connection, repository_id: int, reference: str) -> StoredManifest:
    """Give the manifest behind a tag or a digest. Raises: ManifestUnknown."""
    if ":" in reference:
        query = f"SELECT {_COLUMNS} FROM manifests WHERE repository_id = ? AND digest = ?"  # noqa: S608 - a constant
    else:
        query = (
            f"SELECT {_COLUMNS} FROM tags JOIN manifests ON manifests.id = manifest_id"  # noqa: S608 - a constant
            " WHERE tags.repository_id = ? AND tags.name = ?"
        )
    row = connection.execute(query, (repository_id, reference)).fetchone()
    if row is None:
        raise ManifestUnknown(f"manifest {reference!r} is not in this repository")
    return _manifest(row)


def named(connection: Connection, repository_id: int, tag: str) -> Digest | None:
    """Give the digest a tag names; None if there is no such tag."""
    row = connection.execute(
        "SELECT digest FROM tags JOIN manifests ON manifests.id = manifest_id"
        " WHERE tags.repository_id = ? AND tags.name = ?",
        (repository_id, tag),
    ).fetchone()
    return Digest(row[0]) if row else None


def put(
    connection: Connection,
    repository_id: int,
    facts: Facts,
    *,
    account: str,
    now: float,
    may_lack: bool = False,
) -> int:
    """Keep a manifest whose parts are all here, or (`may_lack`) may come later; give its row.

    Raises: ManifestBlobUnknown.
    """
    if not may_lack:
        _check_parts(connection, repository_id, facts)
    size = facts.content_size
    for child in facts.children:
        row = connection.execute(
            "SELECT content_size FROM manifests WHERE repository_id = ? AND digest = ?",
            (repository_id, child),
        ).fetchone()
        size += row[0] if row else 0
    size = min(size, _HEAVIEST)
    connection.execute(
        "INSERT INTO manifests (repository_id, digest, media_type, raw, artifact_type, subject,"
        " config, platforms, content_size, pushed_at, pushed_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository_id, digest) DO UPDATE"
        " SET media_type = excluded.media_type, doomed_at = NULL, untagged_at = excluded.pushed_at",
        (
            repository_id, facts.digest, facts.media_type, facts.raw, facts.artifact_type,
            facts.subject or "", facts.config.digest if facts.config else "",
            ",".join(facts.platforms), size, now, account,
        ),
    )  # fmt: skip
    row = connection.execute(
        "SELECT id FROM manifests WHERE repository_id = ? AND digest = ?",
        (repository_id, facts.digest),
    ).fetchone()
    for digest in facts.blobs:
        connection.execute(
            "UPDATE links SET loose_at = NULL WHERE repository_id = ? AND digest = ?",
            (repository_id, digest),
        )
    parts = [(row[0], digest, False) for digest in facts.blobs]
    parts += [(row[0], digest, True) for digest in facts.children]
    connection.executemany(
        "INSERT INTO parts (manifest_id, digest, is_manifest) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        parts,
    )
    connection.execute("UPDATE repositories SET updated_at = ? WHERE id = ?", (now, repository_id))
    return int(row[0])


def attach(connection: Connection, repository_id: int, facts: Facts, *, now: float) -> None:
    """Keep a manifest of the hub's own: nobody pushed, so the repository is as old as it was."""
    row = connection.execute(
        "SELECT updated_at FROM repositories WHERE id = ?", (repository_id,)
    ).fetchone()
    number = put(connection, repository_id, facts, account="", now=now)
    connection.execute("UPDATE manifests SET look_at = NULL WHERE id = ?", (number,))
    connection.execute(
        "UPDATE repositories SET updated_at = ? WHERE id = ?", (row[0], repository_id)
    )


_SHOWN = (
    "SELECT 1 FROM links JOIN blobs USING (digest)"
    " WHERE repository_id = ? AND digest = ? AND damage = ''"
)


def _check_parts(connection: Connection, repository_id: int, facts: Facts) -> None:
    missing: list[str] = []
    for digests, query in (
        (facts.blobs, _SHOWN),
        (facts.children, "SELECT 1 FROM manifests WHERE repository_id = ? AND digest = ?"),
    ):
        missing += [
            digest
            for digest in digests
            if connection.execute(query, (repository_id, digest)).fetchone() is None
        ]
    if missing:
        raise ManifestBlobUnknown(tuple(missing))


def put_tag(
    connection: Connection,
    repository_id: int,
    name: str,
    manifest_id: int,
    *,
    account: str,
    now: float,
) -> None:
    """Point a tag at a manifest. What it pointed at before stays: people pin digests."""
    connection.execute(
        "UPDATE manifests SET untagged_at = ? WHERE id <> ? AND id ="
        " (SELECT manifest_id FROM tags WHERE repository_id = ? AND name = ?)",
        (now, manifest_id, repository_id, name),
    )
    connection.execute(
        "INSERT INTO tags (repository_id, name, manifest_id, pushed_at, pushed_by)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository_id, name) DO UPDATE SET"
        " manifest_id = excluded.manifest_id, pushed_at = excluded.pushed_at,"
        " pushed_by = excluded.pushed_by",
        (repository_id, name, manifest_id, now, account),
    )


def set_pushed(connection: Connection, repository_id: int, name: str, *, at: float) -> None:
    """Note that a tag was pushed at that moment: elsewhere, before it came here."""
    connection.execute(
        "UPDATE tags SET pushed_at = ? WHERE repository_id = ? AND name = ?",
        (at, repository_id, name),
    )


def remove_tag(connection: Connection, repository_id: int, name: str, *, now: float) -> None:
    """Delete one tag; its manifest goes after the grace period unless something else names it.

    Raises: ManifestUnknown.
    """
    manifest = get(connection, repository_id, name)
    connection.execute(
        "DELETE FROM tags WHERE repository_id = ? AND name = ?", (repository_id, name)
    )
    doom(connection, repository_id, manifest.digest, now=now)


def remove(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Delete a manifest and every tag on it; its children and referrers follow it.

    Raises: ManifestUnknown, ContentReferenced (an index of this repository names it).
    """
    manifest = get(connection, repository_id, digest)
    parent = connection.execute(
        "SELECT manifests.digest FROM parts JOIN manifests ON manifests.id = manifest_id"
        " WHERE parts.digest = ? AND is_manifest = 1 AND repository_id = ? LIMIT 1",
        (digest, repository_id),
    ).fetchone()
    if parent:
        raise ContentReferenced(
            f"index {parent[0]} of this repository names {digest}", hint="delete the index first"
        )
    drop(connection, manifest, now=now)


def drop(connection: Connection, manifest: StoredManifest, *, now: float) -> None:
    """Delete a manifest; from `now` on the grace period of what only it named runs.

    That is its blobs, an index's children and a subject's referrers.
    """
    following = connection.execute(
        "SELECT digest FROM parts WHERE manifest_id = ? AND is_manifest = 1"
        " UNION SELECT digest FROM manifests WHERE repository_id = ? AND subject = ?",
        (manifest.id, manifest.repository_id, manifest.digest),
    ).fetchall()
    blobs = connection.execute(
        "SELECT digest FROM parts WHERE manifest_id = ? AND is_manifest = 0", (manifest.id,)
    ).fetchall()
    connection.execute("DELETE FROM manifests WHERE id = ?", (manifest.id,))
    for row in blobs:
        connection.execute(
            "UPDATE links SET loose_at = ? WHERE repository_id = ? AND digest = ?"
            " AND NOT EXISTS (SELECT 1 FROM parts JOIN manifests ON manifests.id = manifest_id"
            "  WHERE parts.digest = links.digest AND is_manifest = 0"
            "  AND manifests.repository_id = links.repository_id)",
            (now, manifest.repository_id, row[0]),
        )
    for row in following:
        doom(connection, manifest.repository_id, Digest(row[0]), now=now)


HELD = (
    "(EXISTS (SELECT 1 FROM tags WHERE tags.manifest_id = manifests.id)"
    " OR EXISTS (SELECT 1 FROM parts JOIN manifests AS parents ON parents.id = parts.manifest_id"
    "  WHERE parts.digest = manifests.digest AND is_manifest = 1"
    "  AND parents.repository_id = manifests.repository_id)"
    " OR (subject <> '' AND EXISTS (SELECT 1 FROM manifests AS subjects"
    "  WHERE subjects.repository_id = manifests.repository_id"
    "  AND subjects.digest = manifests.subject)))"
)
"""A condition on `manifests`: a tag, an index or the subject it is attached to holds the row."""


def doom(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Let the sweep take a manifest after the grace period, unless something holds it.

    A tag holds it, an index that names it, and the subject it is attached to.
    """
    connection.execute(
        "UPDATE manifests SET doomed_at = ? WHERE repository_id = ? AND digest = ?"  # noqa: S608 - a constant
        f" AND NOT {HELD}",
        (now, repository_id, digest),
    )


def doomed(
    connection: Connection, *, before: float, limit: int
) -> tuple[tuple[StoredManifest, float], ...]:
    """Give manifests doomed before a time that nothing holds, with that time."""
    connection.execute(
        f"UPDATE manifests SET doomed_at = NULL WHERE doomed_at IS NOT NULL AND {HELD}"  # noqa: S608 - a constant
    )
    rows = connection.execute(
        f"SELECT {_COLUMNS}, doomed_at FROM manifests WHERE doomed_at <= ?"  # noqa: S608 - a constant
        " ORDER BY doomed_at LIMIT ?",
        (before, limit),
    ).fetchall()
    return tuple((_manifest(row), row[12]) for row in rows)


def tag_names(
    connection: Connection, repository_id: int, *, last: str, limit: int
) -> tuple[str, ...]:
    """Give tags after `last` in byte order, at most `limit`."""
    rows = connection.execute(
        "SELECT name FROM tags WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
        (repository_id, last, limit),
    )
    return tuple(row[0] for row in rows)


def tag_moment(connection: Connection, repository_id: int, name: str) -> float:
    """Give when a tag was last pushed. Raises: ManifestUnknown."""
    row = connection.execute(
        "SELECT pushed_at FROM tags WHERE repository_id = ? AND name = ?", (repository_id, name)
    ).fetchone()
    if row is None:
        raise ManifestUnknown(f"tag {name!r} is not in this repository")
    return float(row[0])


def tags_of(connection: Connection, manifest_id: int, *, limit: int = _ALL) -> tuple[str, ...]:
    """Give the tags that point at one manifest: by name where all are given, else any of them."""
    order = "ORDER BY name" if limit == _ALL else ""
    rows = connection.execute(
        f"SELECT name FROM tags WHERE manifest_id = ? {order} LIMIT ?",  # noqa: S608 - a constant
        (manifest_id, limit),
    )
    return tuple(row[0] for row in rows)


def referrers(
    connection: Connection,
    repository_id: int,
    subject: Digest,
    *,
    artifact_type: str,
    last: str,
    limit: int,
) -> tuple[tuple[StoredManifest, ...], bool]:
    """Give manifests attached to `subject` in digest order after `last`; and whether more follow.

    At most `limit` of them, and no more than weigh a few mebibytes together. A type that images have
    as their configuration's gives all that are no artifacts: the caller looks closer.
    """
    kind = "" if artifact_type in MediaType.CONFIGS else artifact_type
    chosen = (
        " FROM manifests WHERE repository_id = ? AND subject = ? AND (? = '' OR artifact_type = ?)"
        " AND digest > ?"
    )
    wanted = (repository_id, subject, artifact_type, kind, last)
    sizes = connection.execute(
        f"SELECT digest, length(raw) {chosen} ORDER BY digest LIMIT ?", (*wanted, limit + 1)
    ).fetchall()
    end, weight = 0, 0
    for row in sizes[:limit]:
        weight += row[1]
        if end and weight > _PAGE_WEIGHT:
            break
        end += 1
    if not end:
        return (), False
    rows = connection.execute(
        f"SELECT {_COLUMNS} {chosen} AND digest <= ? ORDER BY digest", (*wanted, sizes[end - 1][0])
    )
    return tuple(_manifest(row) for row in rows), end < len(sizes)
