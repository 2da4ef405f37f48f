"""Trees to make layers of, ways to mount them, and what is to be compared of them."""

import ctypes
import hashlib
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lamina.layer.entry import Entry, Kind
from lamina.layer.node import Node
from lamina.layer.seal import Sealer, SealResult
from lamina.layer.sealed import SealedLayer
from lamina.layer.tar import TarWriter
from lamina.layer.view import Tree
from lamina.layer.whiteout import is_union_xattr
from lamina.spec.digest import Digest

__all__ = [
    "Facts",
    "digest_of",
    "erofs",
    "extracted",
    "facts_of_directory",
    "facts_of_tree",
    "gnu_tar",
    "overlay",
    "sealed",
    "sealed_with",
    "tar_of",
]

Facts = dict[bytes, tuple[object, ...]]
_MS_RDONLY, _MS_NODEV = 1, 4
_LIBC = ctypes.CDLL(None, use_errno=True)


def tar_of(items: Iterable[Entry | tuple[Entry, bytes]]) -> bytes:
    """Write entries, with their bodies where they have any, as our canonical tar."""
    parts: list[bytes] = []
    writer = TarWriter(parts.append)
    for item in items:
        if isinstance(item, Entry):
            writer.add(item)
        else:
            writer.add(item[0]._replace(size=len(item[1])), (item[1],))
    writer.close()
    return b"".join(parts)


def sealed_with(
    path: Path, data: bytes, parents: Sequence[SealedLayer] = ()
) -> tuple[SealedLayer, SealResult]:
    """Seal `data` to `path` and open it."""
    with Sealer(str(path)) as sealer:
        for at in range(0, len(data), 100_000):
            sealer.write(data[at : at + 100_000])
        result = sealer.finish(Digest.of(data), lambda: parents)
    return SealedLayer.open(str(path)), result


def sealed(path: Path, data: bytes, parents: Sequence[SealedLayer] = ()) -> SealedLayer:
    return sealed_with(path, data, parents)[0]


def gnu_tar(folder: Path, *options: str) -> bytes:
    """Archive a directory with GNU tar."""
    return subprocess.run(
        ["tar", "-C", str(folder), *options, "-cf", "-", "."], check=True, stdout=subprocess.PIPE
    ).stdout


def extracted(data: bytes, target: Path) -> Path:
    """Extract with GNU tar, attributes and owners too."""
    target.mkdir()
    subprocess.run(
        ["tar", "-C", str(target), "--xattrs", "--xattrs-include=*", "--numeric-owner",
         "-xpf", "-"],
        input=data, check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return target


def _mount(kind: str, source: str, target: Path, flags: int, options: str) -> None:
    words = (source.encode(), str(target).encode(), kind.encode())
    if _LIBC.mount(*words, ctypes.c_ulong(flags | _MS_NODEV), options.encode()):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), kind)


@contextmanager
def erofs(layer: SealedLayer, target: Path) -> Iterator[Path]:
    """Mount the sealed file itself, as the driver does: no loop device."""
    target.mkdir(exist_ok=True)
    _mount("erofs", layer.path, target, _MS_RDONLY, "directio")
    try:
        yield target
    finally:
        _LIBC.umount2(str(target).encode(), 0)


@contextmanager
def overlay(
    lowers: Sequence[Path], target: Path, *, upper: Path | None = None, marks: bool = False
) -> Iterator[Path]:
    """Mount a union of `lowers`, lowest first, with `upper` on top; `marks`: as root's drivers do."""
    target.mkdir(exist_ok=True)
    options = "index=off,redirect_dir=off,metacopy=off,lowerdir="
    if marks:
        options = "index=off,redirect_dir=on,metacopy=on,lowerdir="
    options += ":".join(str(lower) for lower in reversed(lowers))
    if upper is not None:
        work = upper.with_name(upper.name + ".work")
        work.mkdir()
        upper.mkdir(exist_ok=True)
        options += f",upperdir={upper},workdir={work}"
    _mount("overlay", "overlay", target, 0 if upper else _MS_RDONLY, options)
    try:
        yield target
    finally:
        _LIBC.umount2(str(target).encode(), 0)


def digest_of(pieces: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest()


def facts_of_directory(root: Path) -> Facts:
    """Say all there is to say of a tree on disk, by path."""
    found: Facts = {}
    links: dict[tuple[int, int], bytes] = {}
    top = os.fsencode(root)
    todo = [b""]
    while todo:
        path = todo.pop(0)
        full = top + b"/" + path if path else top
        status = os.lstat(full)
        kind = stat.S_IFMT(status.st_mode)
        content: object = ""
        if kind == stat.S_IFREG:
            with Path(os.fsdecode(full)).open("rb") as file:
                content = digest_of(iter(lambda file=file: file.read(1 << 20), b""))  # type: ignore[misc]
        elif kind == stat.S_IFLNK:
            content = os.readlink(full)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            content = (os.major(status.st_rdev), os.minor(status.st_rdev))
        names = os.listxattr(full, follow_symlinks=False)
        xattrs = tuple(
            (name, os.getxattr(full, name, follow_symlinks=False))
            for name in sorted(names)
            if not is_union_xattr(name) and name != "security.selinux"
        )
        first = path
        if kind == stat.S_IFDIR:
            prefix = path + b"/" if path else b""
            todo = [prefix + name for name in sorted(os.listdir(full))] + todo
        elif status.st_nlink > 1:
            first = links.setdefault((status.st_dev, status.st_ino), path)
        size = status.st_size if kind == stat.S_IFREG else 0
        found[path] = (
            _KIND.get(kind, "socket"), 0o777 if kind == stat.S_IFLNK else stat.S_IMODE(status.st_mode),
            status.st_uid, status.st_gid, status.st_mtime_ns, size, content, xattrs, first,
        )  # fmt: skip
    return found


_KIND = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
}


def facts_of_tree(tree: Tree) -> Facts:
    """Say the same of a tree that is read through its index."""
    found: Facts = {}
    links: dict[tuple[str, int], bytes] = {}
    for path, node in tree.walk():
        first = path
        if node.kind is not Kind.DIRECTORY and node.nlink > 1:
            first = links.setdefault((node.layer.path, node.nid), path)
        size = node.size if node.kind is Kind.FILE else 0
        found[path] = (
            node.kind, node.mode, node.uid, node.gid, node.mtime_ns, size, _content(node),
            node.xattrs, first,
        )  # fmt: skip
    return found


def _content(node: Node) -> object:
    if node.kind is Kind.FILE:
        return digest_of(node.layer.pieces(node))
    if node.kind is Kind.SYMLINK:
        return node.target
    return node.device if node.kind in (Kind.CHARACTER, Kind.BLOCK) else ""
