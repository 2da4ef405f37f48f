"""Accounts over a real database, with a clock that stands until a test moves it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.hub.clock import Time

from lamina.hub import HubSettings
from lamina.hub.services import People

__all__ = ["Time", "opened"]


@contextmanager
def opened(root: str, time: Time, **settings: object) -> Iterator[People]:
    """The accounts below `root` while the context lasts."""
    people = People.open(HubSettings(root=root, **settings), clock=time)  # type: ignore[arg-type]
    try:
        yield people
    finally:
        people.close()
