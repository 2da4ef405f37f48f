"""Tars as every builder writes them: what is read is what GNU tar extracts, in every form of the layer."""

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.layer.bombs import header
from tests.layer.test_seal import timeless
from tests.layer.trees import (
    Facts,
    erofs,
    extracted,
    facts_of_directory,
    facts_of_tree,
    gnu_tar,
    sealed,
)

from lamina.layer.apply import unpack
from lamina.layer.entry import Kind
from lamina.layer.view import Tree

LARGE = (9 << 30) + 5  # bytes of the sparse file: more than eleven octal digits say


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with one of everything that a layer may hold."""
    root = tmp_path_factory.mktemp("source")
    deep = root / ("long-" * 20) / ("name-" * 25) / ("more-" * 30)
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("leaf")
    (root / "file").write_bytes(os.urandom(70_000))
    (root / "empty").touch()
    os.link(root / "file", root / "hard")
    (root / "link").symlink_to("file")
    (root / "long-link").symlink_to("t/" * 90)
    (root / "dangling").symlink_to("/nowhere")
    os.mkfifo(root / "fifo", 0o640)
    os.mknod(root / "null", 0o020666, os.makedev(1, 3))
    os.mknod(root / "disk", 0o060660, os.makedev(259, 300))
    (root / os.fsdecode(b"latin\xe9")).write_text("x")
    (root / "sp ace\nnewline").write_text("x")
    (root / "sticky").mkdir()
    for number in range(60):
        (root / "sticky" / f"{number:03}").write_text(str(number))
    with (root / "holes").open("wb") as holes:
        for at in (5000, 300_000, 1 << 20):
            holes.seek(at)
            holes.write(b"data" * 300)
        holes.truncate((1 << 20) + 40_000)
    os.setxattr(root / "file", "user.note", b"a=b\n\0\xff")
    os.setxattr(root / "empty", "security.capability", bytes.fromhex("01000002" + "00200000" * 4))
    os.chown(root / "file", 3_000_000, 2_500_000)
    os.lchown(root / "link", 1234, 5678)
    (root / "file").chmod(0o4711)
    (root / "sticky").chmod(0o1777)
    for path in root.rglob("*"):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789), follow_symlinks=False)
    os.utime(root / "empty", ns=(0, -86_400_500_000_000))
    os.utime(root / "dangling", ns=(0, 8_000_000_000 * 10**9), follow_symlinks=False)
    return root


def gnu(*options: str) -> Callable[[Path], bytes]:
    return lambda source: _run(
        "tar", "-C", str(source), "--numeric-owner", *options, "-cf", "-", "."
    )


def bsd(*options: str) -> Callable[[Path], bytes]:
    return lambda source: _run("bsdtar", "-C", str(source), *options, "-cf", "-", ".")


def _run(*words: str) -> bytes:
    """Run a builder; what its format cannot hold it leaves out, and says so by its code."""
    return subprocess.run(words, check=False, capture_output=True).stdout


def python(form: int) -> Callable[[Path], bytes]:
    def write(source: Path) -> bytes:
        target = source.with_name(f"python-{form}.tar")
        with tarfile.open(target, "w", format=form, errors="surrogateescape") as sink:  # noqa: TID251
            for path in [source, *sorted(source.rglob("*"))]:
                try:
                    sink.add(path, f"./{path.relative_to(source)}", recursive=False)
                except ValueError:  # ustar has no room for it
                    continue
        return target.read_bytes()

    return write


def umoci(source: Path) -> bytes:
    """A layer by Go's archive/tar."""
    import gzip

    layout = source.with_name("umoci")
    for words in (["init", "--layout", layout], ["new", "--image", f"{layout}:t"],
                  ["insert", "--image", f"{layout}:t", source, "/"]):  # fmt: skip
        subprocess.run(["umoci", *words], check=True, capture_output=True)
    largest = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    return gzip.decompress(largest.read_bytes())


XATTRS = ("--xattrs", "--xattrs-include=*")
BUILDERS: dict[str, Callable[[Path], bytes]] = {
    **{f"gnu tar {form}": gnu(f"--format={form}") for form in ("v7", "oldgnu", "gnu", "ustar", "posix")},
    **{f"gnu tar {form} sparse": gnu(f"--format={form}", "-S") for form in ("oldgnu", "gnu", "posix")},
    **{
        f"gnu tar sparse {version}": gnu("--format=posix", "-S", f"--sparse-version={version}", *XATTRS)
        for version in ("0.0", "0.1", "1.0")
    },
    "gnu tar absolute": lambda source: _run("tar", "-P", "--format=posix", "--transform=s,^[^ ]*source[^/]*,,",
                                            "-cf", "-", str(source)),
    "gnu tar global": gnu("--format=posix", "--pax-option=globexthdr.name=/tmp/g,comment=built,gid=7"),
    "gnu tar incremental": gnu("--format=gnu", "--listed-incremental=/dev/null"),
    "gnu tar label": gnu("--format=gnu", "-V", "label"),
    "gnu tar reversed": lambda source: _run(
        "tar", "-C", str(source), "--format=posix", "--no-recursion", *XATTRS, "-cf", "-",
        *[f"./{path.relative_to(source)}" for path in sorted(source.rglob("*"), reverse=True)],
    ),
    "gnu tar twice": lambda source: gnu_tar(source, "--format=posix", "./file", "./link", *XATTRS),
    **{f"bsdtar {form}": bsd(f"--format={form}") for form in ("ustar", "pax", "gnutar", "v7")},
    "bsdtar acls": bsd("--format=pax", "--acls", "--xattrs"),
    **{f"python {form}": python(form) for form in (0, 1, 2)},
    "busybox": lambda source: _run("busybox", "tar", "-C", str(source), "-cf", "-", "."),
    "go": umoci,
}  # fmt: skip


def comparable(facts: Facts) -> Facts:
    """Leave out directories' times, the root, and what GNU tar alone cannot set."""
    kept = timeless(facts)
    kept.pop(b"", None)
    return kept


@pytest.mark.root
@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_a_builders_tar_gives_the_tree_that_gnu_tar_extracts(
    tmp_path: Path, source: Path, builder: str
):
    data = BUILDERS[builder](source)
    assert len(data) > 70_000
    whole = data + bytes(-len(data) % 512 + 1024)  # umoci's has neither padding nor end marker
    wanted = comparable(facts_of_directory(extracted(whole, tmp_path / "tar")))
    assert len(wanted) > 60
    with sealed(tmp_path / "layer", data) as layer:
        layer.verify()
        found = facts_of_tree(Tree.of([layer]))
        assert comparable(found) == wanted
        with erofs(layer, tmp_path / "mount") as mount:
            assert facts_of_directory(mount) == found
        (tmp_path / "unpacked").mkdir()
        unpack(layer, str(tmp_path / "unpacked"), privileged=True)
        assert facts_of_directory(tmp_path / "unpacked") == found


@pytest.mark.root
@pytest.mark.parametrize("ending", [b"", bytes(512), bytes(1024) + b"trailing garbage", b"cut"])
def test_however_a_tar_ends_it_is_the_same_tree(tmp_path: Path, source: Path, ending: bytes):
    data = gnu_tar(source, "--format=posix", *XATTRS).rstrip(b"\0")
    data += bytes(-len(data) % 512) + header(b"0", 4, b"last") + b"last"
    body = data + bytes(-len(data) % 512)
    with sealed(tmp_path / "whole", body + bytes(1024)) as whole:
        wanted = facts_of_tree(Tree.of([whole]))
    cut = data if ending == b"cut" else body + ending
    with sealed(tmp_path / "layer", cut) as layer:
        layer.verify()
        assert facts_of_tree(Tree.of([layer])) == wanted


@pytest.mark.parametrize(
    "options",
    [["--format=oldgnu"], ["--format=gnu"], *(
        ["--format=posix", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0")
    )],
    ids=" ".join,
)  # fmt: skip
def test_a_file_of_nine_gibibytes_is_read_in_every_format(tmp_path: Path, options: list[str]):
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "large").open("wb") as large:
        large.seek(1 << 33)
        large.write(b"middle")
        large.seek(LARGE - 3)
        large.write(b"end")
    with sealed(tmp_path / "layer", gnu_tar(tmp_path / "source", "--sparse", *options)) as layer:
        node = layer.lookup(b"large")
        assert node is not None
        assert (node.kind, node.size) == (Kind.FILE, LARGE)
        assert layer.read(node, (1 << 33) - 1, 8) == b"\0middle\0"
        assert layer.read(node, LARGE - 4) == b"\0end"
