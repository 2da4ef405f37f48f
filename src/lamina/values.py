"""What values are made of: the standard library's class makers, for a fraction of their price.

`dataclass`, `field`, `replace`, `NamedTuple`, `Protocol`, `Enum`, `IntEnum` and `StrEnum` mean what they mean in
`dataclasses`, `typing` and `enum`, and to a type checker they are those. At run time they are made
here: importing the originals (with re, copy, inspect behind them) and letting them compile a dozen
functions a class took half of what `lamina images` costs. Methods that depend on the fields are
compiled when they are first called. What is made here is less: no inheritance among values, and
only the options that `field` below takes. Decision 1 says when to use the originals.
"""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]  # what namedtuple itself uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

__all__ = ["Enum", "IntEnum", "NamedTuple", "Protocol", "StrEnum", "dataclass", "field", "replace"]


class _Missing:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "<default>"


_MISSING: Any = _Missing()
_FEW = 8  # calls that cost less than writing and compiling a function


class _Field:
    """One field of a dataclass."""

    __slots__ = ("compare", "default", "factory", "name", "repr")

    def __init__(self, default: Any, factory: Any, *, compare: bool, repr: bool) -> None:  # noqa: A002 - dataclasses' word
        self.name = ""
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = repr


def _field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    compare: bool = True,
    repr: bool = True,  # noqa: A002
) -> Any:
    """Say more of a field than its default."""
    return _Field(default, default_factory, compare=compare, repr=repr)


class _OnDemand:
    """An attribute of a class that is worked out each time somebody asks for it."""

    def __init__(self, give: Callable[[type], object]) -> None:
        self._give = give

    def __get__(self, _: object, owner: type) -> object:
        return self._give(owner)


def _dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type], type]:
    """Make a class of its annotations: `__init__`, `__repr__`, `__eq__`; frozen also `__hash__`."""
    if not slots:
        raise TypeError("values have slots")

    def make(plain: type) -> type:
        scope = dict(plain.__dict__)
        fields = [_named(name, scope.pop(name, _MISSING)) for name in _annotations(plain)]
        names = tuple(field.name for field in fields)
        for name in ("__dict__", "__weakref__"):
            scope.pop(name, None)
        if plain.__bases__ != (object,):
            raise TypeError(f"{plain.__name__}: a value has no base classes")
        scope.update(
            __slots__=names,
            __match_args__=names,
            __init__=_late_init(lambda: made, fields, frozen=frozen),
            __reduce__=_reduced,
            __dataclass_fields__=_OnDemand(lambda _: _standard(plain, fields)),
            __signature__=_OnDemand(lambda _: _signature(made, fields, frozen=frozen)),
        )
        scope.setdefault("__repr__", _representation([f.name for f in fields if f.repr]))
        compared = tuple(field.name for field in fields if field.compare)
        if "__eq__" not in scope:
            scope["__eq__"] = _equality(compared)
            scope["__hash__"] = _hashing(compared) if frozen else None
        if frozen:
            scope.update(__setattr__=_refuse_set, __delattr__=_refuse_delete)
        made = type(plain.__name__, (object,), scope)
        made.__qualname__ = plain.__qualname__
        return made

    return make


def _annotations(plain: type) -> Mapping[str, object]:
    own: Mapping[str, object] | None = plain.__dict__.get("__annotations__")  # noqa: RUF063 - inspect costs 20 ms
    if own is not None:
        return own
    if "__annotate_func__" not in plain.__dict__:  # Python 3.14 works them out when asked
        return {}
    from annotationlib import Format, get_annotations  # type: ignore[import-not-found]

    found: Mapping[str, object] = get_annotations(plain, format=Format.FORWARDREF)
    return found


def _named(name: str, default: Any) -> _Field:
    field = (
        default if type(default) is _Field else _Field(default, _MISSING, compare=True, repr=True)
    )
    if type(field.default) in (list, dict, set):
        raise ValueError(f"field {name}: all values would share this default; use default_factory")
    field.name = name
    return field


def _late_init(
    owner: Callable[[], type], fields: list[_Field], *, frozen: bool
) -> Callable[..., None]:
    """Make an `__init__` that works through the fields, until it is called often or wrongly."""
    left = _FEW

    def __init__(self: object, *given: object, **named: object) -> None:  # noqa: N807
        nonlocal left
        left -= 1
        if left < 0 or not _filled(self, fields, given, named):
            written = _written_init(owner(), fields, frozen=frozen)
            _put(owner(), "__init__", written)
            written(self, *given, **named)

    return __init__


def _put(made: type, name: str, method: Callable[..., Any]) -> None:
    setattr(made, name, method)


def _filled(
    value: object, fields: list[_Field], given: tuple[object, ...], named: dict[str, object]
) -> bool:
    """Set all fields; False if the arguments do not fit, which a written method says in words."""
    used = 0
    for number, field in enumerate(fields):
        name = field.name
        if number < len(given):
            one = given[number]
        elif name in named:
            used += 1
            one = named[name]
        elif field.default is not _MISSING:
            one = field.default
        elif field.factory is not _MISSING:
            one = field.factory()
        else:
            return False
        object.__setattr__(value, name, one)
    return used == len(named) and len(given) <= len(fields)


def _written_init(made: type, fields: list[_Field], *, frozen: bool) -> Callable[..., None]:
    parameters, lines = ["self"], []
    scope: dict[str, Any] = {"_missing": _MISSING}
    for field in fields:
        name = field.name
        value = name
        if field.default is not _MISSING:
            scope[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        elif field.factory is not _MISSING:
            scope[f"_make_{name}"] = field.factory
            parameters.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name)
        if frozen:
            scope[f"_set_{name}"] = made.__dict__[name].__set__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"self.{name} = {value}")
    return _written(made, "__init__", parameters, lines or ["pass"], scope)


def _written(
    made: type, name: str, parameters: list[str], lines: list[str], scope: dict[str, Any]
) -> Callable[..., Any]:
    body = "\n ".join(lines)
    exec(f"def {name}({', '.join(parameters)}):\n {body}", scope)  # noqa: S102 - the text is of names in our own classes
    function: Callable[..., Any] = scope[name]
    function.__module__ = made.__module__
    function.__qualname__ = f"{made.__qualname__}.{name}"
    return function


def _representation(names: list[str]) -> Callable[[object], str]:
    def __repr__(self: object) -> str:  # noqa: N807 - it becomes one
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"

    return __repr__


def _equality(names: tuple[str, ...]) -> Callable[[object, object], bool]:
    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _taken(self, names) == _taken(other, names)

    return __eq__


def _hashing(names: tuple[str, ...]) -> Callable[[object], int]:
    def __hash__(self: object) -> int:  # noqa: N807
        return hash(_taken(self, names))

    return __hash__


def _taken(value: object, names: tuple[str, ...]) -> tuple[object, ...]:
    return tuple([getattr(value, name) for name in names])


def _reduced(self: Any) -> tuple[type, tuple[object, ...]]:
    """Let copies and pickles be made by calling the class: no attribute may be set otherwise."""
    return type(self), _taken(self, self.__match_args__)


def _refuse_set(_: object, name: str, __: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _standard(plain: type, fields: list[_Field]) -> object:
    """Give the fields as the standard library's functions (`asdict`, `replace`, …) want them."""
    import dataclasses

    rows: list[Any] = []
    for one in fields:
        given = {"default": one.default, "default_factory": one.factory}
        options = {key: value for key, value in given.items() if value is not _MISSING}
        more: Any = dataclasses.field(compare=one.compare, repr=one.repr, **options)
        rows.append((one.name, _annotations(plain)[one.name], more))
    made: Any = dataclasses.make_dataclass(plain.__name__, rows)
    return made.__dataclass_fields__


def _signature(made: type, fields: list[_Field], *, frozen: bool) -> object:
    import inspect

    whole = inspect.signature(_written_init(made, fields, frozen=frozen))
    return whole.replace(parameters=list(whole.parameters.values())[1:])


def _replace(value: Any, /, **changes: object) -> Any:
    """Give a copy of `value` with other fields."""
    names = type(value).__match_args__
    return type(value)(**{**dict(zip(names, _taken(value, names), strict=True)), **changes})


class _TupleMaker(type):
    """Makes a class of named fields that is a tuple, and forgets itself."""

    def __new__(cls, name: str, bases: tuple[type, ...], scope: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, scope)
        probe = type(name, (), {key: scope[key] for key in scope if key.startswith("__annot")})
        names = tuple(_annotations(probe))
        defaults = {key: scope.pop(key) for key in names if key in scope}
        for number, key in enumerate(names):
            scope[key] = _tuplegetter(number, f"Alias for field number {number}")
        scope.update(
            __slots__=(),
            __match_args__=names,
            _fields=names,
            _field_defaults=defaults,
            __new__=_late_new(lambda: made, names, defaults),
            __getnewargs__=_arguments,
            _make=classmethod(tuple.__new__),
            _replace=_replaced,
            _asdict=_as_dict,
        )
        scope.setdefault("__repr__", _representation(list(names)))
        made = type(name, (tuple,), scope)
        return made


def _late_new(
    owner: Callable[[], type], names: tuple[str, ...], defaults: dict[str, Any]
) -> Callable[..., Any]:
    """Make a `__new__` as `_late_init` makes an `__init__`."""
    left = _FEW

    def __new__(cls: type, *given: object, **named: object) -> Any:  # noqa: N807
        nonlocal left
        left -= 1
        rest = names[len(given) :]
        if left >= 0 and len(given) <= len(names) and all(key in rest for key in named):
            values = [named.get(key, defaults.get(key, _MISSING)) for key in rest]
            if _MISSING not in values:
                return tuple.__new__(cls, (*given, *values))
        written = _written_new(owner(), names, defaults)
        _put(owner(), "__new__", written)
        return written(cls, *given, **named)

    return __new__


def _written_new(
    made: type, names: tuple[str, ...], defaults: dict[str, Any]
) -> Callable[..., Any]:
    parameters = ["cls", *(f"{key}=_default_{key}" if key in defaults else key for key in names)]
    scope: dict[str, Any] = {f"_default_{key}": value for key, value in defaults.items()}
    scope["_tuple"] = tuple.__new__
    values = "".join(f"{key}, " for key in names)
    return staticmethod(
        _written(made, "__new__", parameters, [f"return _tuple(cls, ({values}))"], scope)
    )


def _replaced(self: Any, /, **changes: object) -> Any:
    made = tuple.__new__(
        type(self), [changes.pop(key, now) for key, now in zip(self._fields, self, strict=True)]
    )
    if changes:
        raise ValueError(f"Got unexpected field names: {list(changes)!r}")
    return made


def _arguments(self: Any) -> tuple[object, ...]:
    return tuple(self)


def _as_dict(self: Any) -> dict[str, object]:
    return dict(zip(self._fields, self, strict=True))


class _NamedTuple(metaclass=_TupleMaker):
    """The base whose subclasses are tuples with names for their places."""


class _EnumMaker(type):
    """Makes each public attribute of a class its one member of that name."""

    _members: dict[object, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], scope: dict[str, Any]) -> Any:
        rows = {
            key: scope.pop(key)
            for key in list(scope)
            if not key.startswith("_") and isinstance(scope[key], (str, int))
        }
        made: Any = super().__new__(cls, name, bases, scope)
        made._members = {}
        for key, value in rows.items():
            plain = next((kind for kind in (str, int) if issubclass(made, kind)), None)
            member = plain.__new__(made, value) if plain else object.__new__(made)
            member.__dict__.update(name=key, value=value)
            made._members[value] = member
            setattr(made, key, member)
        return made

    def __call__(cls, value: object) -> Any:
        """Give the member that has this value. Raises: ValueError."""
        try:
            return cls._members[value]
        except KeyError:
            raise ValueError(f"{value!r} is not a valid {cls.__name__}") from None

    def __getitem__(cls, name: str) -> Any:
        """Give the member of that name. Raises: KeyError."""
        member = cls.__dict__[name]
        if member not in cls._members.values():
            raise KeyError(name)
        return member

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls._members.values())

    def __len__(cls) -> int:
        return len(cls._members)


class _Enum(metaclass=_EnumMaker):
    """Members that are themselves and nothing else."""

    name: str
    value: Any

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

    def __reduce__(self) -> tuple[type, tuple[object]]:
        return type(self), (self.value,)

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class _IntEnum(_Enum, int):
    """Members that are numbers too."""

    __str__ = int.__repr__
    __hash__ = int.__hash__


class _StrEnum(_Enum, str):  # noqa: SLOT000 - a member keeps its name
    """Members that are texts too."""

    __str__ = str.__str__
    __hash__ = str.__hash__


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
    from enum import Enum, IntEnum, StrEnum
    from typing import NamedTuple, Protocol
else:
    dataclass, field, replace = _dataclass, _field, _replace
    Enum, IntEnum, NamedTuple, StrEnum = _Enum, _IntEnum, _NamedTuple, _StrEnum
    Protocol = object  # nobody asks at run time whether somebody fulfils one
