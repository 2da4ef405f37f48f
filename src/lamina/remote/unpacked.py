"""Bodies that were compressed on the way though nobody asked for it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.messages import Stream

__all__ = ["CODINGS", "Unpacked", "unpack"]

CODINGS = ("gzip", "x-gzip", "deflate")
_BLOCK = 64 * 1024
_EITHER = 15 | 32  # the largest window; gzip or zlib, whichever it is


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """Give the plain body, at most limit + 1 bytes; what is not packed after all stays as it came."""
    import zlib

    if coding.strip().lower() not in CODINGS:
        return body
    try:
        return zlib.decompressobj(_EITHER).decompress(body, limit + 1)
    except zlib.error:
        return body


class Unpacked:
    """A `Stream` of the plain bytes of another, which it closes. Takes 64 KiB at a time."""

    def __init__(self, packed: "Stream") -> None:
        import zlib

        self._packed = packed
        self._machine = zlib.decompressobj(_EITHER)
        self._failures = zlib.error

    def read1(self, size: int) -> bytes:
        """Give the next plain bytes. Raises: ConnectionResetError (they cannot be unpacked)."""
        while True:
            data = self._machine.unconsumed_tail or self._packed.read1(_BLOCK)
            if not data:
                if self._machine.eof:
                    return b""
                raise ConnectionResetError("the packed body ends early")
            try:
                plain = self._machine.decompress(data, size)
            except self._failures as error:
                raise ConnectionResetError(f"the packed body is damaged: {error}") from error
            if plain or self._machine.eof:
                return plain

    def release(self) -> None:
        """Drop the connection: whether the packed body was read to its end nobody knows."""
        self._packed.close()

    def close(self) -> None:
        """Drop the connection."""
        self._packed.close()
