"""A hub inside the test's process, and people who use it."""

from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub, HubSettings


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[Hub]:
    """A hub with the accounts root (admin), alice and bob."""
    settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")), port=0, shutdown_s=2.0, address_failures=1000
    )
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture(scope="module")
def nobody(hub) -> Client:
    return Client(hub.address)


@pytest.fixture(scope="module")
def alice(hub) -> Client:
    return Client(hub.address, "alice")


@pytest.fixture(scope="module")
def bob(hub) -> Client:
    return Client(hub.address, "bob")


@pytest.fixture(scope="module")
def chief(hub) -> Client:
    return Client(hub.address, "chief")
