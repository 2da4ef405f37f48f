"""What makes the first milliseconds cheap: modules that the standard library imports for nothing.

`dataclasses` imports `inspect` (and with it ast, dis, tokenize) for one call that classes with a
docstring never make on Python 3.11. That is half of what `lamina images` would spend on imports
of others, so the command puts a stand-in there that turns into the real module when touched.

And it writes and compiles seven methods for each frozen class, of which most are never called: for
the 40 classes of `lamina commit` a third of all its time. So they are compiled at their first call.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Callable[..., object]]

__all__ = ["compile_later", "postpone"]


class _Postponed(ModuleType):
    """A module that is imported when somebody wants something of it, and then prepared."""

    def __init__(self, name: str, prepare: Callable[[ModuleType], None] | None) -> None:
        super().__init__(name)
        self.__prepare = prepare

    def __getattr__(self, name: str) -> object:
        if (
            name.startswith("__") and name != "__all__"
        ):  # the import system asks for __spec__ itself
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        from importlib import import_module

        real = import_module(self.__name__)
        if self.__prepare is not None:
            self.__prepare(real)
        self.__dict__.update(real.__dict__)
        return getattr(real, name)


def postpone(name: str, prepare: Callable[[ModuleType], None] | None = None) -> None:
    """Let `import name` cost nothing until the module is used; no effect where it is loaded.

    `prepare` is called with the real module before anybody else sees it.
    """
    if name not in sys.modules:
        sys.modules[name] = _Postponed(name, prepare)


def compile_later(dataclasses: ModuleType) -> None:
    """Let `dataclasses` compile each method when it is first called.

    No effect from Python 3.13 on, which compiles all methods of a class at once.
    """
    write = getattr(dataclasses, "_create_fn", None)
    if write is not None:
        dataclasses.__dict__["_create_fn"] = _postponing(write)


def _postponing(write: Write) -> Write:
    """Wrap the function that writes a method: name, arguments and body in, function out."""

    def create(name: str, args: object, body: object, **scope: object) -> Callable[..., object]:
        made: list[Callable[..., object]] = []

        def method(self: object, *values: object, **named: object) -> object:
            if not made:
                function = write(name, args, body, **scope)
                function.__qualname__ = method.__qualname__
                made.append(function)
                for kind in type(self).__mro__:
                    if kind.__dict__.get(name) is method:
                        setattr(kind, name, function)
            return made[0](self, *values, **named)

        method.__name__ = name
        return method

    return create
