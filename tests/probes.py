"""Asking the kernel from inside a container: a Python of this machine's, its folders bound read-only."""

import json

from tests.commands import Lamina

from lamina.spec.wire import encode

__all__ = ["PYTHON", "asked", "probe"]

_FOLDERS = {"/usr": "/usr", "/usr/lib": "/lib", "/usr/lib64": "/lib64"}
PYTHON = [word for here, inside in _FOLDERS.items() for word in ("-v", f"{here}:{inside}:ro")]
"""Flags that give a container /usr/bin/python3."""

_CALLS = """
import ctypes, json, os, sys
call = ctypes.CDLL(None, use_errno=True).syscall
found = {}
for name, number, args in json.loads(sys.argv[1])["calls"]:
    ctypes.set_errno(0)
    result = call(number, *[ctypes.c_ulong(a) for a in args])
    found[name] = ctypes.get_errno() if result == -1 else 0
print(json.dumps(found))
"""


def probe(lamina: Lamina, source: str, *words: str, flags: tuple[str, ...] = ()) -> str:
    """Run Python `source` with arguments `words` in a container of its own; give what it prints."""
    return lamina("run", "--rm", *PYTHON, *flags, "tiny", "/usr/bin/python3", "-c", source, *words)


def asked(
    lamina: Lamina, calls: list[tuple[str, int, tuple[int, ...]]], *, flags: tuple[str, ...] = ()
) -> dict[str, int]:
    """Make each call (name, number, arguments) inside; give its errno by name, 0 for success."""
    text = encode({"calls": calls}).decode()
    found: dict[str, int] = json.loads(probe(lamina, _CALLS, text, flags=flags))
    return found
