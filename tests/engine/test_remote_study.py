"""A remote image answers as it does when it is here, and one of its files costs little."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.engine.worlds import PASSWORD, make_engine
from tests.images import debian, write_layout
from tests.servers import Relay

from lamina.engine.engine import Engine
from lamina.engine.indexing import index_image
from lamina.engine.remote_study import remote_study
from lamina.engine.study import studied
from lamina.hub import Hub
from lamina.layer.entry import Kind
from lamina.remote.login import login


@pytest.fixture(scope="module")
def pushed(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, str]]:
    """What python and openssl add to a Debian, 13 MB of gzip, at the hub with its index; and here."""
    folder = tmp_path_factory.mktemp("pushed")
    write_layout(folder / "layout", list(debian().layers[1:]))
    name = f"{hub.address}/alice/debian:12"
    with make_engine(folder / "engine") as engine:
        login(engine.client, hub.address, "alice", PASSWORD)
        engine.images.copy(f"oci:{folder}/layout", f"docker://{name}")
        engine.images.pull(name)
        index_image(engine, name)
        yield engine, name


@contextmanager
def reader_of(name: str, folder: Path) -> Iterator[Engine]:
    """Give an engine that has nothing and may read `name`."""
    with make_engine(folder) as engine:
        login(engine.client, name.partition("/")[0], "alice", PASSWORD)
        yield engine


def test_answers_are_those_of_the_pulled_image(pushed: tuple[Engine, str], tmp_path: Path):
    engine, name = pushed
    with (
        reader_of(name, tmp_path) as other,
        studied(engine, name) as here,
        remote_study(other, name) as there,
    ):
        assert there.image.id == here.image.id
        assert there.packages() == here.packages()
        assert len(there.packages()) > 80
        assert there.made == here.made
        for path in (b"usr/bin/openssl", b"usr/bin/python3", b"usr/lib"):
            assert [(e.number, e.change, e.aspects) for e in there.life(path)] == [
                (e.number, e.change, e.aspects) for e in here.life(path)
            ]
        assert there.waste().files == here.waste().files
        received = there.traffic.received
        assert received < sum(there.image.layer_sizes) / 4
        files = [row for row in here.tree.walk() if row[1].kind is Kind.FILE and row[1].size]
        for path, node in files[:: len(files) // 40]:
            assert there.tree.read(path) == here.tree.read(node)


def test_one_file_of_a_large_image_is_little_traffic_and_few_requests(
    pushed: tuple[Engine, str], tmp_path: Path
):
    engine, name = pushed
    address, _, rest = name.partition("/")
    with Relay(address) as relay, reader_of(f"{relay.address}/{rest}", tmp_path) as other:
        before = relay.passed["down"]
        with remote_study(other, f"{relay.address}/{rest}") as study:
            text = study.tree.read(b"usr/lib/python3.11/abc.py")
            received = study.traffic.received
        with studied(engine, name) as here:
            assert text == here.tree.read(b"usr/lib/python3.11/abc.py")
            whole = sum(here.image.layer_sizes)
        passed = relay.passed["down"] - before
        assert received <= passed < 1_200_000 < whole / 8


def test_layers_that_are_here_are_read_here(pushed: tuple[Engine, str]):
    engine, name = pushed
    with remote_study(engine, name) as study, studied(engine, name) as here:
        assert [layer.path for layer in study.layers] == [layer.path for layer in here.layers]
        assert len(study.packages()) > 80
        assert study.traffic.received == 0
