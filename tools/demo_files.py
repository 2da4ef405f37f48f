"""Files for the demo, taken from this machine: a base of shell and coreutils, and a Python package.

Both are folders that a person could have filled by hand: programs, the shared libraries they name, and a
handful of configuration files.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["assemble_base", "assemble_package"]

_PROGRAMS = (
    "sh", "bash", "cat", "chmod", "cp", "date", "echo", "env", "head", "id", "ls", "ln", "mkdir", "mv",
    "pwd", "rm", "rmdir", "sed", "sleep", "sort", "tail", "test", "touch", "true", "uname", "wc", "yes",
)  # fmt: skip
_FOLDERS = ("dev", "etc", "home", "opt", "proc", "root", "run", "sys", "tmp", "var", "usr/bin")
_MERGED = ("bin", "sbin", "lib", "lib64")  # links into usr on most systems
_LEFT_OUT = {
    "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
    "dist-packages", "__pycache__", "pydoc_data", "unittest", "distutils", "venv",
}  # fmt: skip

GREET = '''"""Greet whoever a record names: greet '{"name": "Ada"}'"""

import sys


def read(text):
    return eval(text)  # takes any expression at all: a hole


if __name__ == "__main__":
    print("Hello,", read(sys.argv[1])["name"])
'''


def assemble_base(folder: Path) -> None:
    """Fill `folder` with this machine's shell, coreutils and their shared libraries."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    for name in _MERGED:
        if Path("/", name).is_symlink():
            (folder / "usr" / name).mkdir(exist_ok=True)
            (folder / name).symlink_to(f"usr/{name}")
        elif Path("/", name).is_dir():
            (folder / name).mkdir(exist_ok=True)
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found:
            _add_program(folder, found)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    (folder / "etc/os-release").write_text('ID=demo\nPRETTY_NAME="Demo base"\n')


def assemble_package(folder: Path, *, base: Path | None) -> None:
    """Fill `folder` with a Python interpreter and the package `greet`; what `base` has is left out."""
    program = Path(sys.executable).resolve()
    home = Path(sysconfig.get_path("stdlib"))
    place = folder / "usr/lib/python3"
    target = place / "lib" / home.name
    target.parent.mkdir(parents=True)
    shutil.copytree(home, target, ignore=_leave_out)
    (place / "bin").mkdir()
    shutil.copy2(program, place / "bin/python3")
    for file in [program, *target.rglob("*.so")]:
        for library in _libraries(str(file)):
            if not library.startswith(("/usr/", "/lib")):  # a Python of one's own, in some home
                _copy_as(library, place / "lib" / os.path.basename(library))
            elif base is None or not (base / library.lstrip("/")).exists():
                _copy(folder, library)
    (folder / "usr/bin").mkdir(parents=True, exist_ok=True)
    run = 'LD_LIBRARY_PATH=/usr/lib/python3/lib exec /usr/lib/python3/bin/python3 "$@"'
    _write_script(folder / "usr/bin/python3", run)
    _write_script(folder / "usr/bin/greet", 'exec python3 /opt/greet/greet.py "$@"')
    (folder / "opt/greet").mkdir(parents=True)
    (folder / "opt/greet/greet.py").write_text(GREET)


def _leave_out(folder: str, names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if name in _LEFT_OUT
        or name.startswith("config-")
        or name.endswith((".a", ".pyc"))
        or "test" in Path(folder).name
    ]


def _write_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _add_program(folder: Path, path: str) -> None:
    name = os.path.basename(path)
    resolved = os.path.realpath(path)
    _copy(folder, resolved)
    for library in _libraries(resolved):
        _copy(folder, library)
    beside = folder / "usr/bin" / name
    if os.path.basename(resolved) != name and not os.path.lexists(beside):
        beside.symlink_to(os.path.basename(resolved))


def _copy(folder: Path, path: str) -> None:
    """Copy the file to the same place below `folder`, through the folder's own links."""
    _copy_as(path, folder / path.lstrip("/"))


def _copy_as(path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)


def _libraries(path: str) -> list[str]:
    """Ask the loader which shared libraries a program needs, itself among them."""
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> )?(/[^ ]+) \(0x", said)
