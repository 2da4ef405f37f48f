"""Random changes under every driver: the layer that is made of them gives the container's tree again.

test_rootless runs this inside user namespaces, where overlayfs keeps its marks in `user.*` and owners that have
no place are recorded; here it runs as root. `tests/layer/test_changeset.py` has the same for bare unions.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.conftest import unmount_below
from tests.contracts.test_snapshotter import DRIVERS, Situation
from tests.layer.changesets import (
    Change,
    change_anything,
    container_changes,
    container_links,
    container_moves,
)
from tests.layer.trees import Facts, facts_of_directory, facts_of_tree, sealed, tar_of
from tests.layer.unions import parted, rootless_time
from tests.snapshot.piles import seal
from tests.soaking import sized

from lamina.layer.changeset import write_layer
from lamina.layer.diff import changes
from lamina.layer.entry import Entry, Kind
from lamina.layer.flat import write_tree
from lamina.layer.recorded import RECORD, Record
from lamina.layer.view import Tree
from lamina.settings import Settings
from lamina.spec.digest import Digest

pytestmark = pytest.mark.root

HOLE = 1 << 17
LOW: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o750, uid=3, gid=4, mtime_ns=1),
    (Entry(b"a/a", Kind.FILE, 0o640, gid=42, mtime_ns=2), b"one"),
    Entry(b"a/b", Kind.DIRECTORY, 0o700, mtime_ns=3),
    (Entry(b"a/b/c", Kind.FILE, 0o4755, uid=5, mtime_ns=4), b"two"),
    Entry(b"a/b/d", Kind.HARDLINK, link=b"a/b/c"),
    Entry(b"b", Kind.SYMLINK, 0o777, link=b"a"),
    (Entry(b"c", Kind.FILE, xattrs=(("user.k", b"v"),)), b"three"),
    Entry(b"d", Kind.DIRECTORY, 0o1777),
    Entry(b"d/a", Kind.FIFO),
    (Entry(b"d/b", Kind.FILE, mtime_ns=9), bytes(HOLE) + b"end"),
]
HIGH: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o755, uid=3, gid=4, mtime_ns=5),
    (Entry(b"a/c", Kind.FILE, uid=1000, mtime_ns=6), b"over"),
    Entry(b"a/b", Kind.DIRECTORY, 0o711, uid=7, mtime_ns=3),
    Entry(b"a/b/.wh..wh..opq", Kind.FILE),
    (Entry(b"a/b/a", Kind.FILE), b"in an opaque one"),
    Entry(b"a/b/b", Kind.HARDLINK, link=b"a/b/a"),
    Entry(b"a/d", Kind.HARDLINK, link=b"a/b/a"),
    Entry(b"d", Kind.DIRECTORY, 0o1777),
    Entry(b"d/.wh.a", Kind.FILE),
    Entry(b"d/d", Kind.DIRECTORY, 0o2750, uid=8, gid=9),
    (Entry(b"d/d/a", Kind.FILE), b"deep"),
]


def seen(root: Path) -> Facts:
    """Say what is below `root`, owners as they are recorded where they have no place."""
    facts = facts_of_directory(root)
    for path, fact in facts.items():
        full = os.path.join(os.fsencode(root), path)
        if RECORD in os.listxattr(full, follow_symlinks=False) and fact[2:4] == (0, 0):
            record = Record.parse(os.getxattr(full, RECORD))
            assert record is not None
            facts[path] = (*fact[:2], record.uid, record.gid, *fact[4:])
    return rootless_time(facts)


@dataclass
class Place:
    """The two layers, sealed once, under one driver; every example is a container of its own."""

    situation: Situation
    pile: tuple[Digest, ...]
    folder: Path
    count: int = 0

    def check(self, steps: list[Change]) -> None:
        self.count += 1
        key = f"box{self.count}"
        snapshotter, layers = self.situation.snapshotter, self.situation.layers
        stack = snapshotter.prepare(key, self.pile)
        with self.situation.mounted(stack, "box") as mounted:
            for step in steps:
                change_anything(Path(mounted), step)
        # Mounted anew: with `userxattr` the kernel tells two inode numbers of a file's two names as long as it
        # remembers where one of them came from.
        with (
            self.situation.mounted(stack, "box") as mounted,
            layers.opened(self.pile) as parents,
        ):
            wanted = seen(Path(mounted))
            with snapshotter.changed(key) as changed:
                listed = changes(changed.path, parents, marks=changed.marks)
                layer = written(write_layer, changed.path, parents, marks=changed.marks)
                tree = Tree.of(parents)
                flat = written(write_tree, tree, upper=changed.path, marks=changed.marks)
            with sealed(self.folder / f"{key}.top", layer, parents) as top:
                found = rootless_time(facts_of_tree(Tree.of([*parents, top])))
                assert parted(found, top) == parted(wanted, top)
            with sealed(self.folder / f"{key}.flat", flat) as whole:
                assert rootless_time(facts_of_tree(Tree.of([whole]))) == wanted
            before = facts_of_tree(tree)
        snapshotter.remove(key)
        for name in ("top", "flat"):
            (self.folder / f"{key}.{name}").unlink()
        compare_list([f"{one.kind} {os.fsdecode(one.path)}" for one in listed], before, wanted)


def written(
    write: Callable[..., object], source: object, *more: object, **options: object
) -> bytes:
    parts: list[bytes] = []
    write(source, *more, parts.append, **options)
    return b"".join(parts)


@pytest.fixture(scope="module", params=[name for name in DRIVERS if name != "sealed"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    chosen = Settings(f"{folder}/root", f"{folder}/run", "", storage_driver=request.param)
    situation = Situation(chosen)
    pile = seal(situation.layers, tar_of(LOW), tar_of(HIGH))
    yield Place(situation, pile, folder)
    unmount_below(folder)


def compare_list(listed: list[str], before: Facts, after: Facts) -> None:
    """What came is A, what went is D at the top of what went; what is listed as C is in both."""
    assert listed == sorted(listed, key=lambda line: line[2:].split("/"))
    paths = {kind: {os.fsencode(line[2:]) for line in listed if line[0] == kind} for kind in "ACD"}
    assert paths["A"] == set(after) - set(before)
    gone = set(before) - set(after)
    tops = {path for path in gone if path.rpartition(b"/")[0] not in gone}
    tops = {p for p in tops if after.get(p.rpartition(b"/")[0], after[b""])[0] is Kind.DIRECTORY}
    assert paths["D"] == tops
    assert paths["C"] <= set(before) & set(after)
    kept = {path for path in before if before[path][:4] != after.get(path, before[path])[:4]}
    assert kept - {b""} <= paths["C"]


@settings(max_examples=sized(20, 2000), derandomize=sized(1, 0) == 1)
@given(container_changes())
def test_any_changes_then_layer_is_the_same_tree(place: Place, steps: list[Change]):
    place.check(steps)


@settings(max_examples=sized(20, 2000), derandomize=sized(1, 0) == 1)
@given(container_links())
def test_any_links_then_layer_is_the_same_tree(place: Place, steps: list[Change]):
    place.check(steps)


@settings(max_examples=sized(20, 2000), derandomize=sized(1, 0) == 1)
@given(container_moves())
def test_any_moves_then_layer_is_the_same_tree(place: Place, steps: list[Change]):
    place.check(steps)
