"""Unpacking among enemies: whatever a tar says and whoever meddles, nothing outside is touched."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.images import Piece, tar
from tests.layer.trees import tar_of
from tests.soaking import sized

from lamina.engine.unpack import unpack
from lamina.errors import LaminaError
from lamina.layer.entry import Entry, Kind
from lamina.stream.files import remove_tree


class Prison:
    """A container's root, and beside it what must never change."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.outside = folder / "outside"
        for one in (self.root, self.outside, self.outside / "folder"):
            one.mkdir()
        (self.outside / "victim").write_text("safe")
        (self.outside / "victim").chmod(0o640)
        os.utime(self.outside / "victim", ns=(5, 5))
        self.before = self.facts()

    def facts(self) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for path in sorted(self.outside.rglob("*")):
            status = path.lstat()
            body = path.read_bytes() if path.is_file() else b""
            found.append(
                (path, status.st_mode, status.st_uid, status.st_mtime_ns, status.st_nlink, body)
            )
        return found

    def put(self, data: bytes, *, rooted: bool) -> None:
        target = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            unpack(io.BytesIO(data), target, root=target if rooted else -1, base="/", owners=True)
        finally:
            os.close(target)


@pytest.fixture
def prison(tmp_path: Path) -> Iterator[Prison]:
    made = Prison(tmp_path)
    yield made
    assert made.facts() == made.before
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]


def link(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


def file(path: bytes) -> tuple[Entry, bytes]:
    return Entry(path, Kind.FILE, 0o4777, 1, 1), b"owned"


def attacks(outside: bytes) -> dict[str, list[Entry | tuple[Entry, bytes]]]:
    up = b"../outside"
    return {
        "symlink parent": [link(b"s", up), file(b"s/victim")],
        "absolute symlink parent": [link(b"s", outside), file(b"s/victim")],
        "chain": [link(b"a", b"b"), link(b"b", b"c"), link(b"c", up), file(b"a/victim")],
        "loop": [link(b"a", b"b"), link(b"b", b"a"), file(b"a/x")],
        "dots": [file(b"a/../../outside/victim")],
        "absolute": [file(outside + b"/victim")],
        "symlink replaced by itself": [link(b"s", up + b"/victim"), file(b"s")],
        "folder over symlink": [link(b"s", up), Entry(b"s", Kind.DIRECTORY, 0o777), file(b"s/victim")],
        "hard link out": [Entry(b"h", Kind.HARDLINK, link=b"../outside/victim"), file(b"h")],
        "hard link through symlink": [
            link(b"s", up), Entry(b"h", Kind.HARDLINK, link=b"s/victim"), file(b"h"),
        ],
        "hard link to symlink": [
            link(b"s", outside + b"/victim"), Entry(b"h", Kind.HARDLINK, 0o4777, link=b"s"), file(b"h"),
        ],
        "folder to symlink": [
            Entry(b"d", Kind.DIRECTORY, 0o755), link(b"d", up), file(b"d/victim"),
        ],
        "odd names": [file(b"new\nline"), file(b"\x1b[2J"), file(b"-rf"), file(b" "), file(b"\xff")],
        "whiteouts are names": [file(b".wh..wh..opq/x"), file(b".wh.."), file(b".wh...")],
        "devices": [Entry(b"disk", Kind.BLOCK, 0o666, device=(8, 0)), Entry(b"p", Kind.FIFO, 0o666)],
        "symlink to a device": [link(b"s", b"/dev/null"), file(b"s")],
    }  # fmt: skip


@pytest.mark.parametrize("rooted", [True, False], ids=["rooted", "bare"])
@pytest.mark.parametrize("name", sorted(attacks(b"")))
def test_no_entry_reaches_outside(prison: Prison, name: str, rooted: bool):
    items = attacks(os.fsencode(prison.outside))[name]
    with suppress(LaminaError):
        prison.put(tar_of(items), rooted=rooted)


@contextmanager
def meddler(code: str, folder: Path) -> Iterator[None]:
    """A process that changes things under our hands until it is ended."""
    program = "import os, sys\nos.chdir(sys.argv[1])\nprint('on', flush=True)\nwhile True:\n"
    program += "".join(f"    {line}\n" for line in code.splitlines())
    with subprocess.Popen(
        [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


MEDDLING = {
    "a symlink in place of what was just made": """
try: os.symlink(target, 'new'); os.rename('new', 'f')
except OSError: pass
""",
    "a symlink in place of a folder": """
try: os.rename('d', 'kept'); os.symlink(folder, 'd'); os.unlink('d'); os.rename('kept', 'd')
except OSError: pass
""",
    "a folder moved away": """
try: os.rename('d/e', 'away'); os.rename('away', 'd/e')
except OSError: pass
""",
}


@pytest.mark.parametrize("how", sorted(MEDDLING))
@pytest.mark.parametrize("rooted", [True, False], ids=["rooted", "bare"])
def test_no_race_leads_outside(prison: Prison, how: str, rooted: bool):
    (prison.root / "d" / "e").mkdir(parents=True)
    victim, folder = prison.outside / "victim", prison.outside / "folder"
    code = (
        MEDDLING[how]
        .strip()
        .replace("target", repr(str(victim)))
        .replace("folder", repr(str(folder)))
    )
    data = tar_of([
        file(b"f"), Entry(b"d/e", Kind.DIRECTORY, 0o2777, 1, 1), file(b"d/e/f"), file(b"d/victim"),
        Entry(b"f", Kind.FIFO, 0o4777, 1, 1),
    ])  # fmt: skip
    with meddler(code, prison.root):
        for _ in range(sized(150, 20_000)):
            with suppress(LaminaError, OSError):  # the other one was in the way: no matter
                prison.put(data, rooted=rooted)
    assert prison.facts() == prison.before


def test_a_path_of_two_thousand_folders_is_made(prison: Prison):
    path = "/".join(["d"] * 2000) + "/f"
    prison.put(tar([Piece(path, b"deep")]), rooted=True)
    top = os.open(prison.root, os.O_RDONLY)  # with the folder before it, no path goes that deep
    found = os.open(path, os.O_RDONLY, dir_fd=top)
    assert os.read(found, 10) == b"deep"
    os.close(found)
    os.close(top)
    remove_tree(str(prison.root / "d"))  # deeper than shutil goes


def test_a_path_longer_than_the_kernel_takes_is_said(prison: Prison):
    with pytest.raises(LaminaError, match="cannot unpack into"):
        prison.put(tar([Piece("/".join(["d"] * 4000), b"deep")]), rooted=True)
