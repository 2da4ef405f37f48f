"""Whatever a container does to its tree: the list is Docker's, and the layer gives the tree again.

Each case works in a folder of its own, all of them in one container, so that one layer is judged by
every reader: our index, the kernel's union of sealed files, our unpacked layers, and umoci.
"""

import io
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.images import write_layout
from tests.layer.trees import (
    Facts,
    erofs,
    facts_of_directory,
    facts_of_tree,
    overlay,
    sealed,
    tar_of,
)
from tests.layer.unions import Union, union

from lamina.layer.apply import unpack
from lamina.layer.changeset import write_layer
from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import read_entries
from lamina.layer.view import Tree

pytestmark = pytest.mark.root

SECOND = 10**9
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
# Version 2 of the attribute: a user of his own may read, group and others by the mask.
ACL = struct.pack(
    "<I" + "HHI" * 5,
    *(2, 1, 6, 0xFFFFFFFF, 2, 4, 1234, 4, 4, 0xFFFFFFFF, 16, 4, 0xFFFFFFFF, 32, 0, 0xFFFFFFFF),
)
HOLE = 1 << 17
DEEP = "p" * 200  # twice that is more than a redirect of overlayfs holds


def _folder(path: str, mode: int = 0o755) -> Entry:
    return Entry(path.encode(), Kind.DIRECTORY, mode, mtime_ns=5 * SECOND)


def _file(path: str, body: bytes, **more: object) -> tuple[Entry, bytes]:
    entry = Entry(path.encode(), Kind.FILE, mtime_ns=7 * SECOND + 123)
    return entry._replace(**more), body  # type: ignore[arg-type]


def base(top: str) -> list[Entry | tuple[Entry, bytes]]:
    """What every case finds in its folder."""
    return [
        _folder(top),
        _folder(f"{top}/d", 0o2750),
        _file(f"{top}/d/f", b"one", mode=0o4711, uid=3),
        _folder(f"{top}/d/sub"),
        _file(f"{top}/d/sub/g", b"two" * 1000),
        _folder(f"{top}/e"),
        _file(f"{top}/e/h", b"three"),
        _file(f"{top}/file", b"plain" * 3000, xattrs=(("user.k", b"v"),)),
        Entry(f"{top}/link".encode(), Kind.SYMLINK, 0o777, link=b"file", mtime_ns=SECOND),
        _file(f"{top}/one", b"of two names"),
        Entry(f"{top}/two".encode(), Kind.HARDLINK, link=f"{top}/one".encode()),
        _file(f"{top}/able", b"x", xattrs=(("security.capability", CAPABILITY),)),
        Entry(f"{top}/pipe".encode(), Kind.FIFO, mtime_ns=SECOND),
        _file(f"{top}/long", b"\0" * HOLE + b"end"),
        _folder(f"{top}/{DEEP}"),
        _folder(f"{top}/{DEEP}/{DEEP}"),
        _folder(f"{top}/{DEEP}/{DEEP}/x"),
        _file(f"{top}/{DEEP}/{DEEP}/x/y", b"deep"),
        _file(f"{top}/{DEEP}/{DEEP}/z", b"deeper"),
    ]


def move(source: Path, target: Path) -> None:
    """Move as programs do: one rename where the kernel can, else a copy with everything."""
    subprocess.run(["mv", "-T", source, target], check=True)


def again(path: Path, mode: int = 0o755) -> None:
    shutil.rmtree(path)
    path.mkdir(mode)


def _file_removed(at: Path) -> None:
    (at / "d/f").unlink()


def _folder_removed(at: Path) -> None:
    shutil.rmtree(at / "d")


def _folder_made_again(at: Path) -> None:
    again(at / "d")
    (at / "d/new").write_bytes(b"new")


def _folder_made_again_as_it_was(at: Path) -> None:
    before = os.stat(at / "d/f"), os.stat(at / "d")
    again(at / "d")
    (at / "d/f").write_bytes(b"one")
    for path, found in zip((at / "d/f", at / "d"), before, strict=True):
        os.chown(path, found.st_uid, found.st_gid)
        path.chmod(found.st_mode & 0o7777)
        os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))


def _folder_becomes_file(at: Path) -> None:
    shutil.rmtree(at / "d")
    (at / "d").write_bytes(b"a file")


def _folder_becomes_file_and_back(at: Path) -> None:
    _folder_becomes_file(at)
    (at / "d").unlink()
    (at / "d").mkdir()


def _file_becomes_symlink(at: Path) -> None:
    (at / "file").unlink()
    (at / "file").symlink_to("e/h")


def _kinds_change_places(at: Path) -> None:
    for name in ("file", "link", "pipe", "one"):
        (at / name).unlink()
    (at / "file").mkdir()
    (at / "file/x").touch()
    (at / "link").mkdir(0o700)
    (at / "pipe").write_bytes(b"no pipe")
    os.mkfifo(at / "one")
    again(at / "e")
    (at / "e").rmdir()
    (at / "e").symlink_to("d")


def _folder_moved(at: Path) -> None:
    move(at / "d", at / "z")


def _folder_moved_there_and_back(at: Path) -> None:
    move(at / "d", at / "z")
    move(at / "z", at / "d")


def _folder_moved_into_another(at: Path) -> None:
    move(at / "d/sub", at / "e/sub")


def _folder_moved_into_a_new_one(at: Path) -> None:
    (at / "new/deep").mkdir(parents=True)
    move(at / "d", at / "new/deep/z")
    (at / "new/deep/z/own").write_bytes(b"own")
    move(at / "new", at / "newer")


def _folder_moved_over_another(at: Path) -> None:
    (at / "e/h").unlink()
    os.rmdir(at / "e")
    move(at / "d", at / "e")


def _moved_from_deeper_than_a_redirect_reaches(at: Path) -> None:
    below = at / DEEP / DEEP
    with pytest.raises(OSError, match="Invalid cross-device link"):
        (below / "x").rename(at / "x")
    move(below / "x", at / "x")  # `mv` copies then
    (below / "z").chmod(0o600)
    move(below / "z", at / "z")


def _folder_moved_and_changed(at: Path) -> None:
    move(at / "d", at / "z")
    (at / "z").chmod(0o711)
    (at / "z/f").chmod(0o600)
    (at / "z/sub/g").unlink()
    (at / "z/sub/new").write_bytes(b"new")
    move(at / "z/sub", at / "sub")
    (at / "d").mkdir()
    (at / "d/f").write_bytes(b"another")


def _files_moved(at: Path) -> None:
    (at / "file").rename(at / "e/moved")
    (at / "e/h").rename(at / "d/f")
    (at / "link").rename(at / "d/link")


def _files_changed_and_moved(at: Path) -> None:
    (at / "file").chmod(0o600)
    (at / "file").rename(at / "e/moved")
    os.utime(at / "e/moved", ns=(0, 3))
    (at / "d/f").rename(at / "d/g")
    os.chown(at / "d/g", 9, 9)


def _modes_owners_and_times(at: Path) -> None:
    (at / "file").chmod(0o640)
    os.lchown(at / "link", 5, 6)
    os.chown(at / "d", 7, 8)
    os.utime(at / "e/h", ns=(0, 1_234_567_890_123_456_789))
    os.utime(at / "long", ns=(0, -5 * SECOND))
    os.utime(at / "link", ns=(0, 2**33 * SECOND), follow_symlinks=False)


def _changed_and_changed_back(at: Path) -> None:
    for mode in (0o600, 0o644):
        (at / "file").chmod(mode)
    os.setxattr(at / "able", "user.n", b"")
    os.removexattr(at / "able", "user.n")


def _mode_then_content(at: Path) -> None:
    (at / "file").chmod(0o640)
    with (at / "file").open("ab") as file:
        file.write(b"more")
    (at / "long").chmod(0o600)
    os.truncate(at / "long", 5000)


def _link_broken(at: Path) -> None:
    (at / "one").chmod(0o600)


def _link_broken_by_writing(at: Path) -> None:
    (at / "two").write_bytes(b"its own")


def _new_names_of_old_files(at: Path) -> None:
    os.link(at / "file", at / "d/again")
    os.link(at / "two", at / "three")
    os.link(at / "link", at / "symlink", follow_symlinks=False)


def _new_names_of_changed_files(at: Path) -> None:
    (at / "file").chmod(0o600)
    os.link(at / "file", at / "e/again")
    (at / "file").unlink()


def _new_names_of_new_files(at: Path) -> None:
    (at / "n1").write_bytes(b"n" * 5000)
    os.link(at / "n1", at / "d/n2")
    os.link(at / "n1", at / "z")
    (at / "n1").rename(at / "e/n1")


def _attributes(at: Path) -> None:
    os.setxattr(at / "file", "user.new", b"\0\xff=\n")
    os.removexattr(at / "file", "user.k")
    os.removexattr(at / "able", "security.capability")
    for path in (at / "d/f", at / "e"):
        path.chmod(0o755)  # the kernel sets no ACL on what only EROFS has (ovl_set_acl)
    os.setxattr(at / "d/f", "system.posix_acl_access", ACL)
    os.setxattr(at / "e", "system.posix_acl_default", ACL)
    os.setxattr(at / "one", "security.capability", CAPABILITY)
    os.setxattr(at / "d", "user.on", b"folder")


def _owner_of_a_capable_file(at: Path) -> None:
    os.chown(at / "able", 1, 1)


def _sparse(at: Path) -> None:
    with (at / "hole").open("wb") as file:
        file.seek(3 * HOLE)
        file.write(b"end")
    with (at / "long").open("r+b") as file:
        file.seek(2 * HOLE)
        file.write(b"later")


def _special(at: Path) -> None:
    os.mkfifo(at / "p")
    os.mknod(at / "null", 0o020666, os.makedev(1, 3))
    os.mknod(at / "disk", 0o060600, os.makedev(7, 300))
    (at / "pipe").chmod(0o600)


def _socket(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(at / "sock"))


def _odd_names(at: Path) -> None:
    for name in (b"latin\351", b"new\nline", b"n" * 255, b" ", b"-"):
        Path(os.fsdecode(os.fsencode(at) + b"/" + name)).touch()


def _nothing(at: Path) -> None:
    (at / "scratch").touch()
    (at / "scratch").unlink()
    (at / "file").read_bytes()
    os.utime(at, ns=(5 * SECOND, 5 * SECOND))


@dataclass(frozen=True)
class Case:
    act: Callable[[Path], None]
    listed: list[str]


CASES = {
    case.act.__name__.strip("_").replace("_", "-"): case
    for case in [
        Case(_file_removed, ["C d", "D d/f"]),
        Case(_folder_removed, ["D d"]),
        Case(_folder_made_again, ["C d", "D d/f", "A d/new", "D d/sub"]),
        Case(_folder_made_again_as_it_was, ["C d", "D d/sub"]),
        Case(_folder_becomes_file, ["C d"]),
        Case(_folder_becomes_file_and_back, ["C d", "D d/f", "D d/sub"]),
        Case(_file_becomes_symlink, ["C file"]),
        Case(_kinds_change_places, ["C e", "C file", "A file/x", "C link", "C one", "C pipe"]),
        Case(_folder_moved, ["D d", "A z", "A z/f", "A z/sub", "A z/sub/g"]),
        Case(_folder_moved_there_and_back, []),
        Case(_folder_moved_into_another, ["C d", "D d/sub", "C e", "A e/sub", "A e/sub/g"]),
        Case(_folder_moved_into_a_new_one, [
            "D d", "A newer", "A newer/deep", "A newer/deep/z", "A newer/deep/z/f",
            "A newer/deep/z/own", "A newer/deep/z/sub", "A newer/deep/z/sub/g",
        ]),
        Case(_folder_moved_over_another, [
            "D d", "C e", "A e/f", "D e/h", "A e/sub", "A e/sub/g",
        ]),
        Case(_folder_moved_and_changed, [
            "C d", "C d/f", "D d/sub", "A sub", "A sub/new", "A z", "A z/f",
        ]),
        Case(_moved_from_deeper_than_a_redirect_reaches, [
            f"C {DEEP}", f"C {DEEP}/{DEEP}", f"D {DEEP}/{DEEP}/x", f"D {DEEP}/{DEEP}/z", "A x", "A x/y",
            "A z",
        ]),
        Case(_files_moved, [
            "C d", "C d/f", "A d/link", "C e", "D e/h", "A e/moved", "D file", "D link",
        ]),
        Case(_files_changed_and_moved, ["C d", "D d/f", "A d/g", "C e", "A e/moved", "D file"]),
        Case(_modes_owners_and_times, ["C d", "C e", "C e/h", "C file", "C link", "C long"]),
        Case(_changed_and_changed_back, []),
        Case(_mode_then_content, ["C file", "C long"]),
        Case(_link_broken, ["C one"]),
        Case(_link_broken_by_writing, ["C two"]),
        Case(_new_names_of_old_files, [
            "C d", "A d/again", "C file", "C link", "A symlink", "A three", "C two",
        ]),
        Case(_new_names_of_changed_files, ["C e", "A e/again", "D file"]),
        Case(_new_names_of_new_files, ["C d", "A d/n2", "C e", "A e/n1", "A z"]),
        Case(_attributes, ["C able", "C d", "C d/f", "C e", "C file", "C one"]),
        Case(_owner_of_a_capable_file, ["C able"]),
        Case(_sparse, ["A hole", "C long"]),
        Case(_special, ["A disk", "A null", "A p", "C pipe"]),
        Case(_socket, ["A sock"]),
        Case(_odd_names, ["A  ", "A -", "A latin\udce9", "A new\nline", f"A {'n' * 255}"]),
        Case(_nothing, []),
    ]
}  # fmt: skip


def within(facts: Facts, top: str) -> Facts:
    """Keep what is in one folder; the socket, which no layer holds, is left out."""
    prefix = top.encode() + b"/"
    return {
        path: fact
        for path, fact in facts.items()
        if (path == prefix[:-1] or path.startswith(prefix)) and not path.endswith(b"/sock")
    }


@dataclass(frozen=True)
class Outcome:
    """One container after every case, and its layer applied by each reader."""

    seen: Facts
    listed: list[str]
    notes: tuple[str, ...]
    applied: dict[str, Facts]
    sparse_size: int


def by_umoci(folder: Path, layers: list[bytes]) -> Facts:
    write_layout(folder / "layout", layers)
    command = ["umoci", "unpack", "--image", f"{folder}/layout:latest", f"{folder}/bundle"]
    subprocess.run(command, check=True, capture_output=True)
    return facts_of_directory(folder / "bundle" / "rootfs")


def by_tar(folder: Path, layers: list[bytes]) -> Facts:
    """Let GNU tar put one layer over the other; it takes no folder away for a file."""
    target = folder / "tar"
    target.mkdir()
    for layer in layers:
        subprocess.run(
            ["tar", "-C", str(target), "--xattrs", "--xattrs-include=*", "--numeric-owner",
             "--exclude=.wh.*", "-xpf", "-"],
            input=layer, check=False, capture_output=True,
        )  # fmt: skip
    return facts_of_directory(target)


def outcome(folder: Path, data: bytes, box: Union) -> Outcome:
    for name, case in CASES.items():
        case.act(box.root / name)
    listed = box.changes()
    parts: list[bytes] = []
    stats = write_layer(str(box.upper), box.layers, parts.append)
    layer = b"".join(parts)
    applied = {
        "umoci": by_umoci(folder, [data, layer]),
        "GNU tar": by_tar(folder, [data, layer]),
    }
    with sealed(folder / "top", layer, box.layers) as top:
        assert not top.needs_parents
        pile = [*box.layers, top]
        applied["tree"] = facts_of_tree(Tree.of(pile))
        with erofs(top, folder / "top.mount") as mount:
            lowers = [folder / "mount0", mount]
            with overlay(lowers, folder / "sealed") as root:
                applied["sealed"] = facts_of_directory(root)
        lowers = []
        for number, each in enumerate(pile):
            lowers.append(folder / f"unpacked{number}")
            lowers[-1].mkdir()
            unpack(each, str(lowers[-1]), privileged=True)
        with overlay(lowers, folder / "unpacked") as root:
            applied["unpacked"] = facts_of_directory(root)
        size = (lowers[-1] / "sparse" / "hole").stat().st_blocks * 512
    return Outcome(facts_of_directory(box.root), listed, stats.notes, applied, size)


@pytest.fixture(scope="module", params=[True, False], ids=["marks", "copies"])
def done(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Outcome:
    items: list[Entry | tuple[Entry, bytes]] = [_folder("")]
    for name in CASES:
        items += base(name)
    data = tar_of(items)
    folder = tmp_path_factory.mktemp("exact")
    with union(folder, data, marks=request.param) as box:
        return outcome(folder, data, box)


@pytest.mark.parametrize("name", CASES)
def test_the_list_is_dockers(done: Outcome, name: str):
    mine = [row for row in done.listed if row[2:].startswith(f"/{name}/")]
    prefix = len(f"C /{name}/")
    assert [row[:2] + row[prefix:] for row in mine] == CASES[name].listed
    assert (f"C /{name}" in done.listed) == bool(mine)


@pytest.mark.parametrize("name", CASES)
def test_the_layer_on_its_parents_is_the_containers_tree(done: Outcome, name: str):
    wanted = within(done.seen, name)
    readers = ["tree", "sealed", "unpacked", "umoci"]
    taken_away = any(row.startswith("D") for row in CASES[name].listed)
    replaced = name in ("folder-becomes-file", "kinds-change-places")
    readers += [] if taken_away or replaced else ["GNU tar"]
    for reader in readers:
        assert within(done.applied[reader], name) == wanted, reader


def test_a_sparse_file_stays_sparse(done: Outcome):
    assert done.sparse_size < HOLE


def test_a_layer_of_whiteouts_alone_takes_away(tmp_path: Path):
    data = tar_of([_folder(""), *base("case")])
    with union(tmp_path, data) as box:
        (box.root / "case/file").unlink()
        shutil.rmtree(box.root / "case/d")
        for folder in (box.root / "case", box.root):
            os.utime(folder, ns=(5 * SECOND, 5 * SECOND))
        layer = box.layer()
        names = [entry.path for entry in read_entries(io.BytesIO(layer))]
        assert names == [b"", b"case", b"case/.wh.d", b"case/.wh.file"]
        assert by_umoci(tmp_path, [data, layer]) == facts_of_directory(box.root)


def test_what_no_layer_holds_is_said(done: Outcome):
    assert done.notes == ("left out 'socket/sock': a socket",)
