"""`lamina.open`: what is found, what stays open for how long, and what can go wrong."""

import errno
import gc
import hashlib
import io
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import world
from tests.engine.worlds import import_image
from tests.files.images import opened, small, world_of_debian
from tests.images import Piece, debian, write_index
from tests.layer.trees import erofs, gnu_tar, overlay
from tests.trees import Fact, Tree, tree_of_folder, tree_of_tar

import lamina
from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.errors import Corrupt, Invalid, NotFound
from lamina.files.image import OpenImage, open_image
from lamina.files.sources import ImageClosed
from lamina.layer.entry import Kind
from lamina.layer.sealed import SealedLayer
from lamina.spec.platform import Platform

KINDS = {Kind.SYMLINK: "link"}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenImage]:
    """Debian with python3 and a patch, open."""
    with world_of_debian(tmp_path_factory.mktemp("real")) as image:
        yield image


@pytest.fixture(scope="module")
def told(real: OpenImage) -> Tree:
    return facts_of(real)


def facts_of(image: OpenImage) -> Tree:
    """Give all that the walk and the reads of an open image tell, in the judges' form."""
    found: Tree = {}
    for path, facts in image.walk():
        raw = os.fsencode(path.lstrip("/"))
        found[raw] = Fact(
            kind=KINDS.get(facts.kind, facts.kind.value), mode=stat.S_IMODE(facts.mode),
            uid=facts.uid, gid=facts.gid, mtime_ns=facts.mtime_ns, link=os.fsencode(facts.target),
            device=facts.device,
            content=digest(image.read(path)) if facts.kind is Kind.FILE else "",
        )  # fmt: skip
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def plain(tree: Tree) -> dict[bytes, tuple[object, ...]]:
    """Leave out what is not told here (attributes) or not said by all (a link's mode)."""
    return {
        path: (
            fact.kind, fact.mode if fact.kind != "link" else 0, fact.uid, fact.gid, fact.mtime_ns,
            fact.link, fact.device, fact.content,
        )
        for path, fact in tree.items()
        if path
    }  # fmt: skip


def test_every_path_is_what_the_image_was_made_of(real: OpenImage, told: Tree):
    assert plain(told) == plain(tree_of_tar(debian().trees[2]))
    assert {facts.layer for _, facts in real.walk()} == {1, 2, 3}


@pytest.mark.root
def test_every_path_is_what_the_mounted_union_shows(real: OpenImage, told: Tree, tmp_path: Path):
    with ExitStack() as stack:
        diff_ids = real.engine.images.resolve("debian:12").config.diff_ids
        layers = stack.enter_context(real.engine.layers.opened(diff_ids))
        mounts = [
            stack.enter_context(erofs(layer, tmp_path / f"m{number}"))
            for number, layer in enumerate(layers)
        ]
        union = stack.enter_context(overlay(mounts, tmp_path / "union"))
        assert plain(told) == plain(tree_of_folder(union))


def test_an_image_is_opened_by_name_and_closes_with_the_block(engine: Engine, monkeypatch):
    small(engine)
    monkeypatch.setenv("LAMINA_ROOT", engine.settings.root)
    with lamina.open("small:1") as image:
        assert (image / "etc/motd").read_text() == "hello\nworld\n"
        assert image.config is not None
        assert image.id == str(image.config.digest)
        assert repr(image) == f"<OpenImage small:1 {image.id[7:19]}>"
    for ask in (lambda: image.read("/etc/motd"), lambda: image.open("/etc/motd")):
        with pytest.raises(ImageClosed, match="has been closed"):
            ask()
    with pytest.raises(ImageUnknown, match="No such image: nosuch"):
        lamina.open("nosuch")


def test_a_notebook_draws_an_image_that_is_here(engine: Engine):
    small(engine)
    with opened(engine) as image:
        drawn = image._repr_html_()
        assert drawn is not None
        assert "<svg" in drawn
        engine.images.remove("small:1", force=True, now=True)
        assert image._repr_html_() is None


def test_what_is_wrong_with_a_path_is_told_as_a_disk_would(engine: Engine):
    small(engine)
    with opened(engine) as image:
        for path, kind, number in [
            ("/no", FileNotFoundError, errno.ENOENT),
            ("/etc/motd/x", NotADirectoryError, errno.ENOTDIR),
            ("/loop", OSError, errno.ELOOP),
            ("/nowhere", FileNotFoundError, errno.ENOENT),
            ("/etc/gone", FileNotFoundError, errno.ENOENT),
            ("/old/file", FileNotFoundError, errno.ENOENT),
            ("/etc", IsADirectoryError, errno.EISDIR),
        ]:
            for ask in (image.read, image.open):
                with pytest.raises(kind) as caught:
                    ask(path)
                assert (caught.value.errno, caught.value.filename) == (number, path)
        with pytest.raises(NotADirectoryError):
            image.listdir("/etc/motd")
        assert image.read("up/motd") == b"hello\nworld\n"  # `..` of the root is the root
        assert image.read("/cycle/back/cycle/back/etc/new") == "grüße\r\n".encode()
        assert image.read("/latin\udce9") == b"latin"


def test_a_file_without_content_says_what_it_is(real: OpenImage):
    with pytest.raises(OSError, match="Not a file with content but a fifo"):
        real.open("/opt/patch/pipe")


def test_holes_are_read_as_zeros_and_told_apart(engine: Engine, tmp_path: Path):
    with (tmp_path / "holed").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    data = gnu_tar(tmp_path, "-S", "--format=posix", "--exclude=./root")
    engine.images.import_(io.BytesIO(data), ImportRequest(name="holes:1"))
    with opened(engine, "holes:1") as image:
        assert image.stat("/holed").size == 64 << 20
        assert image.read("/holed", (32 << 20) - 2, 10) == b"\0\0middle\0\0"
        pieces = list(image.pieces("/holed"))
        assert sum(len(data) for _, data in pieces) < 4 << 20
        assert any(b"middle" in data for _, data in pieces)


def test_one_layer_shows_what_it_has(engine: Engine):
    small(engine)
    diff_ids = engine.images.resolve("small:1").config.diff_ids
    for layer in (2, "2", str(diff_ids[1]), diff_ids[1].hex[:8]):
        with opened(engine, layer=layer) as image:
            assert [name for name, _ in image.listdir("/etc")] == ["new"]
            assert image.stat("/etc/new").layer == 2
            assert image.layer == "2"
    with opened(engine, layer=1) as image:
        assert image.read("/old/file") == b"old"
    with pytest.raises(Invalid, match="has no layer number 3"):
        opened(engine, layer=3)


def test_what_was_opened_stays_readable_when_the_image_is_removed(engine: Engine):
    small(engine)
    image = opened(engine)
    stream = image.open("/etc/motd")
    words = pickle.dumps(image)
    engine.images.remove("small:1", force=True, now=True)
    assert image.read("/etc/new") == "grüße\r\n".encode()
    image.close()
    assert stream.read() == b"hello\nworld\n"  # opened before
    stream.close()
    with pytest.raises(ImageUnknown, match="which is not here"):
        pickle.loads(words)


def test_what_was_pickled_is_the_same_image_when_its_name_means_another(engine: Engine):
    small(engine)
    with opened(engine) as image:
        words = pickle.dumps(image / "etc/motd")
        import_image(engine, "small:1", [Piece("etc/motd", b"another")])
        again = pickle.loads(words)
        assert again.read_bytes() == b"hello\nworld\n"
        assert again == image / "etc/motd"
        again.image.close()
    engine.images.remove("small:1", force=True, now=True)
    engine.images.prune(now=True)
    import_image(engine, "small:1", [Piece("etc/motd", b"another")])
    with pytest.raises(ImageUnknown, match=r"opened as sha256:.*, which is not here"):
        pickle.loads(words)


def descriptors() -> list[str]:
    """List this process's maps and descriptors of sealed layers."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    found = [line.split()[-1] for line in maps if "/layers/" in line]
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        found += [target] if "/layers/" in target else []
    return found


def test_what_is_forgotten_leaves_no_descriptor(engine: Engine):
    small(engine)
    gc.collect()
    before = descriptors()
    image = opened(engine)
    stream, walk = image.open("/etc/motd"), image.walk()
    next(walk)
    assert len(descriptors()) > len(before)
    image.close()
    assert len(descriptors()) > len(before)  # somebody still reads
    walk.close()
    stream.close()
    assert descriptors() == before
    image = opened(engine)
    stream = image.open("/etc/motd")
    assert stream.read(1) == b"h"
    del image, stream
    gc.collect()
    assert descriptors() == before


def test_many_threads_read_one_image(real: OpenImage):
    wrong: list[object] = []
    wanted = {path: facts.size for path, facts in real.walk("/usr/share") if facts.size}
    paths = sorted(wanted)

    def read(start: int) -> None:
        for path in paths[start::7]:
            if {len(real.read(path)), real.stat(path).size} != {wanted[path]}:
                wrong.append(path)  # noqa: PERF401 - several threads do
        if {path for path, facts in real.walk("/usr/share") if facts.size} != set(paths):
            wrong.append("walk")

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_process_and_a_spawned_one_read_on(engine: Engine):
    small(engine)
    with opened(engine) as image:
        file = image.open("/etc/motd")
        assert file.readline() == b"hello\n"
        pid = os.fork()
        if not pid:  # a process of its own: nothing of pytest may run there
            try:
                good = (image / "etc/new").read_bytes() and file.readline() == b"world\n"
            finally:
                os._exit(0 if good else 1)
        assert os.waitpid(pid, 0)[1] == 0
        script = "import pickle, sys; print(pickle.load(sys.stdin.buffer).readline())"
        done = subprocess.run(
            [sys.executable, "-c", script], input=pickle.dumps(file), capture_output=True,
            check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert (done.stdout, done.stderr) == (b"b'world\\n'\n", b"")
        file.close()


def test_a_damaged_layer_is_said_to_be(engine: Engine):
    small(engine)
    path = engine.layers.path(engine.images.resolve("small:1").config.diff_ids[:1])
    with SealedLayer.open(path) as layer:
        place = layer.meta_at
    data = bytearray(Path(path).read_bytes())
    data[place + 40] ^= 255
    Path(path).write_bytes(data)
    with pytest.raises(Corrupt, match="damaged"), opened(engine) as image:
        list(image.walk())


def test_an_image_for_another_machine_is_opened_by_its_platform(engine: Engine, tmp_path: Path):
    here = str(Platform.from_machine(os.uname().machine))
    write_index(tmp_path / "layout", (here, "linux/s390x"))
    engine.images.copy(f"oci:{tmp_path}/layout", "both", everything=True)
    for platform in ("", here, "linux/s390x"):
        with opened(engine, "both", platform=platform) as image:
            assert (image / "name").read_text() == (platform or here)
            words = pickle.dumps(image / "name")
        again = pickle.loads(words)
        assert again.read_text() == (platform or here)
        again.image.close()
    with pytest.raises(ImageUnknown, match="does not provide"):
        opened(engine, "both", platform="linux/mips64")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lamina, Engine]]:
    with world(tmp_path_factory.mktemp("files")) as lamina:
        script = "echo new > /etc/made; rm /etc/group; mkdir /d; sleep 1000"
        lamina("run", "-d", "--name", "box", "tiny", "sh", "-c", script)
        with Engine(lamina.settings) as engine:
            yield lamina, engine


@pytest.mark.root
def test_a_container_is_read_as_it_is_at_each_moment(inside: tuple[Lamina, Engine]):
    from tests.containers import eventually

    lamina, engine = inside
    image = open_image("box", engine=engine)
    assert image.is_container
    eventually((image / "d").is_dir)
    assert (image / "etc/made").read_text() == "new\n"
    assert (image / "etc/made").layer == 2
    assert (image / "etc/passwd").layer == 1
    assert not (image / "etc/group").exists()
    file = (image / "etc/made").open()
    lamina("exec", "box", "sh", "-c", "rm /etc/made; echo later > /etc/later")
    assert (image / "etc/later").read_text() == "later\n"
    assert not (image / "etc/made").exists()
    assert file.read() == "new\n"  # the file that was opened
    file.close()
    again = pickle.loads(pickle.dumps(image / "etc/later"))
    assert again.read_text() == "later\n"
    with pytest.raises(Invalid, match="has no layers of its own"):
        open_image("box", engine=engine, layer=1)
    lamina("rm", "-f", "box")
    with pytest.raises(NotFound, match="No such container"):
        image.read("/etc/later")
