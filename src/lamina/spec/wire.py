"""JSON as this project reads and writes it: the one place where a document has no type yet.

What we write ourselves is compact UTF-8 with keys in the order given, so that the same value has
the same digest everywhere. What we fetched is never written again; its own bytes are kept.
"""

import json
from typing import Any

from lamina.errors import Invalid

__all__ = ["Document", "decode", "encode", "encode_pretty"]

Document = dict[str, Any]


def encode(value: Any) -> bytes:
    """Write `value` as compact JSON; same value, same bytes."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair in someone's label: keep it escaped
        return json.dumps(value, separators=(",", ":")).encode()


def encode_pretty(value: Any, *, indent: int | str = 4) -> str:
    """Write `value` for people, as `docker inspect` lays it out."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def decode(raw: bytes | str, *, what: str = "document") -> Document:
    """Read a JSON object.

    Raises: Invalid (not JSON, not an object, nested beyond reason).
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{what} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"{what} is not a JSON object")
    return value
