"""Looking into images and containers: the right tree, from the library and from commands."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import world
from tests.engine.worlds import import_image
from tests.images import Piece, tar
from tests.layer.trees import gnu_tar, tar_of
from tests.trees import tree_of_tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.engine.reading import entries, extract, is_container, tree_of, write_tar
from lamina.layer.entry import Entry, Kind

PIECES = (
    Piece("etc/", directory=True, mode=0o755),
    Piece("etc/one", b"1"),
    Piece("etc/two", hard="etc/one"),
    Piece("etc/link", link="one"),
)


def test_an_images_tree_is_open_for_the_body(engine: Engine):
    image_id = import_image(engine, "small:1", PIECES)
    for name in ("small:1", str(image_id), image_id.hex[:12]):
        with engine.images.tree(name) as tree:
            assert tree.read(b"etc/link") == b"1"
            assert [name for name, _ in tree.listdir(b"etc")] == [b"link", b"one", b"two"]
    with pytest.raises(ImageUnknown), engine.images.tree("nosuch"):
        pass


def test_an_image_of_another_tools_is_sealed_and_read(engine: Engine, tmp_path: Path):
    import shutil

    from tests.images import write_layout

    write_layout(tmp_path / "layout", [tar(PIECES)], tag="docker.io/library/theirs:1")
    for name in ("index.json", "blobs"):
        target = Path(engine.store.root) / name
        shutil.rmtree(target, ignore_errors=True)
        target.unlink(missing_ok=True)
        shutil.move(tmp_path / "layout" / name, target)
    with engine.images.tree("theirs:1") as tree:
        assert tree.read(b"etc/one") == b"1"


def test_a_part_of_a_tree_is_written_under_another_name(engine: Engine):
    import_image(engine, "small:1", PIECES)
    with engine.images.tree("small:1") as tree:
        rows = [(entry.path, entry.kind, entry.link) for entry, _ in entries(tree, b"etc", b"new")]
        parts: list[bytes] = []
        write_tar(tree, b"etc", parts.append, shown=b"")
    assert rows == [
        (b"new", Kind.DIRECTORY, b""),
        (b"new/link", Kind.SYMLINK, b"one"),
        (b"new/one", Kind.FILE, b""),
        (b"new/two", Kind.HARDLINK, b"new/one"),
    ]
    found = tree_of_tar(io.BytesIO(b"".join(parts)))
    assert sorted(found) == [b"", b"link", b"one", b"two"]
    assert found[b"one"].same == (b"one", b"two")


def test_a_device_is_left_out_where_nobody_may_make_one(engine: Engine, tmp_path: Path):
    null = Entry(b"dev/null", Kind.CHARACTER, 0o666, device=(1, 3))
    data = tar_of([null, (Entry(b"dev/shm", Kind.FILE), b"after it")])
    engine.images.import_(io.BytesIO(data), ImportRequest(name="devices:1"))
    target = tmp_path / "copy"
    target.mkdir()
    fd = os.open(target, os.O_RDONLY)
    try:
        with engine.images.tree("devices:1") as tree:
            assert extract(tree, b"dev", fd, shown=b"") == 8
    finally:
        os.close(fd)
    assert (target / "shm").read_text() == "after it"
    assert (target / "null").exists() == (os.geteuid() == 0)


def test_holes_stay_holes_in_a_copy(engine: Engine, tmp_path: Path):
    folder = tmp_path / "from"
    folder.mkdir()
    with (folder / "holed").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    data = gnu_tar(folder, "-S", "--format=posix")
    engine.images.import_(io.BytesIO(data), ImportRequest(name="holes:1"))
    target = tmp_path / "copy"
    target.mkdir()
    fd = os.open(target, os.O_RDONLY)
    try:
        with engine.images.tree("holes:1") as tree:
            extract(tree, b"holed", fd, shown=b"new")
    finally:
        os.close(fd)
    found = target / "new"
    assert found.read_bytes() == (folder / "holed").read_bytes()
    assert found.stat().st_blocks * 512 < 4 << 20


@pytest.fixture(scope="module", params=["", "copied"])
def inside(tmp_path_factory, request) -> Iterator[tuple[Lamina, Engine]]:
    """A stopped container, on the best driver here and on the one that copies everything."""
    with world(tmp_path_factory.mktemp("reading"), driver=request.param) as lamina:
        script = "echo new > /etc/made; rm /etc/group; echo changed >> /etc/os-release; mkdir /d"
        lamina("run", "--name", "box", "tiny", "sh", "-c", script)
        with Engine(lamina.settings) as engine:
            yield lamina, engine


def test_a_container_is_read_as_it_is_now(inside: tuple[Lamina, Engine]):
    lamina, _ = inside
    assert lamina("cat", "box:/etc/made") == "new\n"
    assert lamina("cat", "box:/etc/os-release").endswith("changed\n")
    listed = lamina("ls", "box:/etc").split()
    assert {"made", "os-release", "passwd"} <= set(listed)
    assert "group" not in listed
    assert "busybox" in lamina("ls", "box:/bin").split()
    assert "drwxr-xr-x" in lamina("ls", "-ld", "box:/d")
    assert lamina.attempt("ls", "box:/etc/group").code == 2
    lamina("start", "box")  # it runs the script again: and may be read meanwhile
    assert lamina("ls", "-d", "box:/etc/made") == "/etc/made\n"
    lamina("wait", "box")


def test_a_containers_name_wins_over_an_images(inside: tuple[Lamina, Engine]):
    lamina, engine = inside
    lamina("tag", "tiny", "box")
    record = engine.containers.record("box")
    for name in ("box", record.id, record.id[:10]):
        assert is_container(engine, name)
    assert not any(is_container(engine, name) for name in ("tiny", "box:latest", "nosuch", ""))
    assert "made" in lamina("ls", "box:/etc").split()
    assert "made" not in lamina("ls", "box:latest:/etc").split()
    assert lamina("ls", "--layer", "1", "box:/home") == ""


@pytest.mark.root
def test_the_library_reads_both(inside: tuple[Lamina, Engine]):
    _, engine = inside
    with tree_of(engine, "box") as tree:
        assert tree.read(b"etc/made") == b"new\n"
    with engine.containers.tree("box") as tree:
        assert tree.lookup(b"etc/group") is None
    with tree_of(engine, "tiny") as tree:
        assert tree.lookup(b"etc/group") is not None
