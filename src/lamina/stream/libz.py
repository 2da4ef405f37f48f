"""The system's libz, called by hand: Python's own binding does not tell where a deflate block ends.

Decision 25 says why `stream` may use ctypes here and nowhere else.
"""

import ctypes
from functools import cache

__all__ = ["DONE", "FULL", "MOVED", "Inflate", "libz"]

MOVED, DONE, FULL = "moved", "done", "full"
"""How a step ended: somewhere within the member, at its end, or without any progress."""

_NO_FLUSH, _BLOCK = 0, 5
_OK, _STREAM_END, _BUFFER_ERROR = 0, 1, -5
_GZIP_ONLY = 31
_WINDOW = 32 * 1024
_AT_BLOCK, _IN_LAST, _BITS = 128, 64, 7
_NAMES = ("libz.so.1", "libz-ng.so.2", "libz.so")
_CALLS = ("zlibVersion", "inflateInit2_", "inflate", "inflateReset", "inflateEnd", "inflateGetDictionary")  # fmt: skip


class _Stream(ctypes.Structure):
    """zlib.h's z_stream."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )


@cache
def libz() -> "ctypes.CDLL | None":
    """Load the system's libz; None where there is none, or one that lacks a call we need."""
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if all(hasattr(library, call) for call in _CALLS):
            library.zlibVersion.restype = ctypes.c_char_p
            return library
    return None


class Inflate:
    """One gzip member after another, in steps that may end where a deflate block does.

    `step` reads `data` from `at` on and fills `size` bytes at most; what it gave is `taken` and
    `plain` then. One thread at a time; the memory goes with `close`, or with the object.
    """

    def __init__(self, library: "ctypes.CDLL", room: int) -> None:
        self._library = library
        self._stream = _Stream()
        self._room = ctypes.create_string_buffer(room)
        self._place = ctypes.addressof(self._room)
        self.taken = 0
        self.plain = b""
        version = library.zlibVersion()
        code = library.inflateInit2_(
            ctypes.byref(self._stream), _GZIP_ONLY, version, ctypes.sizeof(_Stream)
        )
        self._open = code == _OK
        if not self._open:
            raise MemoryError(f"libz {version!r} refuses to begin: {code}")

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give back what libz holds; a second call does nothing."""
        if self._open:
            self._library.inflateEnd(ctypes.byref(self._stream))
            self._open = False

    def reset(self) -> None:
        """Begin another member."""
        self._library.inflateReset(ctypes.byref(self._stream))

    def step(self, data: bytes, at: int, size: int, *, to_block: bool) -> str:
        """Inflate `data` from `at` until it or `size` ends, or the block does; tell how it ended.

        Raises: ValueError (damaged; the text says how).
        """
        stream = self._stream
        held = ctypes.c_char_p(data)  # keeps the bytes where they are meanwhile
        stream.next_in = (ctypes.cast(held, ctypes.c_void_p).value or 0) + at
        stream.avail_in = len(data) - at
        stream.next_out = self._place
        stream.avail_out = size
        code = self._library.inflate(ctypes.byref(stream), _BLOCK if to_block else _NO_FLUSH)
        self.taken = len(data) - at - stream.avail_in
        self.plain = ctypes.string_at(self._place, size - stream.avail_out)
        if code == _STREAM_END:
            return DONE
        if code == _BUFFER_ERROR:
            return FULL
        if code != _OK:
            raise ValueError((stream.msg or b"").decode("latin-1") or f"error {code}")
        return MOVED

    @property
    def at_block(self) -> bool:
        """Whether the last step ended between two blocks of a member."""
        state = self._stream.data_type
        return bool(state & _AT_BLOCK) and not state & _IN_LAST

    @property
    def bits(self) -> int:
        """How many bits of the last byte that was taken belong to what follows."""
        return int(self._stream.data_type) & _BITS

    def window(self) -> bytes:
        """Give the last 32 KiB that came out, which what follows may refer to."""
        place = ctypes.create_string_buffer(_WINDOW)
        size = ctypes.c_uint(_WINDOW)
        self._library.inflateGetDictionary(ctypes.byref(self._stream), place, ctypes.byref(size))
        return place.raw[: size.value]
