"""gzip by isal in blocks of half a MiB, each deflated by itself: by several threads, where there are some.

All of it is one gzip member, so every client reads it. A block begins on a whole byte and may refer to the
32 KiB before it, as pigz does it. Cut at the same places whatever the pieces are that come in, the same
bytes give the same blob, with any number of threads. Spec: RFC 1951, RFC 1952.
"""

from _queue import SimpleQueue  # `queue` itself loads what only its other classes need
from collections import deque
from threading import Event, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["GzipBlocks"]

_BLOCK = 512 * 1024
_WINDOW = 32 * 1024  # how far back deflate can refer
_RAW = -15  # zlib's way of saying: no header, window of 32 KiB
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time, no system
_LAST = b"\x03\0"  # an empty last block
_MEMORY = 3  # of 9: isal adapts its codes more often then, for a hundredth fewer bytes
_AHEAD = 2  # blocks that may wait for each thread


class _Block:
    """One block, with what came before it; `packed` once `done`."""

    def __init__(self, plain: bytes, before: bytes) -> None:
        self.plain = plain
        self.before = before
        self.packed = b""
        self.failure: BaseException | None = None
        self.done = Event()


class GzipBlocks:
    """A `Compressor` on isal's module `isal` at `level`, in `workers` threads; with 0 in the caller's.

    The threads end with `flush`, or with the object.
    """

    def __init__(self, isal: "ModuleType", level: int, *, workers: int = 0) -> None:
        self._isal = isal
        self._level = level
        self._workers = workers
        self._threads: list[Thread] = []
        self._work: SimpleQueue[_Block | None] = SimpleQueue()
        self._under_way: deque[_Block] = deque()
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._before = b""
        self._crc = 0
        self._size = 0
        self._head = _HEAD

    def __del__(self) -> None:
        self._end()

    def compress(self, data: "bytes | memoryview", /) -> bytes:
        """Take `data`; give what is ready, maybe nothing."""
        self._crc = self._isal.crc32(data, self._crc)
        self._size += len(data)
        self._pending.append(bytes(data))
        self._pending_size += len(data)
        ready = [self._head]
        self._head = b""
        if self._pending_size >= _BLOCK:
            held = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            whole = len(held) - len(held) % _BLOCK
            ready += [self._begin(held[at : at + _BLOCK]) for at in range(0, whole, _BLOCK)]
            rest = held[whole:]
            self._pending, self._pending_size = [rest] if rest else [], len(rest)
        return b"".join(ready)

    def flush(self) -> bytes:
        """End the stream and give the rest."""
        ready = [self._head, self._begin(b"".join(self._pending))]
        ready += [self._taken() for _ in range(len(self._under_way))]
        self._end()
        self._pending, self._head = [], b""
        trailer = self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return b"".join([*ready, _LAST, trailer])

    def _begin(self, plain: bytes) -> bytes:
        """Have a block compressed; give those before it that are ready."""
        block = _Block(plain, self._before)
        self._before = plain[-_WINDOW:]
        if not self._workers:
            return _deflated(self._isal, self._level, block)
        if len(self._threads) < self._workers:
            arguments = (self._isal, self._level, self._work)
            thread = Thread(target=_deflate, args=arguments, name="deflate", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._under_way.append(block)
        self._work.put(block)
        ready = []
        while self._under_way and (
            self._under_way[0].done.is_set() or len(self._under_way) > _AHEAD * self._workers
        ):
            ready.append(self._taken())
        return b"".join(ready)

    def _taken(self) -> bytes:
        block = self._under_way.popleft()
        block.done.wait()
        if block.failure is not None:
            self._end()  # its traceback keeps us alive
            raise block.failure
        return block.packed

    def _end(self) -> None:
        for _ in self._threads:
            self._work.put(None)
        self._threads.clear()


def _deflated(isal: "ModuleType", level: int, block: _Block) -> bytes:
    if not block.plain:
        return b""
    known = {"zdict": block.before} if block.before else {}
    machine = isal.compressobj(level, isal.DEFLATED, _RAW, _MEMORY, **known)
    packed: bytes = machine.compress(block.plain) + machine.flush(isal.Z_SYNC_FLUSH)
    return packed


def _deflate(isal: "ModuleType", level: int, work: "SimpleQueue[_Block | None]") -> None:
    """Work off blocks; a thread's whole life."""
    while (block := work.get()) is not None:
        try:
            block.packed = _deflated(isal, level, block)
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits for the block
            block.failure = error
        block.plain = b""
        block.done.set()
        del block  # nothing is held while there is nothing to do
