"""JSON as this project reads and writes it: the one place where a document has no type yet.

What we write ourselves is compact UTF-8 with keys in the order given, so that the same value has
the same digest everywhere. What we fetched is never written again; its own bytes are kept.
"""

from lamina.errors import Invalid

try:
    import _json

    _QUICK = True
except ImportError:  # another Python than CPython
    _QUICK = False

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Document", "decode", "encode", "encode_pretty", "escaped"]

if TYPE_CHECKING:
    Document = dict[str, Any]
else:
    Document = dict


def encode(value: "Any") -> bytes:
    """Write `value` as compact JSON; same value, same bytes."""
    try:
        return _quick_encode(value).encode()
    except UnicodeEncodeError:  # half a surrogate pair in someone's label: keep it escaped
        import json

        return json.dumps(value, separators=(",", ":")).encode()


def encode_pretty(value: "Any", *, indent: int | str = 4) -> str:
    """Write `value` for people, as `docker inspect` lays it out; what cannot be shown, `escaped`."""
    import json

    return escaped(json.dumps(value, indent=indent, ensure_ascii=False))


def escaped(text: str) -> str:
    """Write as escapes the letters of a JSON text that a terminal would not show.

    JSON itself asks that only of the first 32. Others move the cursor too (U+009B), turn the
    direction of what follows, or are halves that UTF-8 has no bytes for.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    strange = {letter for letter in set(text) if not letter.isprintable() and letter not in "\n\t"}
    return text.translate({ord(letter): _escape(letter) for letter in strange})


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def decode(raw: bytes | str, *, what: str = "document") -> Document:
    """Read a JSON object.

    Raises: Invalid (not JSON, not an object, nested beyond reason).
    """
    try:
        value = _quick_decode(raw)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{what} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"{what} is not a JSON object")
    return value


# `json` loads `re` and its own form in Python, which is a fifth of what `lamina images` costs. The work
# is done by a C module: it is called here as `json` calls it. `json` itself has its turn where that
# module is missing and for all that its scanner does not take, so that refusals are in json's words.

_BLANK = " \t\n\r"
_CONSTANTS = {name: float(name) for name in ("-Infinity", "Infinity", "NaN")}


class _Scanning:
    """What the C scanner asks of its decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__


def _quick_decode(raw: bytes | str) -> object:
    if not raw:
        raise ValueError("Expecting value: line 1 column 1 (char 0)")
    if _QUICK:
        scan: Any = _json.make_scanner(_Scanning)  # type: ignore[arg-type]  # the stub asks for itself
        try:
            text = raw if isinstance(raw, str) else raw.decode()
            value, end = scan(text, len(text) - len(text.lstrip(_BLANK)))
        except (ValueError, StopIteration, SystemError):
            pass  # Python 3.11 raises the last where the exception meant is of a module not loaded
        else:
            if not text[end:].strip(_BLANK):
                return value
    import json

    return json.loads(raw)


def _quick_encode(value: object) -> str:
    if _QUICK and isinstance(value, str):  # each line of a container's log
        text: str = _json.encode_basestring(value)
        return text
    if not _QUICK or not isinstance(value, dict):
        import json

        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    sort, skip, not_a_number = False, False, True
    write: Any = _json.make_encoder(
        {}, _refuse, _json.encode_basestring, None, ":", ",", sort, skip, not_a_number
    )
    return "".join(write(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
