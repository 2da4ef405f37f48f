"""Values as Go prints them: `[a b]`, `map[k:v]`, `1e+06`, and printf with Go's verbs."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "NIL_LIST",
    "NIL_MAP",
    "NO_VALUE",
    "format_float",
    "format_value",
    "printf",
    "quote",
    "type_name",
]

NO_VALUE = "<no value>"
NIL_MAP: dict[str, object] = {}  # Go's nil map and slice: told by identity, printed as empty
NIL_LIST: list[object] = []
_VERB = re.compile(r"%([-+# 0]*)(\*|\d+)?(\.(?:\*|\d+)?)?(.)?", re.DOTALL)
_FIXED_BELOW, _FIXED_FROM = 6, -4
_ESCAPES = {
    "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
    "\\": "\\\\",
}  # fmt: skip
_WIDEST = 1_000_000  # Go's limit too: a template must not eat all memory
_ASCII_END = 0x80
_BMP_END = 0x10000


def format_value(value: object) -> str:
    """Print as Go's `%v`: maps by sorted key, lists in brackets, nil as `<nil>`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, dict):
        rows = (f"{key}:{format_value(value[key])}" for key in sorted(value, key=str))
        return f"map[{' '.join(rows)}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(format_value(item) for item in value)}]"
    return str(value)


def format_float(value: float) -> str:
    """Print as Go's `%v` of a float: the fewest digits, an exponent from 1e+06 and below 1e-04."""
    if value != value or abs(value) == float("inf"):  # noqa: PLR0124 - only NaN differs from itself
        return {"nan": "NaN", "inf": "+Inf"}.get(str(value), "-Inf")
    sign, digits, exponent = _shortest(value)
    if not _FIXED_FROM <= exponent < _FIXED_BELOW:
        point = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    part = digits[exponent + 1 :]
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def quote(text: str, mark: str = '"') -> str:
    """Quote as Go's strconv.Quote."""
    return mark + "".join(_escaped(letter, mark) for letter in text) + mark


def type_name(value: object) -> str:
    """Name the Go type that messages show for `value`."""
    if value is None:
        return "<nil>"
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, (list, tuple)):
        return "[]interface {}"
    return {bool: "bool", int: "int", float: "float64", str: "string"}.get(
        type(value), type(value).__name__
    )


def printf(form: str, values: Sequence[object]) -> str:
    """Format as Go's Sprintf, its `%!d(string=x)` notes on mistakes included."""
    rest = list(values)
    out = []
    end = 0
    for match in _VERB.finditer(form):
        out.append(form[end : match.start()])
        end = match.end()
        flags, width, precision, verb = match.groups()
        if verb == "%":
            out.append("%")
        elif verb is None:
            out.append("%!(NOVERB)")
        else:
            width = _star(width, rest)
            places = _star((precision or "")[1:], rest) if precision else None
            out.append(_one(flags, width, places, verb, rest))
    out.append(form[end:])
    if rest:
        extra = ", ".join(_typed(value) for value in rest)
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _star(text: str | None, rest: list[object]) -> str | None:
    if text != "*":
        return text
    value = rest.pop(0) if rest else None
    return str(abs(value)) if isinstance(value, int) else "0"


def _one(flags: str, width: str | None, places: str | None, verb: str, rest: list[object]) -> str:
    if not rest:
        return f"%!{verb}(MISSING)"
    value = rest.pop(0)
    text = _verb(verb, value, flags, places)
    size = min(int(width or 0), _WIDEST)
    if "-" in flags:
        return text.ljust(size)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if "0" in flags and number:
        return text.zfill(size)
    return text.rjust(size)


def _verb(verb: str, value: object, flags: str, places: str | None) -> str:
    if verb == "T":
        return type_name(value)
    if verb == "v":
        return quote(value) if "#" in flags and isinstance(value, str) else format_value(value)
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_verb(verb, item, flags, places) for item in value)}]"
    if isinstance(value, dict):
        rows = (f"{key}:{_verb(verb, value[key], flags, places)}" for key in sorted(value))
        return f"map[{' '.join(rows)}]"
    text = None
    if isinstance(value, bool):
        text = format_value(value) if verb == "t" else None
    elif isinstance(value, str):
        text = _text_verb(verb, value, places)
    elif isinstance(value, int):
        text = _int_verb(verb, value, flags)
    elif isinstance(value, float):
        text = _float_verb(verb, value, flags, places)
    return f"%!{verb}({_typed(value)})" if text is None else text


def _text_verb(verb: str, value: str, places: str | None) -> str | None:
    if places is not None:
        value = value[: _places(places)]
    if verb in ("x", "X"):
        digits = value.encode(errors="surrogateescape").hex()
        return digits.upper() if verb == "X" else digits
    return {"s": value, "q": quote(value)}.get(verb)


def _int_verb(verb: str, value: int, flags: str) -> str | None:
    sign = "+" if "+" in flags else " " if " " in flags else "-"
    mark = "#" if "#" in flags else ""
    if verb in "dboxX":
        return f"{value:{sign}{mark}{verb}}"
    if verb == "c":
        return chr(value)
    if verb == "q":
        return quote(chr(value), "'")
    if verb == "U":
        return f"U+{value:04X}"
    return None


def _float_verb(verb: str, value: float, flags: str, places: str | None) -> str | None:
    sign = "+" if "+" in flags else " " if " " in flags else "-"
    if verb in "eEfF":
        return f"{value:{sign}.{6 if places is None else _places(places)}{verb}}"
    if verb in "gG":
        return format_float(value) if places is None else f"{value:{sign}.{_places(places)}{verb}}"
    return None


def _places(text: str | None) -> int:
    return min(int(text or 0), _WIDEST)


def _typed(value: object) -> str:
    return "<nil>" if value is None else f"{type_name(value)}={format_value(value)}"


def _shortest(value: float) -> tuple[str, str, int]:
    """Give (sign, digits, decimal exponent of the first digit) of the shortest exact form."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, part = mantissa.lstrip("-").partition(".")
    digits = (whole + part).lstrip("0")
    first = len(whole) - 1 if whole != "0" else -(len(part) - len(part.lstrip("0"))) - 1
    if not digits:
        return sign, "0", 0
    return sign, digits.rstrip("0") or "0", first + int(exponent or 0)


def _escaped(letter: str, mark: str) -> str:
    if letter == mark:
        return "\\" + letter
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < _ASCII_END:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BMP_END else f"\\U{code:08x}"
