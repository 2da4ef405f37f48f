"""Heads of the plainest requests, read here: `GET` or `HEAD` without a body, `POST` or `PUT` with a short one.

Whatever is not one of these is aiohttp's to read, so nothing here has to be understood, only refused:
a head that is taken has one meaning to every reader of HTTP. Spec: RFC 9112.
"""

import re
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["HEAD_LIMIT", "Head", "Heads", "Sending", "read_head"]

_T = TypeVar("_T")
HEAD_LIMIT = 8192
"""Bytes; below every limit of aiohttp's on lines, so that it would take the same."""
_END = b"\r\n\r\n"
_LINES = 60
_REMEMBERED, _LONGEST_REMEMBERED = 1024, 3072  # a token and the usual fields; 6 MB of them at most
_REST = rb" (/[!\x24-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9_-]+:[\t -~]*\r\n)+)\r\n"
_HEAD = re.compile(rb"(GET|HEAD)" + _REST)
_LINE = re.compile(rb"(POST|PUT) (/[!\x24-~]*) HTTP/1\.1\r\n")
_FIELDS = re.compile(rb"(?:[A-Za-z0-9_-]+:[\t -~]*\r\n)+\r\n")
_LENGTH = re.compile(r"[0-9]{1,5}")
_OTHERWISE = re.compile(
    r"content-.*|transfer-.*|sec-.*|expect|upgrade|te|trailer|keep-alive"
    r"|http2-settings|proxy-.*|connection"
)
"""Fields that make another request of it: with a body, another protocol, an end of the connection."""
_CONDITION = re.compile(r"if-.*|range")
"""Fields that make another answer of it: a part, or none."""
_OF_BODY = ("content-length", "content-type")
_ONCE = ("host", "authorization", "connection", "x-request-id", *_OF_BODY)


@dataclass(frozen=True, slots=True)
class Head:
    """A request that is its head alone. `fields` have lower-case names; repeated ones are joined by commas.

    One that is not `is_plain` asks for a part, or on a condition, or is its connection's last.
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
    fields = _fields(match[3])
    if fields is None or any(name in fields for name in _OF_BODY):
        return None
    return Head(match[1].decode(), match[2].decode("ascii"), fields, _is_plain(fields))


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that sends something: its body is from `start` to `end`, of what was read and what comes."""

    head: Head
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Rest:
    """What follows the first line of a head that is whole and plain, and how long its body is."""

    fields: dict[str, str]
    length: int


def _read_rest(rest: bytes) -> _Rest | None:
    fields = _fields(rest[:-2]) if _FIELDS.fullmatch(rest) else None
    if fields is None or not _is_plain(fields):
        return None
    length = fields.get("content-length", "0")
    return _Rest(fields, int(length)) if _LENGTH.fullmatch(length) else None


def _is_plain(fields: dict[str, str]) -> bool:
    is_last = fields.get("connection", "").lower() == "close"
    return not (is_last or any(map(_CONDITION.fullmatch, fields)))


def _fields(raw: bytes) -> dict[str, str] | None:
    """Give the fields of a head; None where they make another request of it, or may."""
    lines = raw.decode("ascii").split("\r\n")[:-1]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if name in fields:
            if name in _ONCE:
                return None
            value = f"{fields[name]},{value}"
        elif _OTHERWISE.fullmatch(name) and not (
            name in _OF_BODY or (name == "connection" and value.lower() in ("keep-alive", "close"))
        ):
            return None
        fields[name] = value
    return fields if "host" in fields and len(lines) <= _LINES else None


class Heads:
    """Heads read lately by their bytes: a client sends the same again and again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._rests: dict[bytes, _Rest] = {}

    def read(self, data: bytes) -> Head | None:
        """Do what `read_head` does; costs a look into a dictionary the second time."""
        head = self._known.get(data)
        if head is None:
            head = read_head(data)
            if head is not None:
                _keep(self._known, data, head)
        return head

    def read_sending(self, data: bytes) -> Sending | None:
        """Give the request that `data` begins with, if its head is whole and plain; None if it is anything else.

        What follows it is not looked at. Of heads that differ in their first line alone, the rest is read once.
        """
        line = _LINE.match(data)
        end = data.find(_END, line.end(), HEAD_LIMIT) + len(_END) if line is not None else 0
        if line is None or end < len(_END):
            return None
        rest = data[line.end() : end]
        read = self._rests.get(rest)
        if read is None:
            read = _read_rest(rest)
            if read is None:
                return None
            _keep(self._rests, rest, read)
        head = Head(line[1].decode(), line[2].decode("ascii"), read.fields, is_plain=True)
        return Sending(head, end, end + read.length)


def _keep(known: dict[bytes, _T], data: bytes, read: _T) -> None:
    if len(data) <= _LONGEST_REMEMBERED:
        if len(known) >= _REMEMBERED:
            known.clear()
        known[data] = read
