"""An image as notebooks show it: its name, figures and stack, in a few lines."""

from lamina.study.drawing.markup import Markup, count_text, size_text, tag
from lamina.study.drawing.stack import stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.study.drawing.stack import Floor

__all__ = ["card"]

_WIDTH = 680
_MANY = 60


def card(
    name: str, floors: "Sequence[Floor]", *, notes: "Sequence[str]" = (), hidden: int | None = None
) -> Markup:
    """Give an image in HTML that stands by itself, in the colours of what is around it.

    `notes` are said beside its figures; `hidden` are the bytes that nobody sees, None where nobody
    looked. Of very many layers the lowest are left out of the picture.
    """
    size = sum(floor.size for floor in floors)
    figures = [f"{size_text(size)} in {count_text(len(floors), 'layer')}"]
    if hidden is not None and size:
        figures.append(f"efficiency {(size - hidden) / size:.3f}")
    if hidden:
        figures.append(f"{size_text(hidden)} hidden by later layers")
    shown = list(floors)[-_MANY:]
    left = len(floors) - len(shown)
    parts: list[str] = [
        tag("p", tag("b", name), " · ", " · ".join([*notes, *figures])),
        stack(shown, width=_WIDTH) if shown else "",
        tag("p", f"and {count_text(left, 'layer')} below") if left else "",
    ]
    return tag("div", *parts, class_="lamina-image")
