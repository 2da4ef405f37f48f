"""What an image is too big for, on its page: how much, by which cause, and what gains it."""

from lamina.study.causes import Cause
from lamina.study.drawing.markup import (
    Markup,
    count_text,
    joined,
    path_text,
    share_text,
    size_text,
    tag,
)
from lamina.study.drawing.paint import FONT, colour, hatch
from lamina.study.drawing.tables import Column, table
from lamina.study.gains import gains, grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.study.exploration import Exploration
    from lamina.study.gains import Group

__all__ = ["seen_bar", "waste_part"]

_GROUPS = 40
_GAINS = 12
_HEIGHT = 22.0


def waste_part(found: "Exploration") -> Markup:
    """Give the part of the page about waste."""
    waste = found.waste
    hidden = waste.total - waste.visible
    said = (
        f"Of {size_text(waste.total)} in the layers a container sees {size_text(waste.visible)}: "
        f"{size_text(hidden)}, {share_text(hidden, waste.total)}, are hidden by later layers."
    )
    parts: list[str] = [tag("p", said), seen_bar(waste.visible, waste.total)]
    if not waste.files:
        parts.append(tag("p", "Nothing is wasted.", class_="good"))
        return joined(parts)
    groups = grouped(waste.files)
    columns = (
        Column("Bytes", "num"), Column("Files", "num"), Column("Cause"), Column("Layer", "num"),
        Column("Hidden by", "num"), Column("Where", "path"),
    )  # fmt: skip
    parts += [
        tag("h3", "What gains it"),
        tag(
            "ul",
            *[
                tag("li", tag("b", size_text(gain.size)), tag("span", gain.advice))
                for gain in gains(groups, found.made)[:_GAINS]
            ],
            class_="gains",
        ),
        tag("h3", "Where it is"),
        table("Waste", columns, [_row(group) for group in groups[:_GROUPS]]),
    ]
    rest = groups[_GROUPS:]
    if rest:
        size = size_text(sum(group.size for group in rest))
        parts.append(
            tag("p", f"and {count_text(len(rest), 'more group')} with {size}", class_="soft")
        )
    return joined(parts)


def seen_bar(visible: int, total: int, *, width: int = 920) -> Markup:
    """Draw how much of all bytes is seen; the rest is shaded."""
    seen = visible / total if total else 1.0
    wide = (width - 2) * seen
    left = width - 2 - wide
    return tag(
        "svg",
        tag("rect", x=1, y=1, width=wide, height=_HEIGHT, rx=3, fill=colour(1)),
        hatch(1 + wide, 1, left, _HEIGHT),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {_HEIGHT + 2:.0f}",
        width=width,
        height=f"{_HEIGHT + 2:.0f}",
        role="img",
        aria_label=f"{share_text(seen, 1)} of the bytes are seen",
        font_family=FONT,
        class_="bar",
    )


def _row(group: "Group") -> tuple[str, ...]:
    one = group.first
    where = "/" + path_text(group.place)
    if group.count == 1 and one.cause is Cause.DUPLICATE:
        where += f" = /{path_text(one.note)}"
    return (
        size_text(group.size),
        f"{group.count:,}",
        str(one.cause),
        str(one.number),
        str(one.hidden_by or ""),
        where,
    )
