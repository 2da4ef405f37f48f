"""What makes the first milliseconds cheap: modules that the standard library imports for nothing.

`http.client` imports `ssl`, and libssl with it, for addresses we may not have. The command puts a
stand-in there that turns into the real module when touched.
"""

from __future__ import annotations

import sys
from types import ModuleType

__all__ = ["postpone"]


class _Postponed(ModuleType):
    """A module that is imported when somebody wants something of it."""

    def __getattr__(self, name: str) -> object:
        if (
            name.startswith("__") and name != "__all__"
        ):  # the import system asks for __spec__ itself
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        from importlib import import_module

        real = import_module(self.__name__)
        self.__dict__.update(real.__dict__)
        return getattr(real, name)


def postpone(name: str) -> None:
    """Let `import name` cost nothing until the module is used; no effect where it is loaded."""
    if name not in sys.modules:
        sys.modules[name] = _Postponed(name)
