"""Tars made to exhaust a machine, and a child process with bounded memory that seals them.

`python -m tests.layer.bombs NAME COUNT FOLDER LIMIT` prints one JSON document: what came of it, and the
peak of memory. The tars come in pieces, so that making one costs no memory either.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from lamina.errors import LaminaError
from lamina.layer.apply import unpack
from lamina.layer.entry import Entry, Kind
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.layer.writer import write_header
from lamina.spec.digest import Digest
from lamina.stream.files import remove_tree

__all__ = ["BOMBS", "explode"]

_MIB = 1 << 20
_ROOT = write_header(Entry(b"", Kind.DIRECTORY, 0o755))
_DIGEST = Digest.of(b"")

Pieces = Iterator[bytes]


def _batched(parts: Iterator[bytes]) -> Pieces:
    batch: list[bytes] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += len(part)
        if size > _MIB:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


def record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    size = next(n for n in range(rest, rest + 12) if n == rest + len(str(n)))
    return b"%d %b=%b\n" % (size, key, value)


def header(letter: bytes, size: int, name: bytes = b"x") -> bytes:
    """Write a header by hand, with any type letter and size."""
    block = bytearray(write_header(Entry(name, Kind.FILE, size=size)))
    block[156:157] = letter
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def extended(letter: bytes, body: bytes) -> bytes:
    return header(letter, len(body)) + body + bytes(-len(body) % 512)


def named(path: bytes, kind: Kind = Kind.FILE) -> bytes:
    return write_header(Entry(path, kind))


def zeros(count: int) -> Pieces:
    """A file of `count` MiB of zeros."""
    yield _ROOT + write_header(Entry(b"zeros", Kind.FILE, size=count * _MIB))
    for _ in range(count):
        yield bytes(_MIB)


def entries(count: int) -> Pieces:
    """`count` files, each in one of many directories."""
    return _batched(chain([_ROOT], (named(b"d%d/f%d" % (n // 500, n)) for n in range(count))))


def names(count: int) -> Pieces:
    """One directory with `count` names."""
    return _batched(chain([_ROOT], (named(b"d/name-%d" % n) for n in range(count))))


def hard_links(count: int) -> Pieces:
    """One file with `count` names."""
    links = (
        write_header(Entry(b"l%d" % n, Kind.HARDLINK, link=b"l%d" % (n - 1) if n else b"f"))
        for n in range(count)
    )
    return _batched(chain([_ROOT, named(b"f")], links))


def links_that_wait(count: int) -> Pieces:
    """Hard links each of which comes before its target."""
    links = (
        write_header(Entry(b"l%d" % n, Kind.HARDLINK, link=b"l%d" % (n + 1))) for n in range(count)
    )
    return _batched(chain([_ROOT], links, [named(b"l%d" % count)]))


def deep(count: int) -> Pieces:
    """A file below `count` directories."""
    yield _ROOT + named(b"/".join([b"d"] * count))


def long_path(count: int) -> Pieces:
    """One path of `count` directories, in a header as large as any may be."""
    yield _ROOT + extended(b"x", record(b"path", b"a/" * count + b"f")) + named(b"x")


def long_paths(count: int) -> Pieces:
    """`count` paths, each through thousands of directories that are not listed."""
    return _batched(chain([_ROOT], (named(b"%d" % n + b"/a" * 8000) for n in range(count))))


def depth_by_symlinks(count: int) -> Pieces:
    """Symlinks that lead deeper and deeper, each through the one before."""
    for n in range(count):
        target = b"/".join([b"s%d" % (n - 1)] * (n > 0) + [b"d"] * 2000)
        yield write_header(Entry(b"s%d" % n, Kind.SYMLINK, link=target))
        yield named(b"s%d/f" % n)


def symlink_steps(count: int) -> Pieces:
    """Entries whose paths take many thousand steps each through symlinks that lead back."""
    back = b"d/../" * 800
    yield named(b"d", Kind.DIRECTORY)
    yield write_header(Entry(b"s0", Kind.SYMLINK, link=back + b"d"))
    for n in range(1, 39):
        yield write_header(Entry(b"s%d" % n, Kind.SYMLINK, link=back + b"s%d" % (n - 1)))
    yield from _batched(named(b"s38/%d/f" % n) for n in range(count))


def pax_header(count: int) -> Pieces:
    """An extended header of `count` MiB."""
    yield _ROOT + header(b"x", count * _MIB)
    for _ in range(count):
        yield b"a" * _MIB


def pax_headers(count: int) -> Pieces:
    """`count` extended headers of a MiB each before one entry."""
    body = record(b"comment", b"c" * (_MIB - 100))
    return chain([_ROOT], (extended(b"x", body) for _ in range(count)), [named(b"f")])


def pax_records(count: int) -> Pieces:
    """An extended header of `count` tiny records."""
    yield _ROOT + extended(b"x", b"".join(b"8 %03x=v\n" % (n % 4096) for n in range(count)))
    yield named(b"f")


def global_headers(count: int) -> Pieces:
    """`count` global records."""
    for n in range(count):
        yield extended(b"g", record(b"key%d" % n, b"v" * 1000))
    yield named(b"f")


def global_attributes(count: int) -> Pieces:
    """One global attribute that `count` files inherit."""
    yield extended(b"g", record(b"SCHILY.xattr.user.a", b"v" * 60_000))
    yield from _batched(named(b"%d" % n) for n in range(count))


def attributes(count: int) -> Pieces:
    """A file with `count` extended attributes."""
    body = b"".join(record(b"SCHILY.xattr.user.%d" % n, b"v") for n in range(count))
    yield _ROOT + extended(b"x", body) + named(b"f")


def many_attributes(count: int) -> Pieces:
    """`count` files with as large attributes as any may have."""
    body = b"".join(record(b"SCHILY.xattr.user.%d" % n, b"v" * 60_000) for n in range(4))
    head = extended(b"x", body)
    return chain([_ROOT], (head + named(b"f%d" % n) for n in range(count)))


def sparse_maps(count: int) -> Pieces:
    """`count` sparse files of a million pieces."""
    numbers = b"\n".join(b"%d\n1" % (2 * n) for n in range(1_000_000))
    body = b"1000000\n" + numbers + b"\n"
    body += bytes(-len(body) % 512) + bytes(1_000_000)
    head = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    head += record(b"GNU.sparse.realsize", b"2000000")
    for n in range(count):
        yield extended(b"x", head) + header(b"0", len(body), b"f%d" % n)
        yield body + bytes(-len(body) % 512)


def large_holes(count: int) -> Pieces:
    """`count` files of an exbibyte each, all hole."""
    head = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    head += record(b"GNU.sparse.realsize", b"%d" % (1 << 61))
    one = extended(b"x", head)
    for n in range(count):
        yield one + header(b"0", 512, b"f%d" % n) + b"0\n".ljust(512, b"\0")


def whiteouts(count: int) -> Pieces:
    """`count` whiteouts."""
    return _batched(chain([_ROOT], (named(b".wh.%d" % n) for n in range(count))))


BOMBS: dict[str, Callable[[int], Pieces]] = {
    made.__name__: made
    for made in (
        attributes, deep, depth_by_symlinks, entries, global_attributes, global_headers, hard_links,
        large_holes, links_that_wait, long_path, long_paths, many_attributes, names, pax_header,
        pax_headers, pax_records, sparse_maps, symlink_steps, whiteouts, zeros,
    )
}  # fmt: skip


def explode(pieces: Pieces, folder: Path, limit: int) -> dict[str, object]:
    """Seal a bomb and, if it is one that can be, read all of it back."""
    path = folder / "layer"
    sealer = Sealer(str(path), memory_limit=limit)
    try:
        for piece in pieces:
            sealer.write(piece)
        result = sealer.finish(_DIGEST)
    except LaminaError as error:
        sealer.abort()
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": str(error), "kinds": kinds}
    with SealedLayer.open(str(path)) as layer:
        layer.check()
        said = {"entries": result.entries, "blocks": os.stat(path).st_blocks * 512}
        said["seen"] = sum(1 for _ in Tree.of([layer]).walk())
        if said["seen"] < 10_000:
            target = folder / "unpacked"
            target.mkdir()
            unpack(layer, str(target), privileged=False, owners=False)
            said["unpacked"] = sum(item.lstat().st_blocks * 512 for item in target.iterdir())
            remove_tree(str(target))  # deeper than shutil goes
    return dict(said)


def main() -> None:
    name, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    limit = int(sys.argv[4])
    most = 3 * limit // 2 + 256 * _MIB  # packing the index takes half as much again
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    said = explode(BOMBS[name](count), folder, limit)
    status = Path("/proc/self/status").read_text(encoding="ascii")  # rusage counts the parent's too
    said["peak"] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
