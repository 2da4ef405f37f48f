from collections.abc import Iterator

import pytest
from tests.servers import RegistryServer
from tests.soak.worlds import World, opened


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for every test here: each leaves it as it should be."""
    folder = tmp_path_factory.mktemp("soak")
    with (
        RegistryServer(tmp_path_factory.mktemp("registry")) as registry,
        opened(folder, folder / "root", registry) as world,
    ):
        yield world
