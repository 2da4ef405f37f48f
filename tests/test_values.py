"""Values made by `lamina.values` are what the standard library would have made of them."""

import copy
import dataclasses
import enum
import importlib
import inspect
import pickle
import pkgutil
import typing

import pytest

import lamina
from lamina import values


def all_classes() -> list[type]:
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if module.name.startswith("lamina.hub") or module.name == "lamina.__main__":
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and kind.__module__ == module.name:
                found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return [found[name] for name in sorted(found)]


CLASSES = all_classes()
RECORDS = [kind for kind in CLASSES if "__dataclass_fields__" in vars(kind)]
TUPLES = [kind for kind in CLASSES if issubclass(kind, tuple) and hasattr(kind, "_fields")]


def fitting(kind: typing.Any, mark: str = "") -> dict[str, object]:
    return {name: f"{name}{mark}" for name in kind.__match_args__}


def twin(kind: typing.Any) -> typing.Any:
    """Make the same class by the standard library, from its own fields."""
    standard = importlib.import_module("dataclasses")
    frozen = "__setattr__" in vars(kind)
    rows = [(f.name, f.type, copy_of(f)) for f in standard.fields(kind)]
    return standard.make_dataclass(kind.__name__, rows, frozen=frozen, slots=True)


def copy_of(field: typing.Any) -> typing.Any:
    options = {"compare": field.compare, "repr": field.repr}
    if field.default is not dataclasses.MISSING:
        options["default"] = field.default
    if field.default_factory is not dataclasses.MISSING:
        options["default_factory"] = field.default_factory
    return dataclasses.field(**options)


def outcome(act: typing.Callable[[], object]) -> tuple[str, str]:
    try:
        return "gave", repr(act())
    except (TypeError, AttributeError) as error:
        return type(error).__name__, str(error)


def test_the_package_is_made_of_them():
    assert len(RECORDS) > 80
    assert len(TUPLES) > 15


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__qualname__)
def test_a_dataclass_is_like_its_twin(kind: typing.Any):
    other = twin(kind)
    checked: object = kind
    assert dataclasses.is_dataclass(checked)
    assert [f.name for f in dataclasses.fields(kind)] == list(kind.__slots__)
    shown = list(inspect.signature(kind).parameters.values())
    expected = list(inspect.signature(other).parameters.values())
    assert [(p.name, p.kind) for p in shown] == [(p.name, p.kind) for p in expected]
    given, others = fitting(kind), fitting(kind, "2")
    one, same, different = kind(**given), kind(*given.values()), kind(**others)
    assert one == same
    assert one != different
    assert one != tuple(given.values())
    assert (outcome(lambda: hash(one))[0] == "gave") == (
        outcome(lambda: hash(other(**given)))[0] == "gave"
    )
    if outcome(lambda: hash(one))[0] == "gave":
        assert hash(one) == hash(same)
    if kind.__repr__.__module__ == "lamina.values":
        assert repr(one) == repr(other(**given)).replace(other.__qualname__, kind.__qualname__, 1)
    for twice in (
        copy.copy(one),
        copy.deepcopy(one),
        values.replace(one),
        dataclasses.replace(one),
    ):
        assert twice == one
        assert twice is not one
    if given:
        name = next(iter(given))
        changed = values.replace(one, **{name: "changed"})
        assert getattr(changed, name) == "changed"
        assert getattr(one, name) == name
        assert outcome(lambda: setattr(copy.copy(one), name, 1)) == outcome(
            lambda: setattr(other(**given), name, 1)
        )
    assert outcome(lambda: kind(**given, other=1))[0] == "TypeError"
    needed = [p for p in expected if p.default is inspect.Parameter.empty]
    if needed:
        # Whichever way the method is, written or not yet, it refuses in Python's own words.
        assert outcome(kind)[1].split("missing")[1] == outcome(other)[1].split("missing")[1]
    for _ in range(20):
        assert kind(**given) == one


@pytest.mark.parametrize("kind", TUPLES, ids=lambda kind: kind.__qualname__)
def test_a_named_tuple_is_like_its_twin(kind: typing.Any):
    rows = [(name, object) for name in kind._fields]
    other: typing.Any = typing.NamedTuple(kind.__name__, rows)  # type: ignore[misc]
    given = fitting(kind)
    one = kind(**given)
    assert tuple(one) == tuple(given.values())
    assert one == other(**given) == kind(*given.values()) == kind._make(given.values())
    assert hash(one) == hash(other(**given))
    assert one._asdict() == other(**given)._asdict() == given
    assert [getattr(one, name) for name in given] == list(one)
    if kind.__repr__.__module__ == "lamina.values":
        assert repr(one) == repr(other(**given))
    name = next(iter(given))
    changed = one._replace(**{name: "changed"})
    assert type(changed) is kind
    assert changed == ("changed", *one[1:])
    for twice in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert type(twice) is kind
        assert twice == one
    with pytest.raises(ValueError, match="unexpected"):
        one._replace(unknown=1)
    for wrong in (dict(given, unknown=1), {}) if len(kind._field_defaults) < len(given) else ():
        with pytest.raises(TypeError):
            kind(**wrong)
    for _ in range(20):
        assert kind(*given.values()) == one


def test_defaults_hold_before_and_after_a_method_is_written():
    @values.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        marks: list[int] = values.field(default_factory=list, compare=False, repr=False)

    seen: list[list[int]] = []
    bad: list[tuple[typing.Any, ...]] = [(), (1, 2, [], 4)]
    for _ in range(30):
        point = Point(1)
        assert (point.x, point.y, point.marks) == (1, 2, [])
        assert point == Point(1, marks=[3])
        assert all(point.marks is not other for other in seen)
        seen.append(point.marks)
        for wrong in bad:
            with pytest.raises(TypeError):
                Point(*wrong)
        with pytest.raises(TypeError):
            Point(1, x=1)  # type: ignore[misc]
    assert repr(Point(1)).endswith("Point(x=1, y=2)")


def test_what_is_not_made_here_is_refused():
    with pytest.raises(TypeError, match="no base classes"):

        @values.dataclass(frozen=True, slots=True)
        class Below(ValueError):
            x: int

    with pytest.raises(TypeError, match="slots"):
        values.dataclass(frozen=True)
    with pytest.raises(ValueError, match="default_factory"):

        @values.dataclass(slots=True)
        class Shared:
            x: list[int] = []  # noqa: RUF012


class Tint(values.StrEnum):
    RED = "red"
    BLUE = "blue"


class Step(values.Enum):
    FIRST = "1st"


class StandardTint(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(values.IntEnum):
    LOW = 1
    HIGH = 5


class StandardLevel(enum.IntEnum):
    LOW = 1
    HIGH = 5


def test_members_that_are_numbers_are_like_those_of_an_enum():
    for kind in (Level, StandardLevel):
        assert [member.name for member in kind] == ["LOW", "HIGH"]
        assert kind(5) is kind.HIGH
        assert kind.LOW == 1
        assert kind.HIGH > kind.LOW
        assert kind["LOW"] is kind.LOW
        with pytest.raises(KeyError):
            kind["__doc__"]
        assert f"{kind.HIGH} {kind.HIGH!s}" == "5 5"
        assert repr(kind.HIGH) == f"<{kind.__name__}.HIGH: 5>"
        assert kind.HIGH.to_bytes(1, "big") == b"\5"
        assert len({kind.LOW, 1, kind.HIGH}) == 2
        assert pickle.loads(pickle.dumps(kind.HIGH)) is kind.HIGH
        with pytest.raises(ValueError, match="2 is not a valid"):
            kind(2)


def test_members_are_like_those_of_an_enum():
    for kind in (Tint, StandardTint):
        assert [member.name for member in kind] == ["RED", "BLUE"]
        assert kind("red") is kind.RED
        assert kind.RED == "red"
        assert f"{kind.RED} {kind.RED!s} {kind.RED.value}" == "red red red"
        assert repr(kind.RED) == f"<{kind.__name__}.RED: 'red'>"
        assert {"red": 1}[kind.RED] == 1
        assert isinstance(kind.RED, kind)
        assert isinstance(kind.RED, str)
        assert len(kind) == 2
        for same in (copy.deepcopy(kind.BLUE), pickle.loads(pickle.dumps(kind.BLUE))):
            assert same is kind.BLUE
        with pytest.raises(ValueError, match=f"'green' is not a valid {kind.__name__}"):
            kind("green")
    assert Step("1st") is Step.FIRST
    other: object = "1st"
    assert other != Step.FIRST
    assert str(Step.FIRST) == "Step.FIRST"
