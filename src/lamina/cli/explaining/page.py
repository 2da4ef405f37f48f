"""Where a story is written: steps, paragraphs, documents and commands, wrapped to the terminal."""

from __future__ import annotations

import os

from lamina.cli.errors import printable
from lamina.cli.explaining.terms import TERMS, mentioned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TextIO

    from lamina.cli.context import Context

__all__ = ["NARROWEST", "Page"]

NARROWEST = 40
_WIDEST = 100
_USUAL = 80
_DOCUMENT_LINES = 24
_SLACK = 10
_BOLD, _DIM, _COLOUR, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[31m", "\x1b[0m"
_LEAD = "   "


class Page:
    """Text on one stream. A term of the glossary is explained after the paragraph that first has it.

    `width` 0 is the terminal's, at most 100; `brief` leaves out paragraphs, documents and terms; with
    `pause` each step waits for Enter, where both the stream and `keys` are terminals.
    Nothing that comes from a document or a registry can move the cursor.
    """

    def __init__(
        self,
        context: Context,
        stream: TextIO,
        *,
        width: int = 0,
        brief: bool = False,
        pause: bool = False,
    ) -> None:
        self._stream = stream
        self._keys = context.stdin
        self.brief = brief
        is_terminal = stream.isatty()
        self.width = max(width, NARROWEST) if width else min(_columns(stream), _WIDEST)
        environ = context.environ
        self._colour = (
            is_terminal and not environ.get("NO_COLOR") and environ.get("TERM", "") != "dumb"
        )
        self._pauses = pause and is_terminal and self._keys.isatty()
        encoding = (getattr(stream, "encoding", "") or "utf-8").lower().replace("-", "")
        self.unicode = encoding == "utf8"
        self._step = 0
        self._explained: set[str] = set()
        if pause and not self._pauses:
            self._write("(--pause is for a terminal: going on without)")

    # steps

    def step(self, title: str) -> None:
        """Begin the next step, after a pause where one is wanted."""
        if self._step:
            self._wait()
            self._write("")
        self._step += 1
        self._write(self._paint(_BOLD, f"{self._step}  {printable(title)}"))

    def say(self, text: str) -> None:
        """Write a paragraph, and what its new terms mean; nothing when brief."""
        if not self.brief:
            self.fact(text)

    def fact(self, text: str) -> None:
        """Write a paragraph, also when brief."""
        for line in _wrapped(printable(text), self.width - len(_LEAD)):
            self._write(_LEAD + line)
        if not self.brief:
            self._gloss(text)

    def value(self, label: str, value: str) -> None:
        """Write a label and, whole, the value that it is about: on a line of its own where it is long."""
        whole = f"{label}: {printable(value)}"
        if len(whole) <= self.width - len(_LEAD):
            self._write(_LEAD + whole)
            return
        self._write(f"{_LEAD}{label}:")
        for line in _folded(printable(value), self.width - len(_LEAD) - 2, ""):
            self._write(f"{_LEAD}  {line}")

    def rows(self, rows: Iterable[Sequence[str]], *, mark: int = -1) -> None:
        """Write columns; the row with the number `mark` stands out.

        Where there is no room digests are cut short, and the last column is folded.
        """
        cells = [_stripped([printable(cell) for cell in row]) for row in rows]
        room = self.width - len(_LEAD) - 2
        if _width_of(cells) > room:
            cells = [[_short(cell, self.unicode) for cell in row] for row in cells]
        widths = _widths(cells)
        for number, row in enumerate(cells):
            *leading, last = row or [""]
            lead = "".join(
                f"{cell:<{width}}  " for cell, width in zip(leading, widths, strict=False)
            )
            left = room - len(lead)
            if len(last) > left and left < NARROWEST // 2:
                lines = [lead.rstrip(), *("    " + line for line in _folded(last, room - 4, ""))]
            else:
                first, *rest = _folded(last, left, "")
                lines = [lead + first, *(" " * len(lead) + line for line in rest)]
            for line in lines:
                text = f"{_LEAD}  {line}".rstrip()
                self._write(self._paint(_BOLD, text) if number == mark else text)

    def exchange(self, arrow: str, text: str) -> None:
        """Write what was sent (`→`) or what came back (`←`)."""
        sign = arrow if self.unicode else {"→": "->", "←": "<-"}[arrow]
        lead = f"{_LEAD}  {sign} "
        room = self.width - len(lead)
        for number, line in enumerate(_folded(self._fitted(printable(text), room), room, "")):
            start = lead if number == 0 else " " * len(lead)
            painted = self._paint(_COLOUR, line) if arrow == "→" else line
            self._write(start + painted)

    def tree(self, branch: str, note: str = "") -> None:
        """Write a line of a drawing, with a note at its end."""
        room = self.width - len(_LEAD) - 2
        text, note = printable(branch), printable(note)
        whole = f"{text}  {note}" if note else text
        if len(whole) > room:
            text = _short(text, self.unicode)
            whole = f"{text}  {note}" if note else text
        cut = whole[: room - 1] + ("…" if self.unicode else "~") if len(whole) > room else whole
        dim = self._paint(_DIM, cut[len(text) :]) if len(cut) > len(text) else ""
        self._write(f"{_LEAD}  {cut[: len(text)]}{dim}")

    def document(self, value: Any, *, whole: bool = False) -> None:  # noqa: ANN401 - any JSON
        """Write a JSON document for people to look at, cut after a screenful; nothing when brief."""
        if self.brief:
            return
        from lamina.spec.wire import encode_pretty

        lines = printable(encode_pretty(value, indent=2)).split("\n")
        most = len(lines) if whole or len(lines) <= _DOCUMENT_LINES + _SLACK else _DOCUMENT_LINES
        for line in lines[:most]:
            indent = " " * (len(line) - len(line.lstrip()))
            room = self.width - len(_LEAD) - 2
            for part in _folded(self._fitted(line, room), room, indent + "    "):
                self._write(self._paint(_DIM, f"{_LEAD}  {part}"))
        if left := len(lines) - most:
            self._write(
                f"{_LEAD}  {'…' if self.unicode else '...'} {left} more line{'s' * (left > 1)}"
            )

    def command(self, words: str, result: str = "") -> None:
        """Write a command that the reader can type, whole and on one line, and what it will print."""
        self._write(f"{_LEAD}  {self._paint(_COLOUR, f'$ {printable(words)}')}")
        for line in printable(result).splitlines():
            self._write(f"{_LEAD}  {line}")

    def trouble(self, text: str) -> None:
        """Write a heading of what went wrong; it is no step."""
        self._write("")
        self._write(self._paint(_RED, printable(text)))

    def plain(self, text: str = "") -> None:
        """Write a line as it is, but for control characters."""
        self._write(printable(text))

    # below

    def _gloss(self, text: str) -> None:
        """Say what the terms mean that come up here for the first time."""
        for term in mentioned(text):
            if term in self._explained:
                continue
            self._explained.add(term)
            sign = "·" if self.unicode else "*"
            lines = _wrapped(f"{term}: {TERMS[term]}", self.width - len(_LEAD) - 2)
            for number, line in enumerate(lines):
                lead = f"{_LEAD}{sign} " if number == 0 else f"{_LEAD}  "
                self._write(self._paint(_DIM, lead + line))

    def _fitted(self, text: str, room: int) -> str:
        return text if len(text) <= room else _short(text, self.unicode)

    def _paint(self, code: str, text: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._colour else text

    def _write(self, line: str) -> None:
        if not self.unicode:
            line = line.translate(_ASCII).encode("ascii", "backslashreplace").decode()
        self._stream.write(line + "\n")
        self._stream.flush()

    def _wait(self) -> None:
        """Wait for a line from the terminal: empty goes on, `q` or the end goes on without pauses."""
        if not self._pauses:
            return
        self._stream.write(self._paint(_DIM, "   -- Enter: next step, q Enter: no more pauses -- "))
        self._stream.flush()
        typed = os.read(self._keys.fileno(), 4096)  # a terminal gives a line; none is kept back
        if not typed or typed.strip().lower().startswith(b"q"):
            self._pauses = False
            if not typed:
                self._write("")


_ASCII = {0x2026: "...", 0x00B7: "*", 0x2192: "->", 0x2190: "<-", 0x2713: "ok", 0x2014: "-"}


def _stripped(row: list[str]) -> list[str]:
    """Leave out empty cells at the end."""
    while len(row) > 1 and not row[-1]:
        row = row[:-1]
    return row


def _widths(cells: list[list[str]]) -> list[int]:
    """Give how wide each column is; the last cell of a row has no say."""
    count = max((len(row) for row in cells), default=0)
    return [
        max((len(row[at]) for row in cells if at < len(row) - 1), default=0) for at in range(count)
    ]


def _width_of(cells: list[list[str]]) -> int:
    widths = _widths(cells)
    return max(
        (sum(widths[: len(row) - 1]) + 2 * (len(row) - 1) + len(row[-1]) for row in cells if row),
        default=0,
    )


def _short(text: str, unicode: bool) -> str:
    """Cut digests to the 12 characters that people know them by."""
    import re

    return re.sub(r"(sha\d+:[0-9a-f]{12})[0-9a-f]{52,}", r"\1…" if unicode else r"\1...", text)


def _columns(stream: TextIO) -> int:
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, NARROWEST)
    except (AttributeError, OSError, ValueError):
        return _USUAL


def _wrapped(text: str, width: int) -> list[str]:
    """Break at blanks; a word longer than a line is broken, too."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > width:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
            while len(line) > width:
                lines.append(line[:width])
                line = line[width:]
        lines.append(line)
    return lines


def _folded(text: str, width: int, indent: str) -> list[str]:
    """Break a line wherever it has to be, at a blank or a comma where there is one near the edge."""
    if len(text) <= width:
        return [text]
    room = max(width - len(indent), NARROWEST // 2)
    lines: list[str] = []
    rest, most = text, width
    while len(rest) > most:
        cut = max(rest.rfind(sign, most * 2 // 3, most) for sign in (" ", ",", "/", "&")) + 1
        cut = cut or most
        lines.append(rest[:cut].rstrip() if not lines else indent + rest[:cut].rstrip())
        rest, most = rest[cut:].lstrip(), room
    lines.append(indent + rest)
    return lines
