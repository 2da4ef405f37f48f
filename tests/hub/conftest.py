"""A hub inside the test's process, and people who use it."""

import shutil
from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub, HubSettings


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs docker's own command where nobody installed it: apt's may be older."""
    if shutil.which("docker"):
        return
    left_out = [item for item in items if item.name.startswith("test_docker_logs_in")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


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
