"""A hub in this process and engines logged in to it, as fixtures."""

import io
from collections.abc import Iterator

import pytest
from tests.engine.worlds import PASSWORD, make_engine
from tests.images import tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.hub import Hub
from lamina.remote.login import login
from lamina.spec.digest import Digest


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.register("carol", PASSWORD)
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(tmp_path, hub) -> Iterator[Engine]:
    with make_engine(tmp_path / "alice") as engine:  # left open, its sockets would be collected
        login(engine.client, hub.address, "alice", PASSWORD)
        yield engine


@pytest.fixture
def bob(tmp_path) -> Iterator[Engine]:
    with make_engine(tmp_path / "bob") as engine:
        yield engine


@pytest.fixture
def base(engine: Engine) -> Digest:
    """A small image that runs, named `base`."""
    changes = ('CMD ["sh"]', "ENV A=base", "WORKDIR /etc")
    request = ImportRequest(name="base", changes=changes)
    return engine.images.import_(io.BytesIO(tiny()), request)
