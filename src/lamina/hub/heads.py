"""Heads of the plainest requests, read here: `GET` or `HEAD`, no body, whole in one piece.

Whatever is not one of these is aiohttp's to read, so nothing here has to be understood, only refused:
a head that is taken has one meaning to every reader of HTTP. Spec: RFC 9112.
"""

import re
from dataclasses import dataclass

__all__ = ["HEAD_LIMIT", "Head", "Heads", "read_head"]

HEAD_LIMIT = 8192
"""Bytes; below every limit of aiohttp's on lines, so that it would take the same."""
_LINES = 60
_REMEMBERED, _LONGEST_REMEMBERED = 1024, 3072  # a token and the usual fields; 6 MB of them at most
_HEAD = re.compile(rb"(GET|HEAD) (/[!\x24-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9_-]+:[\t -~]*\r\n)+)\r\n")
_OTHERWISE = re.compile(
    r"content-.*|transfer-.*|sec-.*|expect|upgrade|te|trailer|keep-alive"
    r"|http2-settings|proxy-.*|connection"
)
"""Fields that make another request of it: with a body, another protocol, an end of the connection."""
_CONDITION = re.compile(r"if-.*|range")
"""Fields that make another answer of it: a part, or none."""
_ONCE = ("host", "authorization", "x-request-id")


@dataclass(frozen=True, slots=True)
class Head:
    """A request that is its head alone. `fields` have lower-case names; repeated ones are joined by commas.

    One that is not `is_plain` asks for a part, or on a condition.
    """

    method: str
    target: str
    fields: dict[str, str]
    is_plain: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What an answer depends on, as long as what the hub knows stays the same."""
        return self.method, self.target, self.fields.get("authorization", "")


def read_head(data: bytes) -> Head | None:
    """Give the one request that `data` is, from its first byte to its last; None if it is anything else."""
    match = _HEAD.fullmatch(data) if len(data) <= HEAD_LIMIT else None
    if match is None:
        return None
    lines = match[3].decode("ascii").split("\r\n")[:-1]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if name in fields:
            if name in _ONCE:
                return None
            value = f"{fields[name]},{value}"
        elif _OTHERWISE.fullmatch(name) and (name, value.lower()) != ("connection", "keep-alive"):
            return None
        fields[name] = value
    if "host" not in fields or len(lines) > _LINES:
        return None
    is_plain = not any(map(_CONDITION.fullmatch, fields))
    return Head(match[1].decode(), match[2].decode("ascii"), fields, is_plain)


class Heads:
    """Heads read lately by their bytes: a client sends the same again and again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes) -> Head | None:
        """Do what `read_head` does; costs a look into a dictionary the second time."""
        head = self._known.get(data)
        if head is None:
            head = read_head(data)
            if head is not None and len(data) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[data] = head
        return head
