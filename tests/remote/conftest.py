"""Registries of the tests of the client: started once, with repositories of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.remote.crooked import PasswordRegistry, client_for
from tests.servers import RegistryServer

from lamina.remote.client import Client


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Give distribution's registry without passwords."""
    with RegistryServer(tmp_path_factory.mktemp("open-registry")) as server:
        yield server


@pytest.fixture(scope="session")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PasswordRegistry]:
    """Give distribution's registry that asks for a name and password."""
    with PasswordRegistry(tmp_path_factory.mktemp("locked-registry")) as server:
        yield server


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Give a client that knows no login."""
    with client_for(tmp_path) as made:
        yield made
