"""Tars, read and written: what other packages need of them."""

from lamina.layer.parser import TarParser
from lamina.layer.pax import TarInvalid
from lamina.layer.writer import TarWriter, write_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.entry import Entry
    from lamina.stream.verify import Readable

__all__ = ["TarInvalid", "TarParser", "TarWriter", "read_entries", "write_header"]

_READ = 1024 * 1024


def read_entries(stream: "Readable") -> "Iterator[Entry]":
    """Give the entries of an uncompressed tar stream, in its order; reads to the last byte.

    Raises: TarInvalid, EntryInvalid.
    """
    parser = TarParser()
    while data := stream.read(_READ):
        yield from parser.feed(data)
    parser.finish()
