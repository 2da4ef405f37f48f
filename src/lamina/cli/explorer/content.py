"""What is in a file, in lines for a terminal: as text, or as bytes. Only the beginning of a long one."""

from __future__ import annotations

from lamina.cli.explorer.lines import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.explorer.lines import Line
    from lamina.layer.node import Node

__all__ = ["LIMIT", "content_lines", "is_text"]

LIMIT = 256 * 1024
"""Bytes that are read."""

_TAB = 8
_ACROSS = 16
_NARROW = 8
_WIDE = 78  # columns that a line of 16 bytes takes
_PROBE = 8192


def is_text(data: bytes) -> bool:
    """Tell whether bytes look like a text: UTF-8 without NUL. The last letter may be cut off."""
    probe = data[:_PROBE]
    if b"\0" in probe:
        return False
    try:
        probe.decode()
    except UnicodeDecodeError as error:
        return error.start > len(probe) - 4 and len(data) > _PROBE
    return True


def content_lines(node: Node, *, as_bytes: bool | None, columns: int, unicode: bool) -> list[Line]:
    """Read a file's beginning and lay it out; `as_bytes` of None decides by what it looks like.

    Control characters do not get through. Raises: Corrupt.
    """
    data = node.layer.read(node, 0, LIMIT)
    if as_bytes is None:
        as_bytes = not is_text(data)
    lines = _hex(data, columns) if as_bytes else _text(data, unicode=unicode)
    if not data:
        lines = [[("(empty)", "dim")]]
    if node.size > len(data):
        more = f"(the first {len(data):,} of {node.size:,} bytes; lamina cat shows all)"
        lines.append([(more, "dim")])
    return lines


def _text(data: bytes, *, unicode: bool) -> list[Line]:
    text = data.decode("utf-8", "replace")
    # Only what ends a line of a text file does: form feeds and the like would hide in splitlines.
    rows = text.removesuffix("\n").split("\n")
    return [
        [(harmless(row.removesuffix("\r").expandtabs(_TAB), unicode=unicode), "")] for row in rows
    ]


def _hex(data: bytes, columns: int) -> list[Line]:
    across = _ACROSS if columns >= _WIDE else _NARROW
    lines: list[Line] = []
    for at in range(0, len(data), across):
        row = data[at : at + across]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII
        lines.append(
            [(f"{at:08x}  ", "dim"), (f"{row.hex(' '):<{across * 3}} ", ""), (shown, "cyan")]
        )
    return lines
