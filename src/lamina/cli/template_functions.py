"""The functions of templates: Go's own, those of Docker's command, and trims.

A function raises `CallFailed` with the words that follow "error calling NAME: "; a wrong type of
argument is a `WrongArgument`, blamed on the argument itself.
"""

from __future__ import annotations

from lamina.cli.template_values import NIL_LIST, NIL_MAP, format_value, printf, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FUNCTIONS", "CallFailed", "WrongArgument", "to_json", "truth"]

_JSON_FIXED_BELOW = 1e21


class CallFailed(Exception):
    """A function refuses what it was given."""


class WrongArgument(CallFailed):
    """Argument number `index` is of the wrong type."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def truth(value: object) -> bool:
    """Tell what `if` sees: false are false, 0, nil and all that is empty."""
    return bool(value)


def to_json(value: object) -> str:
    """Write `value` as Docker's `json` function: compact, `<` and `>` left alone."""
    from lamina.spec.wire import encode, escaped

    return escaped(encode(_plain(value)).decode())


def _plain(value: object) -> object:
    """Give `value` without methods, floats that are whole as Go writes them."""
    if value is NIL_MAP or value is NIL_LIST:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not callable(item)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _JSON_FIXED_BELOW:
        return int(value)
    return value


def _text(value: object, index: int = 0) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise WrongArgument(index, f"expected string; found {format_value(value)}")


def _number(value: object, index: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise WrongArgument(index, f"expected integer; found {format_value(value)}")


def _join(items: object, separator: object) -> str:
    if items is None:
        return ""
    if not isinstance(items, (list, tuple)):
        shown = f'"{items}"' if isinstance(items, str) else format_value(items)
        raise WrongArgument(0, f"can't handle {shown} for arg of type []string")
    return _text(separator, 1).join(
        item if isinstance(item, str) else format_value(item) for item in items
    )


def _title(value: object) -> str:
    out = []
    inside = False
    for letter in _text(value):
        out.append(letter if inside else letter.upper())
        inside = letter.isalnum() or letter == "_"
    return "".join(out)


def _pad(source: object, before: object, after: object) -> str:
    text = _text(source)
    return " " * _number(before, 1) + text + " " * _number(after, 2) if text else ""


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="surrogateescape"))
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    if value is None:
        raise CallFailed("len of nil pointer")
    raise CallFailed(f"len of type {type_name(value)}")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        value = _item(value, key)
    return value


def _item(value: object, key: object) -> object:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise CallFailed(f"value has type {type_name(key)}; should be string")
        # A map of strings answers "" for a key it lacks, as labels do; others have no value.
        absent = "" if all(isinstance(item, str) for item in value.values()) else None
        return value.get(key, absent)
    if isinstance(value, (list, tuple, str)):
        if not isinstance(key, int) or isinstance(key, bool):
            raise CallFailed(f"cannot index slice/array with type {type_name(key)}")
        items = value.encode() if isinstance(value, str) else value
        if not 0 <= key < len(items):
            raise CallFailed(f"index out of range: {key}")
        return items[key]
    if value is None and isinstance(key, str):
        return ""  # null where a map belongs: an image without labels
    if value is None:
        raise CallFailed("index of untyped nil")
    raise CallFailed(f"can't index item of type {type_name(value)}")


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, (str, list, tuple)):
        raise CallFailed(f"can't slice item of type {type_name(value)}")
    limits = [_number(bound, index + 1) for index, bound in enumerate(bounds)]
    for limit in limits:
        if not 0 <= limit <= len(value):
            raise CallFailed(f"index out of range: {limit}")
    start = limits[0] if limits else 0
    end = limits[1] if len(limits) > 1 else len(value)
    if start > end:
        raise CallFailed(f"invalid slice index: {start} > {end}")
    return value[start:end]


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "other"


def _equal(first: object, *others: object) -> bool:
    if not others:
        raise CallFailed("missing argument for comparison")
    for other in others:
        if first is None or other is None:
            if first is other:
                return True
            continue
        if _kind(first) != _kind(other):
            raise CallFailed("incompatible types for comparison")
        if first == other:
            return True
    return False


def _less(first: object, second: object) -> bool:
    if _kind(first) != _kind(second):
        raise CallFailed("incompatible types for comparison")
    if isinstance(first, str) and isinstance(second, str):
        return first < second
    if isinstance(first, bool) or not isinstance(first, (int, float)):
        raise CallFailed("invalid type for comparison")
    return isinstance(second, (int, float)) and first < second


def _print(*values: object) -> str:
    out: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            out.append(" ")
        out.append(format_value(value))
    return "".join(out)


def _println(*values: object) -> str:
    return " ".join(format_value(value) for value in values) + "\n"


def _printf(form: object, *values: object) -> str:
    return printf(_text(form), values)


def _html(*values: object) -> str:
    marks: dict[str, str | int | None] = {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&#34;",
        "'": "&#39;",
        "\0": "\ufffd",
    }
    return _print(*values).translate(str.maketrans(marks))


def _js(*values: object) -> str:
    marks: dict[str, str | int | None] = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
    for letter in "<>&=\n\r\t":
        marks[letter] = f"\\u{ord(letter):04X}"
    return _print(*values).translate(str.maketrans(marks))


def _urlquery(*values: object) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values), safe="~")


def _call(value: object, *arguments: object) -> object:
    if not callable(value):
        raise CallFailed(f"non-function of type {type_name(value)}")
    result: object = value(*arguments)
    return result


# Name → (function, least, most arguments; most None for any number). The trims take the text
# last, so that it may come through a pipe.
FUNCTIONS: dict[str, tuple[Callable[..., object], int, int | None]] = {
    "call": (_call, 1, None),
    "eq": (_equal, 1, None),
    "ge": (lambda a, b: not _less(a, b), 2, 2),
    "gt": (lambda a, b: _less(b, a), 2, 2),
    "html": (_html, 0, None),
    "index": (_index, 1, None),
    "join": (_join, 2, 2),
    "js": (_js, 0, None),
    "json": (to_json, 1, 1),
    "le": (lambda a, b: not _less(b, a), 2, 2),
    "len": (_length, 1, 1),
    "lower": (lambda text: _text(text).lower(), 1, 1),
    "lt": (_less, 2, 2),
    "ne": (lambda a, b: not _equal(a, b), 2, 2),
    "not": (lambda value: not truth(value), 1, 1),
    "pad": (_pad, 3, 3),
    "print": (_print, 0, None),
    "printf": (_printf, 1, None),
    "println": (_println, 0, None),
    "slice": (_slice, 1, 4),
    "split": (lambda text, separator: _text(text).split(_text(separator, 1)), 2, 2),
    "title": (_title, 1, 1),
    "trim": (lambda text: _text(text).strip(), 1, 1),
    "trimLeft": (lambda letters, text: _text(text, 1).lstrip(_text(letters)), 2, 2),
    "trimPrefix": (lambda start, text: _text(text, 1).removeprefix(_text(start)), 2, 2),
    "trimRight": (lambda letters, text: _text(text, 1).rstrip(_text(letters)), 2, 2),
    "trimSpace": (lambda text: _text(text).strip(), 1, 1),
    "trimSuffix": (lambda end, text: _text(text, 1).removesuffix(_text(end)), 2, 2),
    "truncate": (lambda text, limit: _text(text)[: _number(limit, 1)], 2, 2),
    "upper": (lambda text: _text(text).upper(), 1, 1),
    "urlquery": (_urlquery, 0, None),
}
