"""Frozen layers under a container's: whatever it did, and whenever it was frozen, nothing else is seen.

The tree, the list of changes and the layer's bytes are those of a container that was never frozen.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import unmount_below
from tests.contracts.test_any_changes import HIGH, LOW, seen, written
from tests.contracts.test_snapshotter import DRIVERS, Situation
from tests.layer.changesets import Change, change_anything, container_changes, container_moves
from tests.layer.trees import facts_of_tree, sealed, tar_of
from tests.layer.unions import parted, rootless_time
from tests.snapshot.piles import seal
from tests.soaking import sized

from lamina.layer.changeset import write_layer
from lamina.layer.diff import changes
from lamina.layer.flat import write_tree
from lamina.layer.live import LiveLayer, LiveTree
from lamina.layer.view import Tree
from lamina.runtime.syscalls import exchange
from lamina.settings import Settings
from lamina.spec.digest import Digest

pytestmark = pytest.mark.root

LATEST_NS = 1_700_000_000 * 10**9  # before every change: the clock makes no difference


@dataclass
class Place:
    """The two layers under one driver; every example is a container of its own."""

    situation: Situation
    pile: tuple[Digest, ...]
    folder: Path
    count: int = 0

    def act(self, steps: list[Change], freezes: set[int]) -> str:
        """Make a container, do `steps`, freeze it after those that `freezes` names."""
        self.count += 1
        key = f"box{self.count}"
        snapshotter = self.situation.snapshotter
        snapshotter.prepare(key, self.pile)
        at = 0
        for stop in [*sorted(freezes), len(steps)]:
            with self.situation.mounted(snapshotter.stack(key), "box") as mounted:
                for step in steps[at:stop]:
                    change_anything(Path(mounted), step)
            if stop < len(steps):
                snapshotter.frozen.freeze(snapshotter.path(key), exchange)
            at = max(at, stop)
        return key

    def check(self, steps: list[Change], freezes: set[int]) -> None:
        """The layer of a frozen container gives its tree, for every reader."""
        key = self.act(steps, freezes)
        snapshotter = self.situation.snapshotter
        with (
            self.situation.mounted(snapshotter.stack(key), "box") as mounted,
            self.situation.layers.opened(self.pile) as parents,
            snapshotter.changed(key) as changed,
            LiveLayer(changed.path, marks=changed.marks, frozen=changed.frozen) as live,
        ):
            wanted = seen(Path(mounted))
            layer = written(write_layer, changed.paths, parents, marks=changed.marks)
            flat = written(write_tree, Tree.of(parents), upper=changed.paths, marks=changed.marks)
            now = facts_of_tree(LiveTree(parents, live))
            with sealed(self.folder / f"{key}.top", layer, parents) as top:
                found = rootless_time(facts_of_tree(Tree.of([*parents, top])))
                assert parted(found, top) == parted(wanted, top)
            with sealed(self.folder / f"{key}.flat", flat) as whole:
                assert rootless_time(facts_of_tree(Tree.of([whole]))) == wanted
            assert set(now) == set(wanted)
        snapshotter.remove(key)
        assert os.listdir(f"{self.situation.layers.root}/snapshots/frozen") == []

    def layer(self, key: str) -> tuple[list[str], bytes]:
        """Give the list of changes and the layer of a container."""
        with (
            self.situation.layers.opened(self.pile) as parents,
            self.situation.snapshotter.changed(key) as changed,
        ):
            listed = changes(changed.paths, parents, marks=changed.marks)
            data = written(
                write_layer, changed.paths, parents, marks=changed.marks, clamp_ns=LATEST_NS
            )
        return [f"{one.kind} {os.fsdecode(one.path)}" for one in listed], data


@pytest.fixture(scope="module", params=[name for name in DRIVERS if name != "copied"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    chosen = Settings(f"{folder}/root", f"{folder}/run", "", storage_driver=request.param)
    situation = Situation(chosen)
    os.makedirs(f"{situation.layers.root}/snapshots/frozen")
    yield Place(situation, seal(situation.layers, tar_of(LOW), tar_of(HIGH)), folder)
    unmount_below(folder)


FREEZES = st.sets(st.integers(0, 11), max_size=4)


@settings(max_examples=sized(15, 2000), derandomize=sized(1, 0) == 1)
@given(container_changes(), FREEZES)
def test_any_changes_and_freezes_then_layer_is_the_same_tree(
    place: Place, steps: list[Change], freezes: set[int]
):
    place.check(steps, {at for at in freezes if at < len(steps)})


@settings(max_examples=sized(25, 3000), derandomize=sized(1, 0) == 1)
@given(container_moves(), FREEZES)
def test_any_moves_and_freezes_then_layer_is_the_same_tree(
    place: Place, steps: list[Change], freezes: set[int]
):
    place.check(steps, {at for at in freezes if at < len(steps)})


@settings(max_examples=sized(15, 3000), derandomize=sized(1, 0) == 1)
@given(container_moves(), FREEZES)
def test_a_layer_after_freezes_has_the_bytes_of_one_without(
    place: Place, steps: list[Change], freezes: set[int]
):
    # Writing to one name of a file that has two parts them once a layer lies between.
    plain = [step for step in steps if step[0] != "link"]
    keys = place.act(plain, set()), place.act(plain, {at for at in freezes if at < len(plain)})
    one, other = (place.layer(key) for key in keys)
    assert one == other
    for key in keys:
        place.situation.snapshotter.remove(key)
