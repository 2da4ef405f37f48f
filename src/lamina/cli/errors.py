"""Failures in words and exit codes: the one table of the command line.

An error class may carry its own `exit_code` (run and exec use Docker's 125, 126 and 127).
"""

from __future__ import annotations

import errno
import sys

from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = [
    "BROKEN_PIPE",
    "INTERRUPTED",
    "CommandFailed",
    "GaveUp",
    "Interrupted",
    "exit_code",
    "printable",
    "report",
    "words",
]

INTERRUPTED = 130
BROKEN_PIPE = 141
_FAILED = 1

_SYSTEM = {
    errno.ENOSPC: ("no space left on device", "`lamina system df` shows what could go"),
    errno.EDQUOT: ("disk quota exceeded", "`lamina system df` shows what could go"),
    errno.EROFS: ("the file system is read-only", ""),
    errno.EACCES: ("permission denied", "try as another user, or with another LAMINA_ROOT"),
    errno.EPERM: ("operation not permitted", "this needs more rights than this user has"),
    errno.EFBIG: ("the file would be larger than allowed", "raise the limit with `ulimit -f`"),
    errno.EIO: ("the disk failed", "`dmesg` may say why; `lamina fsck` checks what is stored"),
    errno.EAGAIN: (
        "no more processes may be started, or threads",
        "`ulimit -u` tells your limit, `pids.max` the control group's",
    ),
    errno.EMFILE: ("too many open files", "raise the limit with `ulimit -n`"),
}


class CommandFailed(LaminaError):
    """A command that already said why and now ends with a code of its own."""

    def __init__(self, code: int) -> None:
        super().__init__("")
        self.exit_code = code


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a long command; the text says what became of what was done so far."""


class GaveUp(Interrupted):
    """A container that does not end for its signals is left to itself, with docker's exit code."""

    exit_code = _FAILED


def exit_code(error: BaseException) -> int:
    """Give the process's exit code for `error`."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    usual = INTERRUPTED if isinstance(error, KeyboardInterrupt) else _FAILED
    code = getattr(error, "exit_code", usual)
    return code if isinstance(code, int) else _FAILED


def words(error: BaseException) -> tuple[str, str]:
    """Give (what happened, what to do) of `error`; the second may be empty."""
    if isinstance(error, LaminaError):
        return error.message, error.hint
    if isinstance(error, OSError):
        what, hint = _SYSTEM.get(error.errno or 0, (error.strerror or str(error), ""))
        name = error.filename
        if isinstance(name, bytes):
            name = name.decode(errors="backslashreplace")
        return (f"{name}: {what}" if isinstance(name, str) else what), hint
    return f"{type(error).__name__}: {error}", "this is a bug: please report it with --debug"


def report(error: BaseException, stream: TextIO | None = None) -> int:
    """Say `error` on stderr in at most a few lines; give the exit code.

    Says nothing for a closed pipe and for `CommandFailed`; ends the line the terminal's ^C began.
    """
    stream = stream or sys.stderr
    if isinstance(error, Interrupted):
        start = "\n" if stream.isatty() else ""
        print(f"{start}lamina: interrupted; {error}", file=stream)
    elif isinstance(error, KeyboardInterrupt):
        print(file=stream)
    elif not isinstance(error, (BrokenPipeError, CommandFailed)):
        what, hint = words(error)
        print(f"lamina: {printable(what)}", file=stream)
        if hint:
            print(f"hint: {printable(hint)}", file=stream)
    return exit_code(error)


def printable(text: str) -> str:
    """Give `text` so that it cannot move the cursor: registries and helpers are quoted in it.

    Line ends and tabs stay; other control characters are written as Python would.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
