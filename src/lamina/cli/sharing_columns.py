"""What a picture of shared layers has room for: its columns, each what exactly some images share."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.sharing import Part, SharedImage, Sharing

__all__ = ["Column", "columns", "image_name", "letter", "summary"]

_LETTERS = ascii_uppercase + ascii_lowercase
_SHORT = 12


class Column:
    """One part that several images share; the last one may be many, the smallest, together.

    `together` is what removing all of `images` frees, their containers gone. What `stays` is needed
    by something that is not in the picture.
    """

    __slots__ = ("images", "label", "layers", "parts", "size", "stays", "together")

    def __init__(self, label: str, parts: list[Part], *, together: int) -> None:
        self.label = label
        self.parts = len(parts)
        self.images = frozenset(place for part in parts for place in part.images)
        self.layers = sum(len(part.diff_ids) for part in parts)
        self.size = sum(part.size for part in parts)
        self.together = together
        self.stays = all(part.stays for part in parts)


def columns(sharing: Sharing, *, most: int) -> list[Column]:
    """Give the parts that several images share, the most shared and largest first.

    Those beyond `most` are one column, `+`: those that save least.
    """
    parts = [part for part in sharing.parts if len(part.images) > 1]
    rest: list[Part] = []
    if len(parts) > most:
        known = set(
            sorted(range(len(parts)), key=lambda at: -_saved(parts[at]))[: max(most - 1, 0)]
        )
        rest = [part for at, part in enumerate(parts) if at not in known]
        parts = [part for at, part in enumerate(parts) if at in known]
    found = [
        Column(letter(number), [part], together=part.together) for number, part in enumerate(parts)
    ]
    if rest:
        everyone = {place for part in rest for place in part.images}
        found.append(Column("+", rest, together=sharing.frees(everyone)))
    return found


def _saved(part: Part) -> int:
    return part.size * (len(part.images) - 1)


def letter(number: int) -> str:
    """Name column `number`: A to Z, a to z, then A1 and so on."""
    round_, at = divmod(number, len(_LETTERS))
    return _LETTERS[at] + (str(round_) if round_ else "")


def image_name(image: SharedImage) -> str:
    """Give one line for an image: its first name, how many others, or that it is dangling."""
    if not image.names:
        return f"<none> {image.id.partition(':')[2][:_SHORT]}"
    more = len(image.names) - 1
    return image.names[0] + (f" (+{more})" if more else "")


def summary(sharing: Sharing) -> list[str]:
    """Say in a few lines what sharing saves, and what would stay or could go."""
    from lamina.cli.units import human_size

    def size(bytes_: int) -> str:
        return human_size(bytes_, precision=3)

    count = _count(len(sharing.images), "image")
    layers = _count(len({one for part in sharing.parts for one in part.diff_ids}), "layer")
    lines = [
        (
            f"{count} of {layers} take {size(sharing.size)} on the disk; without sharing "
            f"{size(sharing.alone)}"
        )
    ]
    dangling = [place for place, image in enumerate(sharing.images) if not image.names]
    idle = [place for place in dangling if not sharing.images[place].containers]
    if dangling:
        used = len(dangling) - len(idle)
        lines.append(
            f"{_count(len(dangling), 'image')} dangling{f', {used} in use' if used else ''}: "
            f"`lamina image prune --now` frees {size(sharing.frees(idle, kept=True))}"
        )
    if sharing.held:
        lines.append(
            f"{size(sharing.held)} of it stay when they go: other images, containers or `lamina undo` need it"
        )
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
