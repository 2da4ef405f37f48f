"""What a listing says of a file, with GNU ls and the kernel as judges."""

import os
import struct
import subprocess
from pathlib import Path

import pytest
from tests.layer.trees import sealed, tar_of

from lamina.cli.file_rows import FileRow, LongForm, Owners, document, human, mode_text, rfc3339
from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree

# u::rw-,u:7:r--,g::r--,m::r--,o::---
ACL = struct.pack("<I" + 5 * "HHI", 2, 1, 6, 2**32 - 1, 2, 4, 7, 4, 4, 2**32 - 1, 16, 4, 2**32 - 1,
                  32, 0, 2**32 - 1)  # fmt: skip
NOW = 1_800_000_000
PASSWD = b"root:x:0:0::/:/bin/sh\nbroken\nodd\x1b:x:7:7\nfirst:x:8:8\nsecond:x:8:8\n"


@pytest.fixture
def layer(tmp_path: Path) -> SealedLayer:
    return sealed(
        tmp_path / "layer",
        tar_of(
            [
                (Entry(b"etc/passwd", Kind.FILE), PASSWD),
                (Entry(b"etc/group", Kind.FILE), b"wheel:x:0:\n"),
                (
                    Entry(b"file", Kind.FILE, 0o4755, 0, 0, mtime_ns=(NOW - 60) * 10**9 + 5),
                    b"12345",
                ),
                Entry(b"link", Kind.SYMLINK, 0o777, 7, 99, link=b"to", mtime_ns=0),
                Entry(b"null", Kind.CHARACTER, 0o666, device=(1, 3)),
                Entry(b"far", Kind.FIFO, mtime_ns=2**61),
                Entry(b"acl", Kind.FILE, 0o640, xattrs=(("system.posix_acl_access", ACL),)),
            ]
        ),
    )


def rows(layer: SealedLayer) -> dict[bytes, FileRow]:
    return {name: FileRow(name, node) for name, node in layer.listdir(b"")}


def form(
    tree: Tree, *, people: bool = False, numeric: bool = False, full: bool = False
) -> LongForm:
    return LongForm(Owners(tree), NOW, sizes_for_people=people, numeric=numeric, full_time=full)


def test_owners_have_the_names_that_the_image_gives_them(layer: SealedLayer):
    owners = Owners(Tree.of([layer]))
    assert (owners.user(0), owners.group(0)) == ("root", "wheel")
    assert owners.user(7) == "'odd'$'\\033'"  # never raw: the image chose it
    assert owners.user(8) == "first"
    assert (owners.user(5), owners.group(7)) == ("5", "7")
    assert Owners(Tree.of([])).user(0) == "0"


def test_a_long_line_is_as_ls_writes_it(layer: SealedLayer):
    found = rows(layer)
    tree = Tree.of([layer])
    asked = [found[b"file"], found[b"link"], found[b"null"], found[b"acl"]]
    assert list(form(tree).lines(asked)) == [
        "-rwsr-xr-x  1 root         wheel    5 Jan 15 07:59 ",
        "lrwxrwxrwx  1 'odd'$'\\033' 99       2 Jan  1  1970 ",
        "crw-rw-rw-  1 root         wheel 1, 3 Jan  1  1970 ",
        "-rw-r-----+ 1 root         wheel    0 Jan  1  1970 ",
    ]
    assert list(form(tree, numeric=True, full=True).lines([found[b"file"]])) == [
        "-rwsr-xr-x 1 0 0 5 2027-01-15 07:59:00.000000005 +0000 "
    ]
    assert form(tree).total(asked) == "total 1"


def test_a_time_beyond_the_calendar_is_a_number(layer: SealedLayer, tmp_path: Path):
    entry = Entry(b"f", Kind.FILE, mtime_ns=(2**60) * 10**9)
    with sealed(tmp_path / "far", tar_of([entry])) as far:
        ((name, node),) = far.listdir(b"")
        (line,) = form(Tree.of([far])).lines([FileRow(name, node)])
        assert line.endswith(f" @{2**60} ")
        assert rfc3339(node.mtime_ns) == f"@{2**60}"


@pytest.mark.parametrize(
    "size", [0, 1, 1023, 1024, 1025, 10000, 10240, 10241, 1023 * 1024, 1023 * 1024 + 1, 1 << 20,
             123456789, 10 << 30, (1 << 40) - 1, 5 << 50]
)  # fmt: skip
def test_sizes_for_people_are_rounded_as_ls_does(tmp_path: Path, size: int):
    path = tmp_path / "f"
    path.touch()
    try:
        os.truncate(path, size)
    except OSError:  # more than this file system's files may have
        size = 4 << 40
        os.truncate(path, size)
    said = subprocess.run(
        ["ls", "-lhd", path], capture_output=True, check=True, text=True
    ).stdout.split()[4]
    assert human(size) == said


def test_a_document_has_everything_and_no_raw_bytes(layer: SealedLayer):
    found = rows(layer)
    owners = Owners(Tree.of([layer]))
    assert document(found[b"file"], b"/file", owners) == {
        "name": "file", "path": "/file", "kind": "file", "mode": "4755", "uid": 0, "gid": 0,
        "user": "root", "group": "wheel", "size": 5, "links": 1,
        "modified": "2027-01-15T07:59:00.000000005Z",
    }  # fmt: skip
    odd = document(FileRow(b"l\xe9", found[b"link"].node), b"/l\xe9", owners)
    assert (odd["name"], odd["path_hex"], odd["target"]) == ("l\ufffd", "2f6ce9", "to")
    assert document(found[b"null"], b"/null", owners)["device"] == [1, 3]
    white = FileRow(b".wh.x", found[b"file"].node, whiteout=True)
    assert document(white, b"/.wh.x", owners)["kind"] == "whiteout"
    assert mode_text(white) == "w---------"
