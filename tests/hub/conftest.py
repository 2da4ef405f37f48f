"""A hub inside the test's process, and people who use it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.postgres import has_postgres

from lamina.hub import Hub, HubSettings, chores, couriers, mail, oidc, upstream
from lamina.hub.databases import postgres

_PATIENCE_S = 100.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs programs that nobody installed, and could not: without root or apt."""
    left_out = []
    if not shutil.which("docker"):  # apt's may be older
        left_out += [
            item
            for item in items
            if item.name.startswith("test_docker_logs_in") or item.name.endswith("[docker]")
        ]
    servers = dict.fromkeys(
        ("test_postgres.py", "test_replicas.py", "test_authorisation_on_postgres.py"),
        has_postgres(),
    )
    servers["test_daemons.py"] = all(map(shutil.which, ("docker", "dockerd", "ctr", "containerd")))
    servers["test_replicas.py"] &= all(map(shutil.which, ("radosgw", "ceph-mon", "ceph-osd")))
    left_out += [item for item in items if not servers.get(item.path.name, True)]
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


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Whoever is asked here is on this machine, which may be busy: nobody is given up for being slow."""
    waits = replace(upstream._PATIENCE, total_s=20.0, connect_s=_PATIENCE_S, read_s=_PATIENCE_S)
    settings = tuple(
        re.sub(r"'\d+s'", f"'{_PATIENCE_S:.0f}s'", each) for each in postgres._SETTINGS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream, "_PATIENCE", waits)
        for module in (couriers, mail, oidc):
            patch.setattr(module, "_TIMEOUT_S", _PATIENCE_S)
        patch.setattr(postgres, "_CONNECT_S", int(_PATIENCE_S))
        patch.setattr(postgres, "_SETTINGS", settings)
        defaults = vars(postgres.PostgresDatabase)["__init__"].__kwdefaults__
        patch.setitem(defaults, "patience_s", _PATIENCE_S)
        yield


@pytest.fixture(scope="module")
def without_chores() -> Iterator[None]:
    """Hubs that start meanwhile do nothing by themselves.

    A chore's commit makes a hub forget what it knows: a test that counts who was asked would see it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chores, "CHORES", ())
        yield


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
