"""Names of files on a terminal: quoted as GNU ls does, so that none can move the cursor.

Names come from images, whoever made them, and may be any bytes. What comes out can be pasted into
a shell and means the same name there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["columns", "path_fields", "quoted", "width"]

_SPECIAL = frozenset(' !"$&()*;<=>?[\\]^`|')
_SPECIAL_ALONE = ("{", "}")
_SPECIAL_FIRST = ("#", "~")
_NO_DOUBLE = frozenset('!"$\\`')
_LETTERS = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r"}
_GAP = 2


def quoted(name: bytes, *, unicode: bool = True) -> str:
    """Give `name` as a shell would read it back, free of control characters.

    Without `unicode` everything beyond ASCII is escaped, too.
    """
    text = name.decode("utf-8", "surrogateescape")
    if name and all(_is_printable(letter, unicode=unicode) for letter in text):
        if not _needs_quotes(text):
            return text
        if "'" not in text:
            return f"'{text}'"
        if not _NO_DOUBLE & set(text):
            return f'"{text}"'
    return _escaped(text, unicode=unicode)


def path_fields(path: bytes) -> dict[str, str]:
    """Give what JSON says of a path (relative, normal): with a slash, and in hexadecimal without.

    The latter only of what is not UTF-8, which JSON has no letters for.
    """
    text = path.decode("utf-8", "replace")
    return (
        {"path": f"/{text}"}
        if text.encode() == path
        else {"path": f"/{text}", "path_hex": path.hex()}
    )


def _is_printable(letter: str, *, unicode: bool) -> bool:
    return letter.isprintable() and (unicode or letter.isascii())


def _needs_quotes(text: str) -> bool:
    return (
        "'" in text
        or bool(_SPECIAL & set(text))
        or text in _SPECIAL_ALONE
        or text.startswith(_SPECIAL_FIRST)
    )


def _escaped(text: str, *, unicode: bool) -> str:
    """Quote with `'...'`, what cannot be printed with `$'...'`."""
    parts = ["'"]
    escaping = False
    for letter in text:
        printable = _is_printable(letter, unicode=unicode)
        if not printable:
            if not escaping:
                parts.append("'$'")
            parts += [
                "\\" + (_LETTERS.get(byte) or f"{byte:03o}")
                for byte in letter.encode("utf-8", "surrogateescape")
            ]
        else:
            if escaping:
                parts.append("''")
            parts.append("'\\''" if letter == "'" else letter)
        escaping = not printable
    return "".join([*parts, "'"])


def width(text: str) -> int:
    """Count the columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def columns(names: Sequence[str], room: int) -> list[str]:
    """Lay out `names` in as many columns as `room` takes, filled downwards, one string a line."""
    widths = [width(name) for name in names]
    least = (sum(widths) + _GAP * len(names)) // (room + _GAP)
    for rows in range(min(max(1, least), len(names)) or 1, len(names) + 1):
        across = [max(widths[at : at + rows]) for at in range(0, len(names), rows)]
        if sum(across) + _GAP * (len(across) - 1) <= room or rows == len(names):
            return [_line(names, widths, row, rows, across) for row in range(rows)]
    return []


def _line(
    names: Sequence[str], widths: Sequence[int], row: int, rows: int, across: Sequence[int]
) -> str:
    line = ""
    for column, room in enumerate(across):
        at = column * rows + row
        if at >= len(names):
            break
        is_last = at + rows >= len(names)
        line += names[at] + ("" if is_last else " " * (room - widths[at] + _GAP))
    return line
