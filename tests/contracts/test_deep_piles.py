"""Piles of more layers than one union takes: every driver shows them as if there were no such limit."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import unmount_below
from tests.contracts.test_snapshotter import facts
from tests.images import Piece, tar
from tests.snapshot.piles import seal

import lamina
from lamina.layer.diff import changes
from lamina.layer.stack import Stack
from lamina.runtime.mounts import SharedLayers, perform
from lamina.settings import Settings
from lamina.snapshot.choose import choose
from lamina.snapshot.layers import Layers
from lamina.spec.digest import Digest
from lamina.store.disk import make

COUNT = 530
FOLDER = Piece("./", directory=True, mode=0o755)


def tars() -> list[bytes]:
    """Layers with a file each, among them what merging must get right: removals, links, replacements."""
    found = [tar([FOLDER, Piece(f"f{number}", b"%d" % number)]) for number in range(COUNT)]
    found[3] = tar([
        FOLDER, Piece("etc/", directory=True, mode=0o711, uid=7), Piece("etc/a", b"1" * 600, 0o4755),
        Piece("etc/b", hard="etc/a"), Piece("etc/gone", b"x"), Piece("link", link="etc/a"),
        Piece("marked", b"x", xattrs=(("user.origin", "here"),)), Piece("owned", b"x", uid=5, gid=6),
    ])  # fmt: skip
    found[7] = tar([FOLDER, Piece("etc/", directory=True, mode=0o711), Piece("etc/.wh.gone")])
    found[9] = tar([FOLDER, Piece(".wh.f0"), Piece("f1", b"again")])
    found[COUNT - 2] = tar([FOLDER, Piece(".wh.f2"), Piece("f4/", directory=True)])
    return found


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, tuple[Digest, ...]]:
    """A root with many layers, and their pile."""
    root = str(tmp_path_factory.mktemp("deep") / "root")
    return root, seal(Layers(make(root).root), *tars())


@pytest.fixture
def run_root() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="lamina-")
    yield path
    unmount_below(Path(path))
    shutil.rmtree(path)


@contextmanager
def mounted(shots, stack: Stack, run_root: str) -> Iterator[str]:
    *below, top = shots.mounts(stack, f"{run_root}/m")
    shared = SharedLayers(run_root)
    shared.acquire(below)
    perform(top)
    try:
        yield top.target
    finally:
        unmount_below(Path(top.target))
        shared.release()


@pytest.mark.root
@pytest.mark.parametrize(
    ("driver", "count"),
    [
        ("sealed", 130),
        ("sealed", 500),
        ("sealed", COUNT),
        ("sealed by loop", 130),
        ("unpacked", COUNT),
        ("copied", 130),
    ],
)
def test_a_pile_of_any_height_is_one_tree(sealed, run_root, driver: str, count: int):
    root, whole = sealed
    pile = whole[:count]
    name, _, way = driver.partition(" by ")
    layers = Layers(root)
    shots = choose(Settings(root, run_root, "", storage_driver=name, erofs=way), layers)
    key = f"{driver.replace(' ', '-')}-{count}"
    stack = shots.prepare(key, pile)
    assert len(stack.lowers) == (0 if name == "copied" else count if count <= 500 else COUNT - 99)
    with mounted(shots, stack, run_root) as top:
        found = facts(top)
        assert {path for path in found if path.startswith("f")} == shown(count)
        assert found["f1"][5] == b"again"
        assert found["etc"][:4] == ("d", 0o711, 0, 0)
        assert "etc/gone" not in found
        assert found["etc/a"][1] == found["etc/b"][1] == 0o4755
        assert found["owned"][2:4] == (5, 6)
        assert found["link"][5] == b"etc/a"
        assert os.stat(f"{top}/etc/a").st_ino == os.stat(f"{top}/etc/b").st_ino
        assert os.getxattr(f"{top}/marked", "user.origin") == b"here"
        os.unlink(f"{top}/f5")
        Path(top, "etc", "new").write_bytes(b"new")
    with shots.changed(key) as changed, layers.opened(pile) as parents:
        found = changes(changed.path, parents, marks=changed.marks)
        rows = [f"{row.kind} {row.path.decode()}" for row in found]
    assert rows == ["C etc", "A etc/new", "D f5"]
    shots.remove(key)


def shown(count: int) -> set[str]:
    """The names in the root that begin with f."""
    gone = {0, 3, 7, 9} | ({2, COUNT - 2} if count == COUNT else set())
    return {f"f{number}" for number in range(count) if number not in gone}


@pytest.mark.root
def test_a_view_of_a_pile_of_any_height_takes_no_writes(sealed, run_root):
    root, pile = sealed
    for driver in ("sealed", "unpacked"):
        shots = choose(Settings(root, run_root, "", storage_driver=driver), Layers(root))
        with mounted(shots, shots.view(pile), run_root) as top:
            assert {name for name in os.listdir(top) if name.startswith("f")} == shown(COUNT)
            with pytest.raises(OSError, match="Read-only"):
                os.mkdir(f"{top}/new")


def test_inside_a_user_namespace_too(tmp_path, run_root):
    """As a plain user: layers are unpacked, and marks are in `user.overlay.*`."""
    root = str(tmp_path / "root")
    pile = seal(Layers(make(root).root), *tars()[:60])
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(lamina.__file__).parent.parent)!r})
from lamina.runtime.mounts import perform
from lamina.settings import Settings
from lamina.snapshot.choose import choose
from lamina.snapshot.layers import Layers
from lamina.spec.digest import Digest
pile = [Digest.parse(word) for word in sys.argv[1:]]
settings = Settings({root!r}, {run_root!r}, "", storage_driver="unpacked", max_lowers=8)
shots = choose(settings, Layers({root!r}))
stack = shots.prepare("c1", pile)
(mount,) = shots.mounts(stack, {run_root + "/m"!r})
perform(mount)
print(len(stack.lowers), "userxattr" in mount.options, *sorted(os.listdir(mount.target)))
"""
    done = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-c", program, *map(str, pile)],
        capture_output=True,
        text=True,
        check=False,
    )
    lowers, marks, *names = done.stdout.split()
    assert (lowers, marks) == ("8", "True"), done.stderr
    assert {name for name in names if name.startswith("f")} == shown(60)
    assert "etc" in names
