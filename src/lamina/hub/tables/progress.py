"""Rows of how far uploads are, for storage whose uploads go on in any process."""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.errors import UploadTaken, UploadUnknown

__all__ = ["Progress", "Segment", "enter", "note", "received"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One part that S3 keeps; `number` from 1."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What an upload has: parts, then perhaps a tail. `running` is their SHA-256 if known."""

    writer: int
    received: int
    running: str
    multipart: str
    tail: str
    segments: tuple[Segment, ...]


def enter(connection: Connection, upload: str) -> Progress:
    """Become the upload's writer; every one before is shut out. Raises: UploadUnknown."""
    row = connection.execute(
        "INSERT INTO progress (upload_id, writer) SELECT id, 1 FROM uploads WHERE id = ?"
        " ON CONFLICT (upload_id) DO UPDATE SET writer = progress.writer + 1"
        " RETURNING writer, received, running, multipart, tail",
        (upload,),
    ).fetchall()
    if not row:
        raise UploadUnknown("the upload is not known here")
    segments = connection.execute(
        "SELECT number, etag, size FROM segments WHERE upload_id = ? ORDER BY number", (upload,)
    )
    writer, so_far, running, multipart, tail = row[0]
    parts = tuple(Segment(*each) for each in segments)
    return Progress(writer, so_far, running, multipart, tail, parts)


def note(
    connection: Connection,
    upload: str,
    writer: int,
    *,
    received: int,
    running: str,
    multipart: str,
    tail: str,
    segment: Segment | None,
    now: float,
) -> None:
    """Write down how far `writer` is. Raises: UploadTaken (another one is at it)."""
    known = connection.execute(
        "UPDATE progress SET received = ?, running = ?, multipart = ?, tail = ?"
        " WHERE upload_id = ? AND writer = ?",
        (received, running, multipart, tail, upload, writer),
    )
    if not known.rowcount:
        raise UploadTaken("another request went on with this upload")
    if segment is not None:
        connection.execute(
            "INSERT INTO segments (upload_id, number, etag, size) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (upload_id, number) DO UPDATE"
            " SET etag = excluded.etag, size = excluded.size",
            (upload, segment.number, segment.etag, segment.size),
        )
    connection.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (now, upload))


def received(connection: Connection, upload: str) -> int:
    """Give the bytes an upload has. Raises: UploadUnknown."""
    row = connection.execute(
        "SELECT coalesce(progress.received, 0) FROM uploads"
        " LEFT JOIN progress ON progress.upload_id = uploads.id WHERE uploads.id = ?",
        (upload,),
    ).fetchone()
    if row is None:
        raise UploadUnknown("the upload is not known here")
    return int(row[0])
