"""Rows of caches: namespaces that stand for other registries, and what is known of their content."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lamina.hub.database import Connection, Row
from lamina.hub.errors import CacheUnknown, NameTaken
from lamina.hub.tables import blobs
from lamina.spec.digest import Digest

__all__ = [
    "Cache",
    "Held",
    "add",
    "checked_at",
    "find_held",
    "forget_namespace",
    "hold_blob",
    "link_within",
    "named_by",
    "note_checked",
    "note_uses",
    "remove",
    "rows",
    "unused",
]


@dataclass(frozen=True, slots=True)
class Cache:
    """A namespace that stands for `upstream`; how long tags are believed and unused images kept."""

    namespace: str
    upstream: str
    username: str
    password: str = field(repr=False)
    is_private: bool
    is_default: bool
    fresh_s: int
    keep_s: int
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a tag names here, and when that was last compared with its registry."""

    manifest_id: int
    digest: str
    checked_at: float


_COLUMNS = (
    "namespace, upstream, username, password, is_private, is_default, fresh_s, keep_s,"
    " created_at, created_by"
)


def _cache(row: Row) -> Cache:
    return Cache(
        row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), row[6], row[7], row[8], row[9]
    )


def rows(connection: Connection) -> tuple[Cache, ...]:
    """Give every cache by namespace."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM caches ORDER BY namespace")  # noqa: S608 - a constant
    return tuple(_cache(row) for row in found)


def add(connection: Connection, made: Cache) -> None:
    """Have a namespace stand for another registry. Raises: NameTaken (it does already)."""
    added = connection.execute(
        f"INSERT INTO caches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
        " ON CONFLICT (namespace) DO NOTHING",
        (
            made.namespace, made.upstream, made.username, made.password, made.is_private,
            made.is_default, made.fresh_s, made.keep_s, made.created_at, made.created_by,
        ),
    )  # fmt: skip
    if not added.rowcount:
        raise NameTaken(
            f"{made.namespace} stands for a registry already", hint="remove that cache first"
        )
    if made.is_default:
        connection.execute(
            "UPDATE caches SET is_default = 0 WHERE namespace <> ?", (made.namespace,)
        )


def remove(connection: Connection, namespace: str) -> None:
    """Have a namespace stand for itself again. Raises: CacheUnknown."""
    gone = connection.execute("DELETE FROM caches WHERE namespace = ?", (namespace,))
    if not gone.rowcount:
        raise CacheUnknown(f"{namespace} stands for no other registry")


def forget_namespace(connection: Connection, namespace: str) -> None:
    """Have a namespace that goes stand for nothing any more."""
    connection.execute("DELETE FROM caches WHERE namespace = ?", (namespace,))


def find_held(connection: Connection, repository_id: int, tag: str) -> Held | None:
    """Give what a tag names here; None if there is no such tag."""
    row = connection.execute(
        "SELECT manifests.id, digest, checked_at FROM tags JOIN manifests ON manifests.id = manifest_id"
        " LEFT JOIN cached_tags ON cached_tags.repository_id = tags.repository_id"
        "  AND cached_tags.name = tags.name"
        " WHERE tags.repository_id = ? AND tags.name = ?",
        (repository_id, tag),
    ).fetchone()
    return Held(row[0], row[1], row[2] or 0.0) if row else None


def checked_at(connection: Connection, repository_id: int, name: str) -> float:
    """Give when a tag, or what `note_checked` was told of, was compared; 0: never."""
    row = connection.execute(
        "SELECT checked_at FROM cached_tags WHERE repository_id = ? AND name = ?",
        (repository_id, name),
    ).fetchone()
    return float(row[0]) if row else 0.0


def note_checked(connection: Connection, repository_id: int, tag: str, *, now: float) -> None:
    """Note that a tag was compared with its registry."""
    connection.execute(
        "INSERT INTO cached_tags (repository_id, name, checked_at) VALUES (?, ?, ?)"
        " ON CONFLICT (repository_id, name) DO UPDATE SET checked_at = excluded.checked_at",
        (repository_id, tag, now),
    )


def named_by(connection: Connection, repository_id: int, digest: str) -> bytes | None:
    """Give a manifest of the repository that names a blob; None if none does."""
    row = connection.execute(
        "SELECT raw FROM parts JOIN manifests ON manifests.id = manifest_id"
        " WHERE parts.digest = ? AND is_manifest = 0 AND repository_id = ? LIMIT 1",
        (digest, repository_id),
    ).fetchone()
    return bytes(row[0]) if row else None


def link_within(
    connection: Connection, repository_id: int, digest: Digest, *, namespace: str, now: float
) -> bool:
    """Have a repository show a blob that another of the namespace shows; tell whether one does.

    Never one from elsewhere: a registry may claim to have any blob, and only bytes prove it.
    """
    there = connection.execute(
        "SELECT 1 FROM links JOIN repositories ON repositories.id = repository_id"
        " WHERE digest = ? AND namespace = ? LIMIT 1",
        (digest, namespace),
    ).fetchone()
    if there is None:
        return False
    blobs.link(connection, repository_id, digest, now=now)
    hold_blob(connection, repository_id, digest)
    return True


def hold_blob(connection: Connection, repository_id: int, digest: str) -> None:
    """Note that a manifest, which came before the blob, names it."""
    connection.execute(
        "UPDATE links SET loose_at = NULL WHERE repository_id = ? AND digest = ? AND EXISTS"
        " (SELECT 1 FROM parts JOIN manifests ON manifests.id = manifest_id"
        "  WHERE parts.digest = links.digest AND is_manifest = 0"
        "  AND manifests.repository_id = links.repository_id)",
        (repository_id, digest),
    )


def note_uses(connection: Connection, uses: Mapping[int, float]) -> None:
    """Note when manifests were last pulled; those that are gone are left out."""
    for manifest_id, used_at in uses.items():
        connection.execute(
            "INSERT INTO cached_uses (manifest_id, used_at)"
            " SELECT id, ? FROM manifests WHERE id = ?"
            " ON CONFLICT (manifest_id) DO UPDATE SET used_at = excluded.used_at",
            (used_at, manifest_id),
        )


def unused(
    connection: Connection, namespace: str, *, before: float, limit: int
) -> tuple[tuple[int, str], ...]:
    """Give (repository's id, digest) of manifests of a namespace that nobody pulled since."""
    found = connection.execute(
        "SELECT repository_id, digest FROM cached_uses"
        " JOIN manifests ON manifests.id = manifest_id"
        " JOIN repositories ON repositories.id = repository_id"
        " WHERE used_at <= ? AND namespace = ? LIMIT ?",
        (before, namespace, limit),
    ).fetchall()
    return tuple((row[0], row[1]) for row in found)
