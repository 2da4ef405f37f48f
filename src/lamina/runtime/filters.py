"""System call filters as programs, compiled once per machine start and profile.

Compiling the default profile takes a shim 2.5 ms of CPU. A program is kept in the run folder's `filters`,
in a file that begins with all that it was made of: when and from which sources of ours, and the profile
itself. Where that differs in a byte, the file is damaged or another user's, the profile is compiled anew.
"""

import os
import sys
from binascii import b2a_base64, crc32
from contextlib import suppress

from lamina import spec
from lamina.spec.wire import Document, encode

__all__ = ["program"]

_COMPILER = "lamina.spec.filter_program"
_SOURCES = ("filter_program.py", "syscall_numbers.py")
_SUM = 8  # hexadecimal digits before the program


def program(profile: Document, run_root: str) -> bytes:
    """Give `profile` (runtime-spec `linux.seccomp`) as base64 of the program for this machine.

    `run_root` is ours alone to write, as all of it is trusted; empty to keep nothing. Not being able to
    is no error. Raises: FilterUnsupported.
    """
    made_of = _made_of(profile) if run_root else b""
    path = f"{run_root}/filters/{crc32(made_of):08x}"
    if made_of and (kept := _kept(path, made_of)):
        return kept
    # What was loaded before an upgrade did not come from the sources that are there now.
    fresh = _COMPILER not in sys.modules
    from lamina.spec.filter_program import compile_filter

    text = b2a_base64(compile_filter(profile, os.uname().machine), newline=False)
    if made_of and fresh:
        with suppress(OSError):
            _keep(path, b"%s%08x%s" % (made_of, crc32(text), text))
    return text


def _made_of(profile: Document) -> bytes:
    """Give all that the program depends on, one line; nothing where the sources cannot be seen."""
    facts: Document = {"machine": os.uname().machine}
    for name in _SOURCES:
        try:
            found = os.stat(f"{spec.__path__[0]}/{name}")
        except OSError:  # byte code alone
            return b""
        facts[name] = [found.st_mtime_ns, found.st_size]
    return b"%s\n" % encode({**facts, "profile": profile})


def _kept(path: str, made_of: bytes) -> bytes:
    """Read the program that was made of this; nothing where there is none, or a damaged one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        facts = os.fstat(fd)
        data = os.read(fd, facts.st_size) if facts.st_uid == os.geteuid() else b""
    finally:
        os.close(fd)
    head = len(made_of) + _SUM
    if not data.startswith(made_of) or len(data) <= head:
        return b""
    text = data[head:]
    return text if data[len(made_of) : head] == b"%08x" % crc32(text) else b""


def _keep(path: str, data: bytes) -> None:
    """Write the file whole or not at all; two at once write the same."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    beside = f"{path}.{os.urandom(4).hex()}~"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
