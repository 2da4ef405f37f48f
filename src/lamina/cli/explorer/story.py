"""The life of a path and the making of a layer, in lines for a pane."""

from __future__ import annotations

from lamina.cli.explorer.lines import harmless, wrapped
from lamina.cli.file_names import quoted
from lamina.cli.life_words import brief, told
from lamina.cli.stack_drawing import instruction
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.cli.explorer.lines import Line, Signs
    from lamina.cli.explorer.questions import Did
    from lamina.engine.study import Made, Study
    from lamina.study.lives import Event

__all__ = ["layer_lines", "made_by", "story_lines"]

_NAMED = 2
_STYLES = {"added": "green", "changed": "yellow", "repeated": "yellow", "removed": "red"}


def made_by(made: Made, signs: Signs) -> str:
    """Give the instruction that made a layer, in one harmless line."""
    text = instruction(made.created_by) or made.comment or "(made without an instruction)"
    return harmless(text, unicode=signs.unicode)


def story_lines(
    study: Study, path: bytes, *, signs: Signs, columns: int, whole: bool
) -> Iterator[tuple[int, Line]]:
    """Tell what each layer did to a path, the newest first; each line with its layer's number.

    With `whole` there are the instruction of each, how a text changed, and packages. Reads content
    where two layers have files of one size. Raises: Corrupt.
    """
    events = study.life(path)
    shown = quoted(b"/" + path, unicode=signs.unicode)
    if not events:
        yield 0, [(f"{shown}: no layer has it", "dim")]
        return
    last = events[-1]
    gone = "" if last.node is not None else "  (not in the image any more)"
    yield 0, [(shown, "bold"), (gone, "dim")]
    for event in reversed(events):
        yield from _event_lines(study, path, event, signs=signs, columns=columns, whole=whole)


def _event_lines(
    study: Study, path: bytes, event: Event, *, signs: Signs, columns: int, whole: bool
) -> Iterator[tuple[int, Line]]:
    number = event.number
    style = _STYLES[event.change]
    packages = _packages(study, path, event, signs)
    by = made_by(study.made[number - 1], signs)
    if not whole:
        tail = f" {signs.dot} {packages}" if packages else ""
        what = told(_without_time(event), unicode=signs.unicode)
        head = [(f"{number:>3}  ", "bold"), (what, style), (tail, "")]
        yield number, [*head, (f" {signs.dot} {by}", "dim")]
        return
    yield 0, []
    yield number, [(f"{number:>3}  ", "bold"), (told(event, unicode=signs.unicode), style)]
    for row in wrapped(by, columns - 5):
        yield number, [("     " + row, "dim")]
    if packages:
        yield number, [(f"     package {packages}", "")]
    if event.node is not None and event.before is not None:
        if "kind" in event.aspects:
            yield number, [(f"     before: {brief(event.before, unicode=signs.unicode)}", "dim")]
        for line in _patch_lines(event, signs):
            yield number, line


def _without_time(event: Event) -> Event:
    """Leave a change of the time out where it is not alone: it is long, and comes with any other."""
    from lamina.study.lives import Aspect, Event

    aspects = tuple(one for one in event.aspects if one is not Aspect.TIME)
    if not aspects:
        return event
    return Event(event.number, event.change, event.node, event.before, aspects, event.by)


def _packages(study: Study, path: bytes, event: Event, signs: Signs) -> str:
    """Name the packages that a path is of; directories are of many."""
    owners = study.owners(path, event.number) if event.node is not None else ()
    names = [f"{one.name} {one.version} ({one.kind})" for one in owners[:_NAMED]]
    rest = len(owners) - len(names)
    text = ", ".join(names) + (f" and {rest} more" if rest else "")
    return harmless(text, unicode=signs.unicode)


def _patch_lines(event: Event, signs: Signs) -> Iterator[Line]:
    from lamina.cli.patches import patch

    if event.node is None or event.before is None:
        return
    for row in patch(event.before, event.node):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(row[:1], "")
        yield [("     " + harmless(row.expandtabs(8), unicode=signs.unicode), style)]


def layer_lines(
    made: Made, did: Sequence[Did], *, signs: Signs, columns: int, lost: str
) -> Iterator[Line]:
    """Tell who made a layer, when and by what, and what it did, as far as that is known."""
    title = f"Layer {made.number}  {made.diff_id.rpartition(':')[2][:12]}"
    comment = made.comment if instruction(made.created_by) else ""
    about = "  ".join(part for part in (made.created, made.author, comment) if part)
    about = harmless(about, unicode=signs.unicode)
    yield [(title, "bold"), (f"  {about}" if about else "", "dim")]
    if lost:
        for row in wrapped(harmless(f"It {lost}", unicode=signs.unicode), columns):
            yield [(row, "red")]
    if did:
        yield [
            piece
            for at, one in enumerate(did)
            for piece in ((", " if at else "", ""), (_done(one), _STYLES.get(one.what, "magenta")))
        ]
    for row in wrapped(made_by(made, signs), columns):
        yield [(row, "")]


def _done(did: Did) -> str:
    size = f" ({human_size(did.size, precision=3)})" if did.size else ""
    return f"{did.what} {did.count:,}{size}"
