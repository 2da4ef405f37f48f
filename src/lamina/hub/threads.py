"""Blocking work off the event loop: one pool for work, one for passwords, one for other machines."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Threads"]

T = TypeVar("T")
_WORKERS = 16
_PASSWORD_WORKERS = 2
_AWAY_WORKERS = 4


class Threads:
    """Three bounded pools. Password hashing has its own: a storm of logins leaves pulls alone.

    So has what waits for a machine of somebody else's, which may never answer.
    """

    def __init__(self) -> None:
        self._work = ThreadPoolExecutor(_WORKERS, "hub-work")
        self._passwords = ThreadPoolExecutor(_PASSWORD_WORKERS, "hub-password")
        self._away = ThreadPoolExecutor(_AWAY_WORKERS, "hub-away")

    def call(self, work: Callable[..., T], /, *arguments: object) -> "asyncio.Future[T]":
        """Run `work(*arguments)` on a thread; await the result."""
        return asyncio.get_running_loop().run_in_executor(self._work, work, *arguments)

    def call_slow(self, work: Callable[..., T], /, *arguments: object) -> "asyncio.Future[T]":
        """Run a password's hashing: costs tens of milliseconds of a core, two at a time."""
        return asyncio.get_running_loop().run_in_executor(self._passwords, work, *arguments)

    def call_away(self, work: Callable[..., T], /, *arguments: object) -> "asyncio.Future[T]":
        """Run what asks another machine: seconds, or as long as its own patience lasts."""
        return asyncio.get_running_loop().run_in_executor(self._away, work, *arguments)

    def close(self) -> None:
        """Wait for what runs and drop what waits."""
        self._away.shutdown(wait=True, cancel_futures=True)
        self._passwords.shutdown(wait=True, cancel_futures=True)
        self._work.shutdown(wait=True, cancel_futures=True)
