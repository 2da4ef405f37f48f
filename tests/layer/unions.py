"""Mounted containers: sealed layers under an upper directory, and what the diff makes of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.layer.trees import (
    Facts,
    erofs,
    facts_of_directory,
    facts_of_tree,
    overlay,
    sealed,
)

from lamina.layer.changeset import changeset, write_entries, write_layer
from lamina.layer.diff import changes
from lamina.layer.entry import Entry, Kind
from lamina.layer.flat import write_tree
from lamina.layer.live import LiveLayer, LiveTree
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.spec.digest import Digest

__all__ = ["BASE", "Union", "check_round_trip", "rootless_time", "union"]

BASE: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o755, mtime_ns=1),
    (Entry(b"a/a", Kind.FILE, mtime_ns=2), b"one"),
    Entry(b"a/b", Kind.DIRECTORY, 0o700, mtime_ns=3),
    (Entry(b"a/b/c", Kind.FILE, 0o4755, uid=5, mtime_ns=4), b"two"),
    Entry(b"a/b/d", Kind.HARDLINK, link=b"a/b/c"),
    Entry(b"b", Kind.SYMLINK, 0o777, link=b"a"),
    (Entry(b"c", Kind.FILE, xattrs=(("user.k", b"v"),)), b"three"),
    Entry(b"d", Kind.DIRECTORY, 0o1777),
    Entry(b"d/a", Kind.FIFO),
]


class Union:
    """A mounted container: one sealed layer (or more) under an upper directory."""

    def __init__(self, folder: Path, layers: list[SealedLayer], root: Path) -> None:
        self.folder = folder
        self.layers = layers
        self.root = root
        self.upper = folder / "upper"

    def layer(self, **options: object) -> bytes:
        parts: list[bytes] = []
        write_layer(str(self.upper), self.layers, parts.append, **options)  # type: ignore[arg-type]
        return b"".join(parts)

    def changes(self) -> list[str]:
        found = changes(str(self.upper), self.layers)
        return [f"{change.kind} /{os.fsdecode(change.path)}" for change in found]


@contextmanager
def union(folder: Path, *bases: bytes, marks: bool = True) -> Iterator[Union]:
    """Mount layers made of `bases` under an upper directory; `marks`: as root's drivers do."""
    layers = [sealed(folder / f"base{n}", base) for n, base in enumerate(bases)]
    with pytest.MonkeyPatch.context():
        mounts = []
        stack = []
        try:
            for number, layer in enumerate(layers):
                mount = erofs(layer, folder / f"mount{number}")
                mounts.append(mount.__enter__())
                stack.append(mount)
            with overlay(mounts, folder / "root", upper=folder / "upper", marks=marks) as root:
                yield Union(folder, layers, root)
        finally:
            for mount in reversed(stack):
                mount.__exit__(None, None, None)


def rootless_time(facts: Facts) -> Facts:
    """Leave out the root's time, which alone is never a change."""
    return {path: fact[:4] + fact[5:] if not path else fact for path, fact in facts.items()}


def parted(facts: Facts, top: SealedLayer) -> Facts:
    """Part the names of files of which `top` has some and the layers below the others.

    A folder that was moved takes some of a file's names along: they come with it, as after a copy.
    """
    firsts: dict[tuple[object, bool], bytes] = {}
    found: Facts = {}
    for path in sorted(facts):
        key = facts[path][-1], top.lookup(path) is not None
        found[path] = (*facts[path][:-1], firsts.setdefault(key, path))
    return found


def check_known_entries(box: Union, data: bytes) -> None:
    """The layer's own entries seal it to the same bytes as its tar does, read as anybody's."""
    parsed, direct = box.folder / "parsed", box.folder / "direct"
    with Sealer(str(parsed)) as sealer:
        sealer.write(data)
        sealer.finish(Digest.of(data), lambda: box.layers)
    known: list[Entry] = []
    with Sealer(str(direct)) as sealer:

        def take(piece: bytes) -> None:
            sealer.add(known)
            sealer.append(piece)
            known.clear()

        write_layer(str(box.upper), box.layers, take, known=known)
        sealer.finish(Digest.of(data))
    assert direct.read_bytes() == parsed.read_bytes()
    direct.unlink()
    parsed.unlink()


def check_other_readers(box: Union, wanted: Facts) -> None:
    """Exported flat, and read where it lies, the container is the same tree."""
    parts: list[bytes] = []
    write_tree(Tree.of(box.layers), parts.append, upper=str(box.upper))
    with sealed(box.folder / "flat", b"".join(parts)) as flat:
        assert rootless_time(facts_of_tree(Tree.of([flat]))) == wanted
    (box.folder / "flat").unlink()
    with LiveLayer(str(box.upper), marks="trusted") as live:
        assert rootless_time(facts_of_tree(LiveTree(box.layers, live))) == wanted


def check_round_trip(box: Union) -> None:
    data = box.layer()
    assert data == box.layer()
    parts: list[bytes] = []
    write_entries(changeset(str(box.upper), box.layers), parts.append, [])
    assert b"".join(parts) == data
    check_known_entries(box, data)
    wanted = rootless_time(facts_of_directory(box.root))
    check_other_readers(box, wanted)
    with sealed(box.folder / "committed", data, box.layers) as top:
        assert not top.needs_parents or not top.entries
        wanted = parted(wanted, top)
        assert parted(rootless_time(facts_of_tree(Tree.of([*box.layers, top]))), top) == wanted
        with erofs(top, box.folder / "top"):
            lowers = [box.folder / f"mount{n}" for n in range(len(box.layers))]
            with overlay([*lowers, box.folder / "top"], box.folder / "again") as again:
                assert parted(rootless_time(facts_of_directory(again)), top) == wanted
    (box.folder / "committed").unlink()
