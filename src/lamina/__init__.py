"""Container images without a daemon: understand, make, run and publish them.

    >>> from lamina import Engine
    >>> Engine().images.pull("debian:12")            # doctest: +SKIP
    >>> import lamina
    >>> (lamina.open("debian:12") / "etc/os-release").read_text()   # doctest: +SKIP

The names below load on first use, so that `import lamina` costs almost nothing.
"""

TYPE_CHECKING = False  # not from typing: this import is on the path of every command

if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.errors import LaminaError
    from lamina.files.image import open_image as open  # noqa: A004 - it is `lamina.open`
    from lamina.settings import Settings

__all__ = ["Engine", "LaminaError", "Settings", "__version__", "open"]

__version__ = "0.1.0"

_HOMES = {
    "Engine": ("lamina.engine.engine", "Engine"),
    "LaminaError": ("lamina.errors", "LaminaError"),
    "Settings": ("lamina.settings", "Settings"),
    "open": ("lamina.files.image", "open_image"),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lamina' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home[0]), home[1])
