"""Rows of blobs, of links (which repository may show which blob) and of uploads."""

from collections.abc import Iterable
from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.errors import BlobUnknown, ContentReferenced, UploadUnknown
from lamina.hub.tables import quotas, turns
from lamina.hub.tables.roles import MAY_READ, Reader, reader_values
from lamina.spec.digest import Digest

__all__ = [
    "BUSY_S",
    "Kept",
    "Linked",
    "Upload",
    "add",
    "add_upload",
    "claim_leftovers",
    "claim_upload",
    "drop_link",
    "find",
    "find_source",
    "finish_upload",
    "is_place_known",
    "keep_leftover",
    "link",
    "note_push",
    "place",
    "release",
    "remove_upload",
    "renew_uploads",
    "save_leftover",
    "touch_link",
    "touch_upload",
    "unlink",
    "upload",
]

_LEAVE = "INSERT INTO leftovers (place, digest, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
BUSY_S = 30.0
"""How exact a repository's last push is known: its row is not written with each blob."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Verified bytes, durable, that the caller's row makes a blob."""

    place: str
    size: int
    has_rest: bool = False
    """More of the upload lies about: whoever writes the row notes it as a leftover."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A blob as a repository shows it; `loose_at`: since when no manifest there names it."""

    size: int
    place: str
    loose_at: float | None


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob on its way in."""

    id: str
    repository_id: int
    account: str
    touched_at: float


def find(connection: Connection, repository_id: int, digest: Digest) -> Linked | None:
    """Give a blob as a repository shows it; None if it does not, or the blob is damaged."""
    row = connection.execute(
        "SELECT size, place, loose_at FROM links JOIN blobs USING (digest)"
        " WHERE repository_id = ? AND digest = ? AND damage = ''",
        (repository_id, digest),
    ).fetchone()
    return Linked(row[0], row[1], row[2]) if row else None


def link(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Let a repository show a blob that is here. Raises: QuotaExceeded."""
    is_new = quotas.holds(connection, repository_id) and not _is_linked(
        connection, repository_id, digest
    )
    connection.execute(
        "INSERT INTO links (repository_id, digest, loose_at, awaited_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (repository_id, digest) DO UPDATE SET awaited_at = excluded.awaited_at,"
        " loose_at = CASE WHEN links.loose_at IS NULL THEN NULL ELSE excluded.loose_at END",
        (repository_id, digest, now, now),
    )
    if is_new:
        quotas.add_link(connection, repository_id, digest)
    note_push(connection, repository_id, now)
    connection.execute("UPDATE blobs SET released_at = NULL WHERE digest = ?", (digest,))


def _is_linked(connection: Connection, repository_id: int, digest: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM links WHERE repository_id = ? AND digest = ?", (repository_id, digest)
    ).fetchone()
    return row is not None


def touch_link(connection: Connection, repository_id: int, digest: Digest, *, now: float) -> None:
    """Renew the lease of a link: someone is about to push a manifest that counts on it."""
    connection.execute(
        "UPDATE links SET loose_at = ?, awaited_at = ? WHERE repository_id = ? AND digest = ?"
        " AND loose_at IS NOT NULL",
        (now, now, repository_id, digest),
    )
    note_push(connection, repository_id, now)


def note_push(connection: Connection, repository_id: int, now: float) -> None:
    """Note that someone pushes there: what they brought before stays, however long it takes."""
    connection.execute(
        "UPDATE repositories SET busy_at = ? WHERE id = ? AND busy_at < ?",
        (now, repository_id, now - BUSY_S),
    )


def find_source(
    connection: Connection, digest: Digest, *, repository: str, reader: Reader
) -> str | None:
    """Give a repository that links `digest` and that `reader` may pull; `repository` if given."""
    row = connection.execute(
        "SELECT repositories.name FROM links"  # noqa: S608 - a constant
        " JOIN repositories ON repositories.id = links.repository_id"
        " JOIN blobs ON blobs.digest = links.digest AND damage = ''"
        " WHERE links.digest = ? AND (? = '' OR repositories.name = ?)"
        f" AND {MAY_READ} LIMIT 1",
        (digest, repository, repository, *reader_values(reader)),
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
    drop_link(connection, repository_id, digest, now=now)


def drop_link(connection: Connection, repository_id: int, digest: str, *, now: float) -> None:
    """Take a link away; from the last one on, the blob's grace period runs."""
    connection.execute(
        "DELETE FROM links WHERE repository_id = ? AND digest = ?", (repository_id, digest)
    )
    quotas.remove_link(connection, repository_id, digest)
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
) -> None:
    """Note that an upload begins."""
    connection.execute(
        "INSERT INTO uploads (id, repository_id, account, touched_at) VALUES (?, ?, ?, ?)",
        (upload_id, repository_id, account, now),
    )
    note_push(connection, repository_id, now)


def upload(connection: Connection, upload_id: str, repository_id: int) -> Upload:
    """Give an upload of this repository. Raises: UploadUnknown."""
    row = connection.execute(
        "SELECT id, repository_id, account, touched_at FROM uploads"
        " WHERE id = ? AND repository_id = ?",
        (upload_id, repository_id),
    ).fetchone()
    if row is None:
        raise UploadUnknown(
            "the upload is not known here",
            hint="it was finished, cancelled or given up; begin again",
        )
    return Upload(*row)


def is_place_known(connection: Connection, upload_id: str) -> bool:
    """Tell whether there is a row of this upload, or of what became of it: a blob in that place, or below it."""
    row = connection.execute(
        "SELECT 1 FROM uploads WHERE id = ? UNION ALL SELECT 1 FROM blobs WHERE place = ?"
        " AND place <> '' UNION ALL SELECT 1 FROM leftovers WHERE place = ? UNION ALL"
        " SELECT 1 FROM blobs WHERE place > ? AND place < ? AND place <> '' LIMIT 1",
        (upload_id, upload_id, upload_id, f"{upload_id}/", f"{upload_id}0"),
    ).fetchone()
    return row is not None


def touch_upload(connection: Connection, upload_id: str, *, now: float) -> None:
    """Note that an upload goes on."""
    connection.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (now, upload_id))


def renew_uploads(connection: Connection, upload_ids: Iterable[str], *, now: float) -> None:
    """Note that uploads go on, and their repositories' pushes with them."""
    for upload_id in upload_ids:
        touch_upload(connection, upload_id, now=now)
        connection.execute(
            "UPDATE repositories SET busy_at = ? WHERE busy_at < ? AND id ="
            " (SELECT repository_id FROM uploads WHERE id = ?)",
            (now, now - BUSY_S, upload_id),
        )


def finish_upload(
    connection: Connection, done: Upload, digest: Digest, kept: Kept, *, now: float
) -> None:
    """Turn an upload whose bytes are kept into a blob its repository shows.

    Raises: UploadUnknown (it was finished, cancelled or given up meanwhile), QuotaExceeded.
    """
    if not remove_upload(connection, done.id):
        raise UploadUnknown("the upload is not known here", hint="begin again")
    add(connection, done.repository_id, digest, kept, now=now)
    if kept.has_rest:
        keep_leftover(connection, "", done.id, now=now)


def add(
    connection: Connection, repository_id: int, digest: Digest, kept: Kept, *, now: float
) -> None:
    """Note a blob whose bytes are kept, and that a repository shows it.

    It takes the place of an older copy, which might be damaged; that becomes a leftover.
    Raises: QuotaExceeded.
    """
    older = connection.execute("SELECT place FROM blobs WHERE digest = ?", (digest,)).fetchone()
    if older is not None and older[0] != kept.place:
        keep_leftover(connection, digest, older[0], now=now)
    connection.execute(
        "INSERT INTO blobs (digest, size, place, checked_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET released_at = NULL, size = excluded.size,"
        " place = excluded.place, checked_at = excluded.checked_at, damage = ''",
        (digest, kept.size, kept.place, now),
    )
    link(connection, repository_id, digest, now=now)


def place(connection: Connection, digest: Digest) -> str | None:
    """Give where a blob's bytes lie, whoever asks; None if it is not here, or damaged."""
    row = connection.execute(
        "SELECT place FROM blobs WHERE digest = ? AND damage = ''", (digest,)
    ).fetchone()
    return str(row[0]) if row else None


def keep_leftover(connection: Connection, digest: str, place: str, *, now: float) -> None:
    """Note bytes that no row names any more; an empty `digest` means an upload's."""
    connection.execute(_LEAVE, (place, digest, now))


def claim_upload(connection: Connection, upload_id: str, *, now: float) -> bool:
    """Note an upload as left over, before its bytes come; tell whether nobody else did, nor anything became of it."""
    if is_place_known(connection, upload_id):
        return False
    return bool(connection.execute(_LEAVE, (upload_id, "", now)).rowcount)


def save_leftover(connection: Connection, upload_id: str) -> None:
    """Take back the note about bytes that a row is to name now.

    Raises: UploadUnknown (a sweep was quicker, and drops them).
    """
    saved = connection.execute(
        "DELETE FROM leftovers WHERE place = ? AND digest = '' AND is_claimed = 0", (upload_id,)
    )
    if not saved.rowcount:
        raise UploadUnknown("the upload took too long and was given up", hint="send it again")


def claim_leftovers(
    connection: Connection, *, before: float, uploads_before: float, limit: int, now: float
) -> tuple[tuple[str, str], ...]:
    """Give (digest, place) of leftovers to drop now; from here on no row can come to name them.

    Those of uploads have a moment of their own: a small blob on its way in is noted as one. None
    while someone holds what is there, such as a backup that copies it.
    """
    if turns.is_held(connection, now=now):
        return ()
    rows = connection.execute(
        "UPDATE leftovers SET is_claimed = 1 WHERE (place, digest) IN"
        " (SELECT place, digest FROM leftovers WHERE since <= ? AND (digest <> '' OR since <= ?)"
        "  LIMIT ?) RETURNING digest, place",
        (before, uploads_before, limit),
    ).fetchall()
    return tuple((row[0], row[1]) for row in rows)


def remove_upload(connection: Connection, upload_id: str) -> bool:
    """Forget an upload; tell whether it was known."""
    return bool(connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,)).rowcount)
