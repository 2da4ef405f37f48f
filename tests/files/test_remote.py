"""Files of an image at a registry: what `lamina.open` gives of it without pulling it, and at what price."""

import gc
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from tests.engine.worlds import PASSWORD, make_engine
from tests.files.images import HIGH, LOW
from tests.images import Piece, tar, write_layout
from tests.servers import HubServer, Relay

import lamina
from lamina.engine.engine import Engine
from lamina.engine.indexing import index_image
from lamina.engine.local import ImageUnknown
from lamina.errors import Invalid
from lamina.files.facts import FileFacts
from lamina.files.image import OpenImage, open_image
from lamina.files.sources import ImageClosed
from lamina.image.remote_image import IndexMissing
from lamina.remote.login import login

NOISE = random.Random(26).randbytes(12 << 20)
"""What no compression makes smaller, so that bytes of files are bytes of traffic."""


@pytest.fixture(scope="module")
def pushed(
    hub: HubServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, str]]:
    """Three layers, 12 MB of them noise, at the hub with an index; and without one as `bare`."""
    folder = tmp_path_factory.mktemp("pushed")
    size = 64 * 1024
    noise = [Piece(f"data/{n:03}", NOISE[n * size : (n + 1) * size]) for n in range(192)]
    write_layout(folder / "layout", [tar(LOW), tar(noise), tar(HIGH)])
    hub.register("alice", PASSWORD)
    with make_engine(folder / "engine") as engine:
        login(engine.client, hub.address, "alice", PASSWORD)
        for name in ("app:1", "bare:1"):
            target = f"docker://{hub.address}/alice/{name}"
            engine.images.copy(f"oci:{folder}/layout", target)
        index_image(engine, f"{hub.address}/alice/app:1")
        yield engine, f"{hub.address}/alice/app:1"


@pytest.fixture
def reader(pushed: tuple[Engine, str], tmp_path: Path) -> Iterator[Engine]:
    """An engine that has nothing and may read at the hub."""
    with make_engine(tmp_path) as engine:
        login(engine.client, pushed[1].partition("/")[0], "alice", PASSWORD)
        yield engine


@pytest.fixture
def remote(pushed: tuple[Engine, str], reader: Engine) -> Iterator[OpenImage]:
    with open_image(pushed[1], remote=True, engine=reader) as image:
        yield image


def everything(image: OpenImage) -> dict[str, tuple[FileFacts, bytes]]:
    return {
        path: (facts, image.read(path) if facts.kind.value == "file" else b"")
        for path, facts in image.walk()
    }


def test_it_is_what_the_pulled_image_is(
    pushed: tuple[Engine, str], remote: OpenImage, reader: Engine
):
    found = everything(remote)
    reader.images.pull(pushed[1], unpack=False)
    with open_image(pushed[1], remote=False, engine=reader) as here:
        wanted = everything(here)
        assert here.received == 0
        assert here.id == remote.id
        assert here.path == remote.path
        assert here.fs.ukey("/data/007") == remote.fs.ukey("/data/007")
        assert here.fs.created("/data/007") == remote.fs.created("/data/007")
    assert {path: row[1] for path, row in found.items()} == {
        path: row[1] for path, row in wanted.items()
    }
    assert found == wanted


def test_one_file_costs_little_of_the_image(pushed: tuple[Engine, str], reader: Engine):
    address, _, rest = pushed[1].partition("/")
    with Relay(address) as relay:
        login(reader.client, relay.address, "alice", PASSWORD)
        before = relay.passed["down"]
        with open_image(f"{relay.address}/{rest}", engine=reader) as image:
            listed = [path.name for path in (image / "data").iterdir()]
            assert len(listed) == 192
            opened = relay.passed["down"] - before
            assert (image / "data/100").read_bytes() == NOISE[100 * 65536 : 101 * 65536]
            passed = relay.passed["down"] - before
            with (image / "data/101").open("rb") as file:
                file.seek(1000)
                assert file.read(10) == NOISE[101 * 65536 + 1000 :][:10]
            assert relay.passed["down"] - before - passed < 4 << 20
            assert 0 < image.received <= relay.passed["down"] - before
    assert opened < 200_000
    assert passed < 5 << 20
    assert passed < len(NOISE) / 2


def test_a_layer_alone_and_a_platform_are_chosen_there_too(
    pushed: tuple[Engine, str], reader: Engine
):
    with open_image(f"docker://{pushed[1]}", layer=3, engine=reader) as image:
        assert [path.name for path in image.path.iterdir()] == ["etc", "old"]
        assert (image / "etc/new").layer == 3
        assert image.name == pushed[1]
    with pytest.raises(Invalid, match="has no layer number 4"):
        open_image(pushed[1], layer=4, engine=reader)
    with open_image(pushed[1], platform="linux/amd64", engine=reader) as image:
        assert (image / "etc/new").is_file()
    with pytest.raises(ImageUnknown, match="does not provide the specified platform"):
        open_image(pushed[1], platform="linux/s390x", remote=True, engine=reader)


def test_what_is_here_is_read_here_unless_the_registry_is_asked_for(
    pushed: tuple[Engine, str], reader: Engine
):
    with open_image(pushed[1], engine=reader) as image:  # its name says where
        assert image.received > 0
    with pytest.raises(ImageUnknown, match="No such image"):
        open_image(pushed[1], remote=False, engine=reader)
    with pytest.raises(ImageUnknown, match="No such image: nosuch"):
        open_image("nosuch", engine=reader)  # nobody asks Docker's registry for it
    bare = pushed[1].replace("app:1", "bare:1")
    with pytest.raises(IndexMissing, match="has no seek index"):
        open_image(bare, remote=True, engine=reader)
    with pytest.raises(ImageUnknown, match=r"and at its registry: .* has no seek index") as caught:
        open_image(bare, engine=reader)
    assert "lamina index" in caught.value.hint
    reader.images.pull(pushed[1], unpack=False)
    with open_image(pushed[1], engine=reader) as image:
        assert (image / "data/000").is_file()
        assert image.received == 0
    with open_image(pushed[1], remote=True, engine=reader) as image:  # its layers are here
        assert len((image / "data/000").read_bytes()) == 65536
        assert image.received == 0


def test_as_a_url_it_is_read_at_its_registry(
    pushed: tuple[Engine, str], reader: Engine, monkeypatch: pytest.MonkeyPatch
):
    for name in ("root", "run_root"):
        monkeypatch.setenv(f"LAMINA_{name.upper()}", getattr(reader.settings, name))
    monkeypatch.setenv("DOCKER_CONFIG", reader.settings.docker_config)
    for url in (f"lamina://{pushed[1]}/etc/motd", f"lamina://{pushed[1]}:/etc/motd?remote=1"):
        with fsspec.open(url) as file:
            assert file.read() == b"hello\nworld\n"
    with pytest.raises(FileNotFoundError, match="No such image"):
        fsspec.open(f"lamina://{pushed[1]}:/etc/motd?remote=0")
    with lamina.open(pushed[1]) as image:
        fs, path = fsspec.url_to_fs((image / "etc/motd").as_uri())
        assert fs.cat(path) == b"hello\nworld\n"
        fs.image.close()


def test_threads_read_it_together(remote: OpenImage):
    wrong: list[int] = []

    def read(start: int) -> None:
        for number in range(start, 192, 24):
            wanted = NOISE[number * 65536 : (number + 1) * 65536]
            if remote.read(f"/data/{number:03}") != wanted or not remote.stat("/etc/motd").size:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_other_processes_have_connections_of_their_own(remote: OpenImage):
    file = remote.open("/data/005")
    assert file.read(3) == NOISE[5 * 65536 :][:3]
    pid = os.fork()
    if not pid:  # nothing of pytest may run there
        good = False
        try:
            good = remote.read("/data/190") == NOISE[190 * 65536 : 191 * 65536]
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert remote.read("/data/180") == NOISE[180 * 65536 : 181 * 65536]
    script = "import pickle, sys; f = pickle.load(sys.stdin.buffer); print(f.tell(), len(f.read()))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], input=pickle.dumps(file), capture_output=True,
        check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"3 65533\n", b"")
    file.close()
    again = pickle.loads(pickle.dumps(remote / "etc/motd"))
    assert again == remote / "etc/motd"
    assert again.read_text() == "hello\nworld\n"
    again.image.close()


def test_closed_it_lets_go_of_what_it_opened(pushed: tuple[Engine, str], reader: Engine):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    reader.close()
    gc.collect()  # of earlier tests
    before = descriptors()
    image = open_image(pushed[1], remote=True, engine=reader)
    file = image.open("/etc/motd")
    assert descriptors() > before
    image.close()
    with pytest.raises(ImageClosed):
        image.read("/etc/motd")
    assert file.read() == b"hello\nworld\n"
    file.close()
    reader.close()  # an engine that was given is its owner's
    assert descriptors() <= before
    image = open_image(pushed[1], remote=True, engine=reader)
    assert (image / "etc").is_dir()
    del image  # forgotten
    reader.close()
    assert descriptors() <= before
