"""The life of a path and the making of a layer, in lines for a pane."""

from __future__ import annotations

from lamina.cli.explorer.lines import harmless, wrapped
from lamina.cli.file_names import quoted
from lamina.cli.life_words import brief, told
from lamina.cli.stack_drawing import instruction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.explorer.lines import Line, Signs
    from lamina.engine.study import Made, Study
    from lamina.study.lives import Event

__all__ = ["layer_lines", "made_by", "story_lines"]

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
    owners = study.owners(path, number) if event.node is not None else ()
    packages = ", ".join(f"{one.name} {one.version} ({one.kind})" for one in owners)
    packages = harmless(packages, unicode=signs.unicode)
    what = told(event, unicode=signs.unicode)
    by = made_by(study.made[number - 1], signs)
    if not whole:
        tail = f" {signs.dot} {packages}" if packages else ""
        yield (
            number,
            [(f"{number:>3}  ", "bold"), (what, style), (tail, ""), (f" {signs.dot} {by}", "dim")],
        )
        return
    yield 0, []
    yield number, [(f"{number:>3}  ", "bold"), (what, style)]
    for row in wrapped(by, columns - 5):
        yield number, [("     " + row, "dim")]
    if packages:
        yield number, [(f"     package {packages}", "")]
    if event.node is not None and event.before is not None:
        if "kind" in event.aspects:
            yield number, [(f"     before: {brief(event.before, unicode=signs.unicode)}", "dim")]
        for line in _patch_lines(event, signs):
            yield number, line


def _patch_lines(event: Event, signs: Signs) -> Iterator[Line]:
    from lamina.cli.patches import patch

    if event.node is None or event.before is None:
        return
    for row in patch(event.before, event.node):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(row[:1], "")
        yield [("     " + harmless(row.expandtabs(8), unicode=signs.unicode), style)]


def layer_lines(made: Made, *, signs: Signs, columns: int, lost: str) -> Iterator[Line]:
    """Tell who made a layer, when and by what."""
    title = f"Layer {made.number}  {made.diff_id.rpartition(':')[2][:12]}"
    about = "  ".join(part for part in (made.created, made.author, made.comment) if part)
    about = harmless(about, unicode=signs.unicode)
    yield [(title, "bold"), (f"  {about}" if about else "", "dim")]
    if lost:
        for row in wrapped(harmless(f"It cannot be read: {lost}", unicode=signs.unicode), columns):
            yield [(row, "red")]
    for row in wrapped(made_by(made, signs), columns):
        yield [(row, "")]
