"""Tables and lists of a page; each is cut where it gets too long, and says what is left."""

from lamina.study.drawing.markup import Markup, joined, tag
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "chips", "facts", "folded", "section", "shortened", "table"]


class Column(NamedTuple):
    """A column: its title, and the class of its cells (`num`, `path`, `wide`)."""

    title: str
    kind: str = ""


def table(
    title: str,
    columns: "Sequence[Column]",
    rows: "Iterable[Sequence[str]]",
    *,
    kinds: "Sequence[str]" = (),
) -> Markup:
    """Give a table called `title` for those who cannot see it; `kinds` are the classes of its rows."""
    head = tag(
        "tr", *[tag("th", one.title, scope="col", class_=one.kind or None) for one in columns]
    )
    lines = [
        tag(
            "tr",
            *[
                tag("td", cell, class_=column.kind or None)
                for cell, column in zip(row, columns, strict=True)
            ],
            class_=(kinds[at] or None) if at < len(kinds) else None,
        )
        for at, row in enumerate(rows)
    ]
    whole = tag("table", tag("thead", head), tag("tbody", *lines))
    return tag("div", whole, class_="scroll", role="region", aria_label=title, tabindex="0")


def section(name: str, title: str, *inside: str) -> Markup:
    """Give a part of the page that `#name` leads to."""
    return tag("section", tag("h2", title), *inside, id=name, aria_label=title)


def folded(
    said: str, *inside: str, name: str | None = None, note: str = "", is_open: bool = False
) -> Markup:
    """Give something that opens when its line is asked for, or when a link leads to `#name` in it."""
    line = [tag("b", said), *([tag("span", note)] if note else [])]
    return tag(
        "details",
        tag("summary", *line),
        tag("div", *inside, class_="inside", id=name),
        open="" if is_open else None,
    )


def facts(rows: "Iterable[tuple[str, str]]") -> Markup:
    """Give names with their values."""
    return tag("dl", *[tag("dt", name) + tag("dd", value) for name, value in rows], class_="facts")


def chips(texts: "Iterable[str]") -> Markup:
    """Give short words in a row."""
    shown = [tag("li", text) for text in texts]
    return tag("ul", *shown, class_="chips") if shown else joined(())


def shortened(text: str, most: int) -> str:
    """Cut a text that somebody made too long for any page."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more letters)"
