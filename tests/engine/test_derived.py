"""What was made from sealed layers is looked into, and taken away where it is wrong."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archives import archive
from tests.engine.test_fsck import spoil
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.findings import Health, Part, Shape
from lamina.engine.fsck import check
from lamina.engine.mend import mend
from lamina.settings import Settings

pytestmark = pytest.mark.root

LAYERS = (
    tar([Piece("etc/", directory=True), Piece("etc/motd", b"hello"), Piece("big", b"x" * 70_000)]),
    tar([Piece("etc/link", link="motd"), Piece("etc/.wh.motd"), Piece("var/old/.wh..wh..opq")]),
    tar([Piece("etc/new", b"new")]),
    tar([Piece("last", b"last", mode=0o750, uid=12, gid=34, xattrs=(("user.a", "b"),))]),
)
STEPS: list[dict[str, object]] = [{"created": "2026-01-01T00:00:00Z"}] * len(LAYERS)


def deep(settings: Settings, driver: str, most: int) -> Engine:
    """An engine with an image of four layers, made ready for containers."""
    engine = Engine(replace(settings, storage_driver=driver, max_lowers=most))
    engine.images.load(io.BytesIO(archive("deep:1", layers=LAYERS, steps=STEPS)))
    engine.snapshotter.view(engine.images.resolve("deep:1").config.diff_ids)
    return engine


def unpacked(engine: Engine, path: str) -> Path:
    """Where an unpacked layer has `path`."""
    [found] = Path(engine.store.root, "snapshots/unpacked").glob(f"*/{path}")
    return found


def change(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"Y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def close(path: Path) -> None:
    path.chmod(0o600)


def give(path: Path) -> None:
    os.chown(path, 12, 35)


def age(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def strip(path: Path) -> None:
    os.removexattr(path, "user.a")


def add(path: Path) -> None:
    os.setxattr(path, "user.b", b"c")


def show(path: Path) -> None:
    os.removexattr(path, "trusted.overlay.opaque")


def turn(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("path", "harm", "said"),
    [
        ("big", change, "/big is not as its layer has it"),
        ("big", turn, "/big is not as its layer has it"),
        ("big", Path.unlink, "/big is missing"),
        ("etc/link", turn, "/etc/link is not as its layer has it"),
        ("last", close, "the mode of /last is not as its layer has it"),
        ("last", give, "the owner of /last is not as its layer has it"),
        ("last", age, "the time of /last is not as its layer has it"),
        ("last", strip, "the attributes of /last are not as its layer has it"),
        ("last", add, "the attributes of /last are not as its layer has it"),
        ("var/old", close, "the mode of /var/old is not as its layer has it"),
        ("var/old", show, "the marks of /var/old are not as its layer has it"),
        (
            "last",
            lambda path: path.with_name("more").write_bytes(b""),
            "/more is not of this layer",
        ),
    ],
)
def test_a_folder_that_is_not_its_layer_is_found_and_made_again(
    settings: Settings, path: str, harm: Callable[[Path], object], said: str
):
    engine = deep(settings, "unpacked", 500)
    assert check(engine).findings == ()
    harm(unpacked(engine, path))
    report = check(engine)
    [found] = report.findings
    assert (found.health, found.shape, found.part) == (Health.BROKEN, Shape.DAMAGED, Part.UNPACKED)
    assert found.detail == said
    assert found.images == ("docker.io/library/deep:1",)
    assert mend(engine, report).is_clean
    engine.snapshotter.view(engine.images.resolve("deep:1").config.diff_ids)
    assert check(engine).findings == ()
    assert unpacked(engine, "big").read_bytes() == b"x" * 70_000


def test_a_prune_says_what_it_freed_of_unpacked_layers_too(settings: Settings):
    engine = deep(settings, "unpacked", 2)
    before, blobs = engine.system.df().size, len(list(engine.store.blobs))
    _, freed = engine.images.prune(all_unused=True, now=True)
    difference = before - engine.system.df().size
    assert difference > 4 * 70_000, "blob, sealed, merged, and unpacked twice"
    assert abs(difference - freed) <= 4096 * (blobs + 8), "blobs are counted by their length"


def test_merged_folders_are_compared_with_what_their_layers_show(settings: Settings):
    engine = deep(settings, "unpacked", 2)
    assert check(engine).findings == ()
    folders = Path(engine.store.root, "snapshots/unpacked").glob("merged-*")
    [merged] = [folder for folder in folders if folder.is_dir()]
    change(merged / "big")
    report = check(engine)
    [found] = report.findings
    assert found.subject == f"snapshots/unpacked/{merged.name}"
    assert mend(engine, report).is_clean
    assert not merged.exists()


def test_merged_layers_are_hashed_and_made_again(settings: Settings):
    engine = deep(settings, "sealed", 2)
    if engine.snapshotter.name != "sealed":
        pytest.fail("this machine cannot mount sealed layers")
    assert check(engine).findings == ()
    [(_, path)] = engine.layers.merged_layers()
    spoil(Path(path), 5000)
    report = check(engine)
    [found] = report.findings
    assert (found.health, found.part) == (Health.BROKEN, Part.MERGED)
    assert mend(engine, report).is_clean
    assert not os.path.exists(path)
    engine.snapshotter.view(engine.images.resolve("deep:1").config.diff_ids)
    assert check(engine).findings == ()


def test_a_folder_of_no_layer_is_told_and_left(settings: Settings):
    engine = deep(settings, "unpacked", 500)
    Path(engine.store.root, "snapshots/unpacked/stray").mkdir()
    report = check(engine)
    assert report.is_clean
    [found] = report.findings
    assert (found.shape, found.subject) == (Shape.LEFT_OVER, "snapshots/unpacked/stray")
