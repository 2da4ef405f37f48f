"""Layers made to reach outside, under every driver: what they say stays within the container's root.

test_rootless runs this inside user namespaces too, where the tree on disk belongs to a plain user.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.contracts.test_snapshotter import DRIVERS, ONE_ID, Situation
from tests.engine.test_unpack_hardening import Prison, attacks, link, meddler
from tests.layer.trees import facts_of_tree, sealed, tar_of
from tests.snapshot.piles import seal

from lamina.engine.archive import write_path
from lamina.errors import LaminaError
from lamina.layer.changeset import write_layer
from lamina.layer.diff import changes
from lamina.layer.entry import Entry, Kind
from lamina.layer.view import Tree
from lamina.settings import Settings

pytestmark = pytest.mark.root

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


@pytest.fixture(params=DRIVERS)
def place(request: pytest.FixtureRequest, settings: Settings) -> Situation:
    chosen = Settings(settings.root, settings.run_root, "", storage_driver=request.param)
    return Situation(chosen)


@pytest.fixture
def prison(tmp_path: Path) -> Iterator[Prison]:
    """What lies outside, and must not change."""
    folder = tmp_path / "prison"
    folder.mkdir()
    made = Prison(folder)
    yield made
    assert made.facts() == made.before


@pytest.mark.parametrize("name", sorted(attacks(b"")))
def test_no_layer_reaches_outside(place: Situation, prison: Prison, name: str):
    items = [ROOT, *attacks(os.fsencode(prison.outside))[name]]
    try:
        pile = seal(place.layers, tar_of([ROOT]), tar_of(items))
    except LaminaError:
        return
    stack = place.snapshotter.prepare("box", pile)
    with place.mounted(stack, "box") as mounted, place.layers.opened(pile) as parents:
        seen = everything(Path(mounted))
        with place.snapshotter.changed("box") as changed:
            assert changes(changed.path, parents, marks=changed.marks) == []
        assert seen == {path for path, _ in Tree.of(parents).walk() if path}
    place.snapshotter.remove("box")


def everything(root: Path) -> set[bytes]:
    """List what is below, links not followed; nothing there is a device that programs can use."""
    found = set()
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            found.add(os.path.relpath(path, os.fsencode(root)))
            if ONE_ID:
                kind = stat.S_IFMT(os.lstat(path).st_mode)
                assert kind not in (stat.S_IFBLK, stat.S_IFCHR)
    return found


def test_a_container_that_meddles_while_it_is_read_shows_nothing_from_outside(
    place: Situation, prison: Prison
):
    """While a program swaps a folder and a file for symlinks out, a diff, a commit and a copy are made."""
    secret = b"a secret of the machine" * 10
    (prison.outside / "folder" / "f").write_bytes(secret)
    (prison.outside / "f").write_bytes(secret)
    prison.before = prison.facts()
    files: list[Entry | tuple[Entry, bytes]] = [
        ROOT, Entry(b"d", Kind.DIRECTORY, 0o755), (Entry(b"d/f", Kind.FILE), b"inside"),
        (Entry(b"f", Kind.FILE), b"inside"), link(b"l", os.fsencode(prison.outside)),
    ]  # fmt: skip
    pile = seal(place.layers, tar_of(files))
    stack = place.snapshotter.prepare("box", pile)
    code = (
        "import itertools\n"
        "for number in itertools.count():\n"
        "    try:\n"
        "        open('d/f', 'w').write('inside'); open('f', 'w').write('inside')\n"
        f"        os.rename('d', 'e'); os.symlink({str(prison.outside / 'folder')!r}, 'd')\n"
        f"        os.rename('f', 'g'); os.symlink({str(prison.outside / 'f')!r}, 'f')\n"
        "        os.unlink('d'); os.rename('e', 'd'); os.unlink('f'); os.rename('g', 'f')\n"
        "    except OSError: pass\n"
    )
    rounds = 0
    with (
        place.mounted(stack, "box") as mounted,
        place.layers.opened(pile) as parents,
        meddler(code, Path(mounted)),
    ):
        fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
        while rounds < 30:
            rounds += 1
            told: list[bytes] = []
            with suppress(LaminaError, OSError):  # the other one was in the way: no matter
                write_path(fd, "", "root", told.append)
            with suppress(LaminaError, OSError), place.snapshotter.changed("box") as changed:
                write_layer(changed.path, parents, told.append, marks=changed.marks)
            assert secret not in b"".join(told)
        os.close(fd)


def test_setuid_files_and_devices_of_a_layer_are_kept_from_the_machines_other_users(
    place: Situation,
):
    items: list[Entry | tuple[Entry, bytes]] = [
        ROOT, (Entry(b"su", Kind.FILE, 0o6755), b"#!/bin/sh\n"),
        Entry(b"disk", Kind.BLOCK, 0o666, device=(8, 0)),
    ]  # fmt: skip
    pile = seal(place.layers, tar_of(items))
    stack = place.snapshotter.prepare("box", pile)
    top = Path(place.settings.root)
    with place.mounted(stack, "box"):
        for folder, _, names in os.walk(top):
            if "su" in names:
                assert closed_to_others(Path(folder), top)
    with (
        place.layers.opened(pile) as parents,
        sealed(Path(place.settings.root) / "again", b"".join(parents[0].tar())) as again,
    ):
        assert facts_of_tree(Tree.of([again]))[b"su"][1] == 0o6755


def closed_to_others(folder: Path, top: Path) -> bool:
    """Tell whether a folder on the way from `top` lets no other user pass."""
    return any(
        not one.stat().st_mode & 0o011
        for one in (folder, *folder.parents)
        if one == top or top in one.parents
    )
