"""Help in Docker's layout: usage, what it does, aliases, options in columns."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.cli.flags import Command, Flag

__all__ = ["command_help", "command_list", "flag_list", "usage_words"]

_SLOP = 5
_NARROW = 24
_NARROW_INDENT = 16


def command_help(command: Command, path: str, aliases: Sequence[str], *, width: int = 80) -> str:
    """Write the help of `command` as it was called: `path` is `image ls` or `images`."""
    parts = [f"Usage:  {usage_words(command, path)}", "", command.description]
    if len(aliases) > 1:
        parts += ["", "Aliases:", "  " + ", ".join(f"lamina {alias}" for alias in aliases)]
    if any(not flag.hidden for flag in command.flags):
        parts += ["", "Options:", flag_list(command.flags, width=width)]
    return "\n".join(parts) + "\n"


def usage_words(command: Command, path: str) -> str:
    """Write `lamina image ls [OPTIONS]`, with the words the command was called by."""
    return f"lamina {path}" + command.usage.removeprefix(f"lamina {command.name}")


def flag_list(flags: Iterable[Flag], *, width: int = 80) -> str:
    """Write the options one below the other, sorted by name, wrapped to `width` columns."""
    rows = [
        (_flag_words(flag), flag.help + _default_words(flag))
        for flag in sorted(flags, key=lambda flag: flag.name)
        if not flag.hidden
    ]
    column = max(len(left) for left, _ in rows) + 3
    return "\n".join(left.ljust(column) + _wrap(text, column, width - 1) for left, text in rows)


def command_list(commands: Iterable[tuple[str, str]], *, width: int = 12) -> str:
    """Write `  name        summary` lines."""
    rows = list(commands)
    width = max([width, *(len(name) + 1 for name, _ in rows)])
    return "\n".join(f"  {name:<{width}}{summary}" for name, summary in rows)


def _flag_words(flag: Flag) -> str:
    short = f"  -{flag.short}, " if flag.short else "      "
    return f"{short}--{flag.name}" + (f" {flag.value}" if flag.value else "")


def _default_words(flag: Flag) -> str:
    if not flag.default or flag.default == flag.kind.zero:
        return ""
    if flag.default is True:
        return " (default true)"
    if isinstance(flag.default, str):
        return f' (default "{flag.default}")'
    return f" (default {flag.default})"


def _wrap(text: str, indent: int, width: int) -> str:
    """Break `text` into lines that begin at `indent`; a few letters may stand over the edge."""
    room = width - indent
    lead = ""
    if room < _NARROW:
        indent, lead = _NARROW_INDENT, "\n" + " " * _NARROW_INDENT
        room = width - indent
    if room < _NARROW:
        return text.replace("\n", "\n" + " " * indent)
    lines = [line for paragraph in text.split("\n") for line in _lines(paragraph, room - _SLOP)]
    return lead + ("\n" + " " * indent).join(lines)


def _lines(text: str, room: int) -> list[str]:
    lines = []
    while len(text) > room + _SLOP:
        cut = text.rfind(" ", 0, room)
        if cut <= 0:
            break
        lines.append(text[:cut])
        text = text[cut + 1 :]
    return [*lines, text]
