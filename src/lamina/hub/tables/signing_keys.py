"""Rows of the keys that short tokens are signed with."""

from lamina.hub.database import Connection

__all__ = ["add", "believed", "retire"]


def add(connection: Connection, pem: bytes, *, now: float) -> None:
    """Keep a key; it signs until it is retired."""
    connection.execute("INSERT INTO signing_keys (pem, made_at) VALUES (?, ?)", (pem, now))


def believed(connection: Connection, *, retired_after: float) -> tuple[bytes, ...]:
    """Give the key that signs, and after it those that were retired later than that moment."""
    found = connection.execute(
        "SELECT pem FROM signing_keys WHERE retired_at IS NULL OR retired_at > ?"
        " ORDER BY retired_at IS NULL DESC, id DESC",
        (retired_after,),
    )
    return tuple(bytes(row[0]) for row in found.fetchall())


def retire(connection: Connection, *, now: float, drop_before: float) -> None:
    """Have no key sign any more, and drop those retired before that moment."""
    connection.execute("UPDATE signing_keys SET retired_at = ? WHERE retired_at IS NULL", (now,))
    connection.execute("DELETE FROM signing_keys WHERE retired_at <= ?", (drop_before,))
