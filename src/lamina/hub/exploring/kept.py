"""The answers about an image as the database has them: packed, and only for who may see them."""

from lamina.spec.wire import Document, decode
from lamina.stream.codec import decompressor

__all__ = ["answers_from", "secrets_from"]


def answers_from(packed: bytes) -> Document:
    """Read the answers as they are kept. Raises: Invalid, CodecError."""
    machine = decompressor("zstd")
    data = b"".join(machine.feed(packed))
    machine.finish()
    return decode(data, what="answers")


def secrets_from(packed: bytes, number: int) -> list[tuple[str, str]] | None:
    """Give the secrets of layer `number`, what each looks like and its path; None: not all are kept."""
    found = answers_from(packed)
    if found["secrets_in_all"] > len(found["secrets"]):
        return None
    return [(row["what"], row["path"]) for row in found["secrets"] if row["layer"] == number]
