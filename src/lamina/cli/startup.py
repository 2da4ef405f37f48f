"""What makes the first milliseconds cheap: modules that are imported for nothing, or for a name or two.

`http.client` imports `ssl`, and libssl with it, for addresses we may not have. The command puts a
stand-in there that turns into the real module when touched. Where a name or two of a module are all that we
use, the stand-in has these at hand (`light`).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Names = Mapping[str, object]

__all__ = ["lighten", "make_whole", "postpone"]

_Module: type = type(sys)  # `types.ModuleType`, without `types`


class _Postponed(_Module):  # type: ignore[misc]  # mypy does not follow
    """A module that is imported when somebody wants something of it that is not at hand."""

    def __init__(self, name: str, at_hand: Callable[[], Names] | None) -> None:
        super().__init__(name)
        # Under names that no module has; whatever begins with two underscores is never asked for below.
        self.__at_hand = at_hand
        self.__inner: Names = {}

    def __getattr__(self, name: str) -> object:
        if (
            name.startswith(("__", "_Postponed__")) and name != "__all__"
        ):  # the import system asks for __spec__ itself
            raise AttributeError(name)
        if self.__at_hand:
            names, self.__at_hand = self.__at_hand(), None
            self.__inner = {key: one for key, one in names.items() if type(one) is _Module}
            self.__dict__.update(names)
            if name in names:
                return names[name]
        own = str(self.__name__)
        if sys.modules.get(own) is self:
            del sys.modules[own]
        __import__(own)  # `importlib` itself would load `warnings`
        real = sys.modules[own]
        for (
            key,
            one,
        ) in self.__inner.items():  # who imports `a.b` later finds it loaded, and not in `a`
            setattr(real, key, one)
        self.__dict__.update(real.__dict__)
        return getattr(real, name)


def postpone(name: str, at_hand: Callable[[], Names] | None = None) -> None:
    """Let `import name` cost nothing until the module is used; no effect where it is loaded.

    Names that `at_hand` gives, when one is first asked for, can be had without it.
    """
    if name not in sys.modules:
        sys.modules[name] = _Postponed(name, at_hand)


def make_whole(name: str) -> None:
    """Import a package for good: `import a.b` finds no `b` in a stand-in for `a`."""
    if type(sys.modules.get(name)) is _Postponed:
        del sys.modules[name]
    __import__(name)


def lighten() -> None:
    """Give this process `light`'s names in place of whole modules. For a process that is ours alone."""
    import _collections_abc  # loaded already, by `os`

    from lamina.cli.light import STAND_INS

    for name, names in STAND_INS.items():
        postpone(name, lambda names=names: names)  # type: ignore[misc]
    for name in ("ctypes", "socket"):
        postpone(name, lambda name=name: _of_kernel(name))  # type: ignore[misc]
    # What it is. Where `collections` itself is loaded already (by `site`, say), nobody else would set this.
    if sys.modules.setdefault("collections.abc", _collections_abc) is _collections_abc:
        vars(sys.modules["collections"])["abc"] = _collections_abc


def _of_kernel(name: str) -> Names:
    from lamina.cli.light_kernel import STAND_INS

    return STAND_INS[name]
