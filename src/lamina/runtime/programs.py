"""Find other people's programs. `shutil` brings three compressors along, which costs each `run` 2 ms."""

import os

__all__ = ["which"]

_SYSTEM = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where administrators' programs are; a plain user's PATH often lacks them."""


def which(name: str, *further: str) -> str:
    """Give the path of a program in PATH, the system's folders or `further` ones; else nothing."""
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *_SYSTEM, *further]
    for folder in filter(None, folders):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""
