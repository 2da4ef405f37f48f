"""Reach behind the hub's door: rows a test wants to read or change."""

from lamina.hub import Hub
from lamina.hub.database import Connection
from lamina.hub.tables import repositories
from lamina.hub.tables.repositories import Repository

__all__ = ["find", "hide", "repository"]


def find(connection: Connection, name: str) -> Repository:
    """The repository of that name, which must be there."""
    found = repositories.find(connection, name)
    assert found is not None, name
    return found


def repository(hub: Hub, name: str) -> Repository:
    """The repository of that name, with the pulls counted so far."""
    hub.services.registry.flush_pulls()
    return hub.services.database.read(lambda connection: find(connection, name))


def hide(hub: Hub, name: str) -> None:
    """Make a repository private."""
    hub.services.database.write(
        lambda connection: repositories.set_private(
            connection, find(connection, name), is_private=True
        )
    )
