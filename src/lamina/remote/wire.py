"""HTTP/1.1 as it goes over a socket: the head of a request, and an answer with its body. Spec: RFC 9112.

The standard library's client reads header fields with its parser for mail, and loading that took a
fifth of a push that has nothing to send.
"""

from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from io import BufferedReader

    from lamina.remote.nested import NestedTls

__all__ = ["Answer", "NotWritable", "WireBroken", "head_of"]

_LONGEST_LINE = 64 * 1024
_MOST_FIELDS = 200
_MOST_INTERIM = 20
_LONGEST_SIZE = 16  # hex digits of a chunk's size
_HTTP_1_0 = b"HTTP/1.0"
_WITHOUT_BODY = (204, 304)
_SWITCHED = 101


class WireBroken(Exception):
    """What came is no HTTP, or ended too soon."""


class NotWritable(WireBroken):
    """A request that would be read as another one: a line break in a field."""


def head_of(method: str, target: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Write a request up to its body. Raises: NotWritable."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    if any(not {"\r", "\n", "\0"}.isdisjoint(line) for line in lines):
        raise NotWritable("a header field has a line break in it")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


class Answer:
    """One answer on `sock`, its head read. `length` is what is left of the body, None where it does not say.

    Interim answers (1xx) are passed over. `will_close`: the connection serves no further request.
    Raises: WireBroken, OSError (among them ConnectionResetError: it ended before the first byte).
    """

    def __init__(self, sock: "socket.socket | NestedTls", method: str) -> None:
        file: BufferedReader = sock.makefile("rb")
        self._file: BufferedReader | None = file
        try:
            self._read_head(file, method)
        except BaseException:
            self.close()
            raise

    def _read_head(self, file: "BufferedReader", method: str) -> None:
        for _ in range(_MOST_INTERIM):
            version, self.status, self.reason = _status_line(file)
            self.fields = _fields(file)
            if not 100 <= self.status < 200 or self.status == _SWITCHED:  # noqa: PLR2004
                break
        else:
            raise WireBroken(f"{_MOST_INTERIM} answers that only announce another")
        self._chunked = self._last("transfer-encoding") == "chunked"
        self.length: int | None = None
        if method in ("HEAD", "CONNECT") or self.status in (*_WITHOUT_BODY, _SWITCHED):
            self._chunked, self.length = False, 0
        elif not self._chunked:
            said = self._last("content-length")
            self.length = int(said) if said.isascii() and said.isdigit() else None
        self._left = 0  # of the chunk that is being read
        self._within = False  # a chunk, whose end has a line break of its own
        words = self._all("connection")
        kept = "keep-alive" in words if version == _HTTP_1_0 else "close" not in words
        endless = self.length is None and not self._chunked
        self.will_close = endless or not kept

    @property
    def is_over(self) -> bool:
        """Whether the body was read to its end, so that the next answer may follow."""
        return self._file is None or self.length == 0

    def read1(self, size: int) -> bytes:
        """Give the next bytes that come, at most `size`; none at the end.

        Raises: WireBroken (a chunk is cut off), ConnectionResetError (the body is).
        """
        file = self._file
        if file is None or size <= 0 or self.length == 0:
            return b""
        if self._chunked:
            return self._read_chunk(file, size)
        if self.length is None:
            piece = file.read1(size)
            if not piece:
                self.close()
            return piece
        piece = file.read1(min(size, self.length))
        if not piece:
            raise ConnectionResetError(f"{self.length} bytes are missing at the end")
        self.length -= len(piece)
        return piece

    def close(self) -> None:
        """Let go of the socket, which stays open. May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_chunk(self, file: "BufferedReader", size: int) -> bytes:
        if not self._left:
            if self._within and _line(file):
                raise WireBroken("a chunk is longer than it said")
            self._left = _chunk_size(_line(file))
            self._within = True
            if not self._left:
                _fields(file)  # trailers
                self.close()
                return b""
        piece = file.read1(min(size, self._left))
        if not piece:
            raise WireBroken("the answer ends in the middle of a chunk")
        self._left -= len(piece)
        return piece

    def _all(self, name: str) -> list[str]:
        """Give the words of a field, which may be there several times."""
        rows = (value for known, value in self.fields if known.lower() == name)
        return [word.strip().lower() for value in rows for word in value.split(",")]

    def _last(self, name: str) -> str:
        return (self._all(name) or [""])[-1]


def _status_line(file: "BufferedReader") -> tuple[bytes, int, str]:
    line = file.readline(_LONGEST_LINE)
    if not line:
        raise ConnectionResetError("the server hung up without an answer")
    version, _, rest = line.strip().partition(b" ")
    code, _, reason = rest.strip().partition(b" ")
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit():  # noqa: PLR2004
        raise WireBroken(f"no answer in HTTP: {line[:40]!r}")
    return version, int(code), reason.decode("latin-1").strip()


def _fields(file: "BufferedReader") -> list[tuple[str, str]]:
    """Read fields up to the empty line; what has no colon is none, what is indented goes on."""
    rows: list[tuple[str, str]] = []
    while line := _line(file):
        if len(rows) >= _MOST_FIELDS:
            raise WireBroken(f"the answer has more than {_MOST_FIELDS} header fields")
        text = line.decode("latin-1")
        name, colon, value = text.partition(":")
        if text[0] in " \t":
            if rows:
                rows[-1] = (rows[-1][0], f"{rows[-1][1]} {text.strip()}".strip())
        elif colon:
            rows.append((name.strip(), value.strip()))
    return rows


def _line(file: "BufferedReader") -> bytes:
    """Read one line without its end. Raises: WireBroken (too long, or the answer ends in it)."""
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise WireBroken(
            "a line of the answer is too long"
            if len(line) == _LONGEST_LINE
            else "the answer ends in the middle"
        )
    return line.rstrip(b"\r\n")


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > _LONGEST_SIZE or digits.strip(b"0123456789abcdefABCDEF"):
        raise WireBroken(f"no size of a chunk: {line[:40]!r}")
    return int(digits, 16)
