"""Waste put together: what one piece of advice is about, and the advice."""

from lamina.study.caches import advice
from lamina.study.causes import Cause
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.study.causes import Wasted

__all__ = ["Gain", "Group", "gains", "grouped"]

_GAINS = {
    Cause.DELETED: "remove them in the step that brings them, {made}: {by} only hides them",
    Cause.OVERWRITTEN: (
        "write them once, in one step or in a stage before: {by} replaces what {made} brought"
    ),
    Cause.COPIED: (
        "set mode and owner in {made} (COPY --chmod, --chown): {by} has the files whole again for that"
    ),
    Cause.REPEATED: "do not bring them again in {by}: {made} has them as they are",
    Cause.CACHE: "{made} leaves a cache of {note} behind: {advice}",
    Cause.DUPLICATE: "link what {made} has a second time",
    Cause.ZEROS: "leave long runs of zeros in {made} as holes, or out: they are stored and sent",
}
"""What would gain the bytes of each cause."""
_DEPTH = 3
_WIDEST = 40


@dataclass(frozen=True, slots=True)
class Group:
    """Files at or below `place` with the cause of the `first`, in its layer, hidden by one layer."""

    files: "tuple[Wasted, ...]"
    place: bytes
    size: int

    @property
    def first(self) -> "Wasted":
        """The first of the files; all have its cause."""
        return self.files[0]

    @property
    def count(self) -> int:
        """How many files they are."""
        return len(self.files)


@dataclass(frozen=True, slots=True)
class Gain:
    """The change to how the image is made that gains `size` bytes, in words."""

    size: int
    advice: str


def grouped(files: "Iterable[Wasted]", *, whole: bool = False) -> tuple[Group, ...]:
    """Put files together that have one cause and one advice, the largest group first.

    By what was removed as a whole, else by the upper directories; each file by itself with `whole`.
    """
    groups: dict[tuple[Cause, int, int, bytes], list[Wasted]] = {}
    for one in files:
        place = one.path if whole else _place(one)
        groups.setdefault((one.cause, one.number, one.hidden_by, place), []).append(one)
    found = [
        Group(
            files=tuple(rows),
            place=rows[0].path if len(rows) == 1 else key[3],
            size=sum(row.size for row in rows),
        )
        for key, rows in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.size, group.place)))


def gains(groups: "Iterable[Group]", made: "Sequence[str]") -> tuple[Gain, ...]:
    """Say for each cause and pair of layers what would gain the bytes, the most first.

    `made` has the instruction of each layer, lowest first.
    """
    sums: dict[tuple[Cause, int, int, str], int] = {}
    for group in groups:
        one = group.first
        tool = one.note.decode("utf-8", "replace") if one.cause is Cause.CACHE else ""
        key = (one.cause, one.number, one.hidden_by, tool)
        sums[key] = sums.get(key, 0) + group.size
    return tuple(
        Gain(
            size,
            _GAINS[cause].format(
                made=_layer(number, made),
                by=_layer(by, made) if by else "",
                note=tool,
                advice=advice(tool),
            ),
        )
        for (cause, number, by, tool), size in sorted(sums.items(), key=lambda item: -item[1])
    )


def _place(one: "Wasted") -> bytes:
    """Give the directory to show a file under: what was removed as a whole, else the upper ones."""
    if one.cause is Cause.DELETED and one.note and one.note != one.path:
        return one.note
    return b"/".join(one.path.split(b"/")[:-1][:_DEPTH])


def _layer(number: int, made: "Sequence[str]") -> str:
    text = made[number - 1]
    shown = text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
    return f"layer {number} ({shown})" if shown else f"layer {number}"
