"""Rows of blobs, of links (which repository may show which blob) and of uploads."""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.errors import BlobUnknown, ContentReferenced, UploadUnknown
from lamina.spec.digest import Digest

__all__ = [
    "Upload",
    "add",
    "add_upload",
    "find",
    "find_source",
    "finish_upload",
    "lease_digest",
    "link",
    "release",
    "remove_upload",
    "touch_link",
    "touch_upload",
    "unlink",
    "upload",
]


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob on its way in."""

    id: str
    repository_id: int
    account: str
    digest: str
    touched_at: float


def find(
    connection: Connection, repository_id: int, digest: Digest
) -> tuple[int, float | None] | None:
    """Give a linked blob's size and since when its link is loose; None if it is not linked."""
    row = connection.execute(
        "SELECT size, loose_at FROM links JOIN blobs USING (digest)"
        " WHERE repository_id = ? AND digest = ?",
        (repository_id, digest),
    ).fetchone()
    return (row[0], row[1]) if row else None


def link(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Let a repository show a blob that is here."""
    connection.execute(
        "INSERT INTO links (repository_id, digest, loose_at) VALUES (?, ?, ?)"
        " ON CONFLICT (repository_id, digest) DO UPDATE SET loose_at = excluded.loose_at"
        " WHERE loose_at IS NOT NULL",
        (repository_id, digest, now),
    )
    connection.execute("UPDATE blobs SET released_at = NULL WHERE digest = ?", (digest,))


def touch_link(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Renew the lease of a link: someone is about to push a manifest that counts on it."""
    connection.execute(
        "UPDATE links SET loose_at = ? WHERE repository_id = ? AND digest = ?"
        " AND loose_at IS NOT NULL",
        (now, repository_id, digest),
    )


def find_source(
    connection: Connection, digest: Digest, *, repository: str, reader: str, is_admin: bool
) -> str | None:
    """Give a repository that links `digest` and that `reader` may pull; `repository` if given."""
    row = connection.execute(
        "SELECT repositories.name FROM links"
        " JOIN repositories ON repositories.id = links.repository_id"
        " WHERE digest = ? AND (? = '' OR repositories.name = ?)"
        " AND (is_private = 0 OR namespace = ? OR ?) LIMIT 1",
        (digest, repository, repository, reader, is_admin),
    ).fetchone()
    return str(row[0]) if row else None


def unlink(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Take a blob from a repository. Raises: BlobUnknown, ContentReferenced."""
    if find(connection, repository_id, digest) is None:
        raise BlobUnknown(f"blob {digest} is not in this repository")
    held = connection.execute(
        "SELECT 1 FROM parts JOIN manifests ON manifests.id = manifest_id"
        " WHERE parts.digest = ? AND is_manifest = 0 AND repository_id = ? LIMIT 1",
        (digest, repository_id),
    ).fetchone()
    if held:
        raise ContentReferenced(
            f"a manifest of this repository still names {digest}",
            hint="delete the manifest; its blobs follow by themselves",
        )
    connection.execute(
        "DELETE FROM links WHERE repository_id = ? AND digest = ?", (repository_id, digest)
    )
    release(connection, digest, now=now)


def release(connection: Connection, digest: str, *, now: float) -> None:
    """Note that a blob lost a link; from the last one on, its grace period runs."""
    connection.execute(
        "UPDATE blobs SET released_at = ? WHERE digest = ? AND released_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM links WHERE links.digest = blobs.digest)",
        (now, digest),
    )


def add_upload(
    connection: Connection,
    upload_id: str,
    repository_id: int,
    *,
    account: str,
    now: float,
    digest: str = "",
) -> None:
    """Note that an upload begins."""
    connection.execute(
        "INSERT INTO uploads (id, repository_id, account, digest, touched_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (upload_id, repository_id, account, digest, now),
    )


def upload(connection: Connection, upload_id: str, repository_id: int) -> Upload:
    """Give an upload of this repository. Raises: UploadUnknown."""
    row = connection.execute(
        "SELECT id, repository_id, account, digest, touched_at FROM uploads"
        " WHERE id = ? AND repository_id = ?",
        (upload_id, repository_id),
    ).fetchone()
    if row is None:
        raise UploadUnknown(
            "the upload is not known here",
            hint="it was finished, cancelled or given up; begin again",
        )
    return Upload(*row)


def touch_upload(connection: Connection, upload_id: str, *, now: float) -> None:
    """Note that an upload goes on."""
    connection.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (now, upload_id))


def lease_digest(connection: Connection, upload_id: str, digest: Digest, *, now: float) -> None:
    """Keep the sweep away from `digest` while this upload becomes that blob."""
    connection.execute(
        "UPDATE uploads SET digest = ?, touched_at = ? WHERE id = ?", (digest, now, upload_id)
    )


def finish_upload(
    connection: Connection, done: Upload, digest: Digest, *, size: int, now: float
) -> None:
    """Turn an upload whose bytes are in place into a blob its repository shows."""
    add(connection, done.repository_id, digest, size=size, now=now)
    remove_upload(connection, done.id)


def add(
    connection: Connection, repository_id: int, digest: Digest, *, size: int, now: float
) -> None:
    """Note a blob whose bytes are in place, and that a repository shows it."""
    connection.execute(
        "INSERT INTO blobs (digest, size) VALUES (?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET released_at = NULL",
        (digest, size),
    )
    link(connection, repository_id, digest, now=now)


def remove_upload(connection: Connection, upload_id: str) -> None:
    """Forget an upload."""
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
