"""What the value of a flag may be: each kind reads text as Docker's own flags do.

A kind's parser raises `ValueError` with Docker's wording of what is wrong with the text.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BOOL",
    "BYTES",
    "DECIMAL",
    "DURATION",
    "FILTER",
    "INT",
    "LIST",
    "MAP",
    "STRING",
    "UINT",
    "UINT16",
    "Kind",
    "Value",
    "parse_bool",
    "parse_bytes",
    "parse_duration",
    "parse_int",
]

Value = object
"""What a flag holds: bool, int, str, a tuple of str, or a dict of str."""

_INT64 = 1 << 63
_NANO = 1_000_000_000
_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": _NANO,
    "m": 60 * _NANO,
    "h": 3600 * _NANO,
}
_BYTE_UNITS: dict[str, int] = {"": 1, "b": 1} | {
    unit + end: 1024 ** (power + 1) for power, unit in enumerate("kmgtp") for end in ("", "b", "ib")
}
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Kind:
    """One kind of value: its name in help, its zero, and how text becomes a value.

    `gather` joins the next value of a flag given again with what was there (lists and maps);
    without it the last one wins.
    """

    __slots__ = ("gather", "name", "parse", "zero")

    def __init__(
        self,
        name: str,
        zero: Value,
        parse: Callable[[str], Value],
        gather: Callable[[Value, Value], Value] | None = None,
    ) -> None:
        self.name = name
        self.zero = zero
        self.parse = parse
        self.gather = gather

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"


def parse_bool(text: str) -> bool:
    """Read a truth value in the spellings of Go's ParseBool."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_int(text: str, *, signed: bool = True, bits: int = 64) -> int:
    """Read an integer as Go does with base 0: 12, -3, 0x1f, 0o17, 017, 0b1, 1_000."""
    name = "ParseInt" if signed else "ParseUint"
    digits = text.lstrip("+-") if signed else text
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
        digits = "0o" + digits[1:]
    try:
        sign_is_double = len(text) - len(text.lstrip("+-")) > 1
        value = int(digits, 0) if digits[:1].isdigit() and not sign_is_double else None
    except ValueError:
        value = None
    if value is None or not text.isascii():
        raise ValueError(f'strconv.{name}: parsing "{text}": invalid syntax') from None
    value = -value if text.startswith("-") else value
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if not low <= value < high:
        raise ValueError(f'strconv.{name}: parsing "{text}": value out of range')
    return value


def parse_duration(text: str) -> int:
    """Read `1h30m`, `1.5s`, `300ms` as nanoseconds."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total = 0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    while rest:
        number = _leading(rest, "0123456789.")
        if not number.replace(".", "", 1).isdigit():
            raise ValueError(f'time: invalid duration "{text}"')
        rest = rest[len(number) :]
        unit = rest[: _until(rest, "0123456789.")]
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _DURATION_UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        rest = rest[len(unit) :]
        whole, _, part = number.partition(".")
        scale = _DURATION_UNITS[unit]
        total += int(whole or 0) * scale + (int(part) * scale // 10 ** len(part) if part else 0)
    if total >= _INT64:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def parse_bytes(text: str) -> int:
    """Read a size with binary units: 512, 512m, 1.5g, 64MiB, 1 kb."""
    number = _leading(text, "0123456789.")
    suffix = text[len(number) :].strip(" ").lower()
    if not number.replace(".", "", 1).isdigit():
        raise ValueError(f"invalid size: '{text}'")
    if suffix not in _BYTE_UNITS:
        raise ValueError(f"invalid suffix: '{suffix}'")
    scale: int = _BYTE_UNITS[suffix]
    whole, _, part = number.partition(".")
    value = int(whole or 0) * scale + (int(part) * scale // 10 ** len(part) if part else 0)
    if value >= _INT64:
        raise ValueError(f"invalid size: '{text}'")
    return value


def _parse_decimal(text: str) -> int:
    """Read a number with a decimal point, or a fraction, as billionths."""
    from fractions import Fraction

    try:
        value = Fraction(text) * _NANO
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if value.denominator != 1:
        raise ValueError("value is too precise")
    return value.numerator


def _parse_pair(text: str) -> Value:
    name, _, value = text.partition("=")
    return {name: value}


def _parse_filter(text: str) -> Value:
    if not text:
        return {}
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError("bad format of filter (expected name=value)")
    return {name.strip().lower(): (value.strip(),)}


def _join(old: Value, new: Value) -> Value:
    assert isinstance(old, tuple)  # noqa: S101 - narrows for the type checker
    assert isinstance(new, tuple)  # noqa: S101
    return old + new


def _merge(old: Value, new: Value) -> Value:
    assert isinstance(old, dict)  # noqa: S101
    assert isinstance(new, dict)  # noqa: S101
    merged = dict(old)
    for name, value in new.items():
        known = merged.get(name)
        merged[name] = known + value if isinstance(known, tuple) else value
    return merged


def _leading(text: str, characters: str) -> str:
    return text[: len(text) - len(text.lstrip(characters))]


def _until(text: str, characters: str) -> int:
    return next((i for i, letter in enumerate(text) if letter in characters), len(text))


BOOL = Kind("", False, parse_bool)  # noqa: FBT003 - the zero of a flag without a value
STRING = Kind("string", "", str)
INT = Kind("int", 0, parse_int)
UINT = Kind("uint", 0, lambda text: parse_int(text, signed=False))
UINT16 = Kind("uint16", 0, lambda text: parse_int(text, signed=False, bits=16))
BYTES = Kind("bytes", 0, parse_bytes)
DURATION = Kind("duration", 0, parse_duration)
DECIMAL = Kind("decimal", 0, _parse_decimal)
LIST = Kind("list", (), lambda text: (text,), _join)
MAP = Kind("map", {}, _parse_pair, _merge)
FILTER = Kind("filter", {}, _parse_filter, _merge)
