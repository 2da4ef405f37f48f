"""The census adds up to what `du` says, whatever lies below the root."""

import os
import subprocess

from tests.engine.worlds import import_image

from lamina.engine.census import census


def du(folder):
    done = subprocess.run(
        ["du", "-s", "--block-size=1", folder], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])


def test_every_kind_of_content_is_counted_where_it_belongs(engine):
    import_image(engine, "a:1")
    root = engine.store.root
    diff_id = engine.images.resolve("a:1").config.diff_ids[0]
    for path, size in (
        ("uploads/half", 70_000),
        (f"layers/new/{'a' * 64}", 9_000),
        ("volumes/data/_data/file", 30_000),
        (f"containers/{'c' * 64}/log", 12_000),
        (f"snapshots/active/{'c' * 64}/upper/written", 50_000),
        (f"snapshots/unpacked/{diff_id.hex}/etc/file", 8_000),
        (f"layers/merged/{diff_id.hex}/merged-{'e' * 64}", 20_000),
        (f"snapshots/unpacked/merged-{'e' * 32}-{diff_id.hex}/f", 6_000),
        ("blobs/sha256/somebody's file", 5_000),
    ):
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with open(f"{root}/{path}", "wb") as file:
            file.write(os.urandom(size))
    os.link(f"{root}/volumes/data/_data/file", f"{root}/volumes/data/_data/second")
    os.symlink("file", f"{root}/volumes/data/_data/link")
    found = census(root)
    assert found.total == du(root)
    assert found.containers["c" * 64] >= 62_000
    assert 30_000 <= found.volumes["data"] < 60_000
    assert found.partials >= 79_000
    assert set(found.layers) == {diff_id}
    assert found.layers[diff_id] >= 34_000
    assert set(found.blobs) == set(engine.store.blobs)


def test_folders_deeper_than_any_path_are_counted(engine):
    engine.images.list()
    top = os.open(engine.store.disk.volumes, os.O_RDONLY)
    try:
        here = top
        for _ in range(30):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            if here != top:
                os.close(here)
            here = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
    finally:
        os.close(top)
    found = census(engine.store.root)
    assert found.total == du(engine.store.root)
    assert len(found.volumes) == 1
