"""Rows of what the hub's processes leave for others to know: kept among the secrets, and none itself."""

from collections.abc import Sequence

from lamina.hub.database import Connection

__all__ = ["immutable", "note_start", "pulls_noted_since"]

_SINCE = "pulls are noted since"
_IMMUTABLE = "immutable tags"


def note_start(connection: Connection, *, immutable_rules: Sequence[str], now: float) -> None:
    """Note which tags this hub was served with as immutable, and since when it notes pulls."""
    connection.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (_SINCE, str(now).encode()),
    )
    connection.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value WHERE secrets.value <> excluded.value",
        (_IMMUTABLE, " ".join(immutable_rules).encode()),
    )


def pulls_noted_since(connection: Connection, *, otherwise: float) -> float:
    """Give since when it is known which manifests were asked for."""
    text = _text(connection, _SINCE)
    return float(text) if text else otherwise


def immutable(connection: Connection) -> tuple[str, ...]:
    """Give the rules for tags that the hub was last served with."""
    return tuple(_text(connection, _IMMUTABLE).split())


def _text(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
    return bytes(row[0]).decode() if row else ""
