"""What our modules use of `contextlib`, `functools`, `signal` and others, for a tenth of the price.

The originals import one another, `enum`, `collections`, `selectors` and `types`, and make 500 members of
enumerations: 12 ms of CPU, more than a bare interpreter's start, for a dozen names. `startup.lighten` lets the command
take those from here. Anything else of these modules is the real one's, which is loaded when it is asked for.
"""

from __future__ import annotations

import _collections  # type: ignore[import-not-found]
import _collections_abc
import _functools  # type: ignore[import-not-found]
import _operator
import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

__all__ = ["STAND_INS"]


class _Suppress:
    """`contextlib.suppress`, without groups of exceptions."""

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class _NullContext:
    """`contextlib.nullcontext`."""

    __slots__ = ("enter_result",)

    def __init__(self, enter_result: Any = None) -> None:
        self.enter_result = enter_result

    def __enter__(self) -> Any:
        return self.enter_result

    def __exit__(self, *_: object) -> None:
        pass


class _Entered:
    """`contextlib.AbstractContextManager`."""

    __slots__ = ("__weakref__",)

    def __class_getitem__(cls, _: object) -> type:
        return cls

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Any:
        return None


class _ExitStack:
    """`contextlib.ExitStack`: what was entered is left in the opposite order."""

    __slots__ = ("_exits",)

    def __init__(self) -> None:
        self._exits: list[Callable[..., Any]] = []

    def __enter__(self) -> Self:
        return self

    def enter_context(self, manager: Any) -> Any:
        """Enter `manager`, and leave it with the stack; give what it gives."""
        kind = type(manager)
        leave = kind.__exit__
        given = kind.__enter__(manager)
        self._exits.append(lambda *error: leave(manager, *error))
        return given

    def push(self, leave: Any) -> Any:
        """Leave with the stack what was entered already, or call this with an exception's three parts."""
        method = getattr(type(leave), "__exit__", None)
        self._exits.append((lambda *error: method(leave, *error)) if method else leave)
        return leave

    def callback(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
        """Call `function` when the stack is left; what it gives counts for nothing."""

        def call(*_: object) -> None:
            function(*given, **named)

        self._exits.append(call)
        return function

    def pop_all(self) -> _ExitStack:
        """Hand all of it over to a new stack."""
        other = type(self)()
        for leave in self._exits:
            other.push(leave)
        self._exits = []
        return other

    def close(self) -> None:
        """Leave everything now."""
        self.__exit__(None, None, None)

    def __exit__(
        self,
        _: type[BaseException] | None,
        given: BaseException | None,
        __: TracebackType | None,
    ) -> bool:
        error = given
        raised = False
        while self._exits:
            leave = self._exits.pop()
            try:
                facts = (type(error), error, error.__traceback__) if error else (None, None, None)
                if leave(*facts) and error:
                    error, raised = None, False
            except BaseException as another:  # noqa: BLE001 - the rest must be left first
                error, raised = another, True
        if raised and error:
            raise error
        return given is not None and error is None


class _Generated:
    """The context manager that a generator is; `contextlib`'s rules for what it raises."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __enter__(self) -> Any:
        try:
            return next(self._generator)
        except StopIteration:
            raise RuntimeError("generator didn't yield") from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if kind is None:
            try:
                next(self._generator)
            except StopIteration:
                return False
            self._generator.close()
            raise RuntimeError("generator didn't stop")
        return self._thrown(kind() if error is None else error, trace)

    def _thrown(self, error: BaseException, trace: TracebackType | None) -> bool:
        try:
            self._generator.throw(error)
        except StopIteration as stop:
            return stop is not error  # one raised in the body goes on
        except BaseException as raised:
            wrapped = isinstance(error, StopIteration) and raised.__cause__ is error
            if raised is not error and not wrapped:
                raise
            error.__traceback__ = trace
            return False
        self._generator.close()
        raise RuntimeError("generator didn't stop after throw()")


def _context_manager(function: Callable[..., Iterator[Any]]) -> Callable[..., _Generated]:
    def make(*given: object, **named: object) -> _Generated:
        return _Generated(function(*given, **named))

    made: Callable[..., _Generated] = _dressed(make, function)
    return made


def _dressed(wrapper: Any, wrapped: Any) -> Any:
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, name, getattr(wrapped, name))
    wrapper.__wrapped__ = wrapped
    return wrapper


class _CachedProperty:
    """`functools.cached_property`."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.func = function
        self.attrname = ""
        self.__doc__ = function.__doc__

    def __set_name__(self, _: type, name: str) -> None:
        self.attrname = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.attrname] = self.func(instance)
        return value


def _lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
    if callable(maxsize):
        return _lru_cache()(maxsize)
    size = maxsize if maxsize is None else max(0, maxsize)

    def decorate(function: Callable[..., Any]) -> Any:
        made = _functools._lru_cache_wrapper(function, size, typed, _facts)  # noqa: SLF001 - what functools itself uses
        return _dressed(made, function)

    return decorate


def _facts(*numbers: Any) -> object:
    """Give what `cache_info()` gives."""
    from functools import _CacheInfo

    return _CacheInfo(*numbers)


def _cache(function: Callable[..., Any]) -> Any:
    return _lru_cache(None)(function)


def _public(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


STAND_INS: dict[str, dict[str, Any]] = {
    "collections": {"abc": _collections_abc, "deque": _collections.deque},
    "contextlib": {
        "AbstractContextManager": _Entered,
        "ExitStack": _ExitStack,
        "contextmanager": _context_manager,
        "nullcontext": _NullContext,
        "suppress": _Suppress,
    },
    "functools": {
        "cache": _cache,
        "cached_property": _CachedProperty,
        "lru_cache": _lru_cache,
        "partial": _functools.partial,
        "reduce": _functools.reduce,
    },
    "operator": _public(_operator),
    "signal": _public(_signal),
    "types": {"MappingProxyType": type(type.__dict__), "ModuleType": type(_operator)},
}
"""Names by module. Those of `signal` are plain numbers, not members of an enumeration."""
