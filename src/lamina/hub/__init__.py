"""Our registry: the distribution API, accounts and pages.

    >>> from lamina.hub import Hub
    >>> with Hub(root="/srv/hub", port=0) as hub:      # doctest: +SKIP
    ...     hub.register("alice", "correct horse battery")
    ...     print(hub.address)

The names below load on first use: the server's libraries are heavy.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.hub.app import create_app
    from lamina.hub.running import Hub, serve
    from lamina.hub.settings import HubSettings

__all__ = ["Hub", "HubSettings", "create_app", "serve"]

_HOMES = {
    "Hub": "lamina.hub.running",
    "HubSettings": "lamina.hub.settings",
    "create_app": "lamina.hub.app",
    "serve": "lamina.hub.running",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lamina.hub' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)
