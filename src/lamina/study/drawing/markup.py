"""HTML and SVG put together so that nothing of an image can be taken for a part of the page."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Markup",
    "count_text",
    "escaped",
    "joined",
    "path_text",
    "share_text",
    "size_text",
    "tag",
]

_UNSEEN = "\ufffd"
_TABLE: dict[int, str] = {
    **{ord(sign): entity for sign, entity in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"),
    )},
    **dict.fromkeys(set(range(0x20)) - {9, 10}, _UNSEEN),
    **dict.fromkeys(range(0x7F, 0xA0), _UNSEEN),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), _UNSEEN),
    **dict.fromkeys((*range(0xD800, 0xE000), 0xFFFE, 0xFFFF), _UNSEEN),
}  # fmt: skip
"""Also for what XML has no way to write, and for what turns the direction of the text after it."""
_VOID = frozenset(("br", "col", "hr", "link", "meta"))
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_THOUSAND = 1000


class Markup(str):
    """Text that is markup already; whatever else stands beside it is escaped."""

    __slots__ = ()

    def __add__(self, other: str) -> "Markup":
        """Put something after it; what is no markup is escaped."""
        return Markup(str.__add__(self, escaped(other)))

    def __html__(self) -> "Markup":
        """Give itself: templates take it as it is."""
        return self


def escaped(text: str) -> Markup:
    """Give `text` as markup that shows it, in attributes too."""
    return text if isinstance(text, Markup) else Markup(text.translate(_TABLE))


def joined(parts: "Iterable[str]") -> Markup:
    """Put parts after each other; those that are no markup are escaped."""
    return Markup("".join([escaped(part) for part in parts]))


def tag(name: str, /, *inside: str, **attributes: object) -> Markup:
    """Give an element. Attributes that are None are left out; `class_` is class, `font_size` font-size.

    >>> tag("a", "1 < 2", href="#x")
    '<a href="#x">1 &lt; 2</a>'
    """
    shown = "".join(
        [
            f' {key.rstrip("_").replace("_", "-")}="{escaped(_value(value))}"'
            for key, value in attributes.items()
            if value is not None
        ]
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{joined(inside)}</{name}>")


def _value(value: object) -> str:
    """Write an attribute's value; coordinates with a tenth of a pixel."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return value if isinstance(value, str) else str(value)


def path_text(path: bytes) -> str:
    """Write a path for people; what is not printable is escaped as Python does."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def size_text(size: float) -> str:
    """Write bytes as people do, in thousands with three digits: `4.19MB`."""
    value, power = float(size), 0
    while value >= _THOUSAND and power < len(_SIZES) - 1:
        value /= _THOUSAND
        power += 1
    text = f"{value:.3g}"
    if float(text) >= _THOUSAND and power < len(_SIZES) - 1:
        text, power = "1", power + 1
    return text + _SIZES[power]


def count_text(count: int, one: str, many: str = "") -> str:
    """Write how many there are: `1 layer`, `70,000 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def share_text(part: float, whole: float) -> str:
    """Write a share: `37%`, `0.4%`; nothing of nothing is `0%`."""
    share = 100 * part / whole if whole else 0.0
    if share and share < 1:
        return f"{share:.1f}%" if share >= 0.05 else "<0.1%"  # noqa: PLR2004 - what would be 0.0
    return f"{share:.0f}%"
