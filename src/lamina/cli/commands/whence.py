"""`lamina whence`: the life of a path, layer by layer."""

from __future__ import annotations

import os
from itertools import chain

from lamina.cli.file_names import quoted
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.image_paths import ImagePath
from lamina.cli.studying import PREFIX, REMOTE, looked_into
from lamina.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.study.lives import Event
    from lamina.study.runs import Run

    _Life = tuple[bytes, tuple[Event, ...]]

__all__ = ["COMMAND", "main"]

_MEASURED = 20_000
_NAMED = 5  # packages of a path: a file has one, /usr/share/doc all of them

COMMAND = Command(
    name="whence",
    usage="lamina whence [OPTIONS] IMAGE|CONTAINER PATH [PATH...]",
    summary="Show which layer added, changed or removed a file of an image",
    description=(
        "Show which layer added, changed or removed a file of an image, the newest first, and\n"
        "by which instruction. IMAGE:/PATH is read, too. What a container wrote is its topmost layer."
    ),
    flags=(
        Flag("all", "a", kind=BOOL, help="Show what is in directories, too, a line for each path"),
        Flag("json", kind=BOOL, help="Print one JSON array with exact numbers"),
        Flag("patch", "p", kind=BOOL, help="Show how the lines of text files changed"),
        *REMOTE,
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Tell the life of each path; 1 where one was never there."""
    name, paths = _words(arguments.positional)
    whole = arguments.flag("all")
    missing: list[bytes] = []
    with looked_into(context, arguments, name) as (study, lost):
        found = _found(study, paths, context, missing, whole=whole, lost=bool(lost))
        if arguments.flag("json"):
            from lamina.cli.life_rows import LifeRows

            rows = LifeRows(study, owned=not whole)
            _print_array((text for _, lives in found for text in rows.texts(lives)), context)
            return 1 if missing else lost
        for typed, lives in found:
            if whole:
                _list(study, lives, context)
            else:
                one = next(lives)
                assert isinstance(one, tuple)  # noqa: S101 - of one path nothing else is asked
                _tell(study, typed, one, context, patch=arguments.flag("patch"))
    return 1 if missing else lost


def _found(
    study: Study,
    paths: Iterable[bytes],
    context: Context,
    missing: list[bytes],
    *,
    whole: bool,
    lost: bool,
) -> Iterator[tuple[bytes, Iterator[_Life | Run]]]:
    """Give each path with its life, or those of all at and below it; say which were never there."""
    for typed in paths:
        path = study.place(typed)
        lives: Iterator[_Life | Run] = iter([(path, study.life(path))])
        if whole:
            lives = study.sweep(path)
        first = next(lives, None)
        if first is None or (isinstance(first, tuple) and not first[1]):
            error = _Missing(
                f"{study.name}: no layer {'that can be read ' if lost else ''}ever had "
                f"{_shown(typed, context)}",
                hint=f"`lamina ls {study.name}` shows what is there",
            )
            context.say(f"lamina: {error.message}\nhint: {error.hint}")
            missing.append(typed)
        else:
            yield typed, chain([first], lives)


class _Missing(NotFound):
    """No layer of the image ever had the path."""


def _words(words: Iterable[str]) -> tuple[str, list[bytes]]:
    """Take the words apart. Raises: Invalid (no path)."""
    first, *rest = words
    prefix = PREFIX if first.startswith(PREFIX) else ""
    place = ImagePath(first.removeprefix(prefix))
    paths = [os.fsencode(word) for word in rest]
    if place.has_path:
        paths.insert(0, place.raw)
    if not paths:
        raise Invalid(f"a path of {first} is missing", hint=f"`lamina whence {first} /etc/passwd`")
    return prefix + place.name, paths


def _tell(study: Study, typed: bytes, life: _Life, context: Context, *, patch: bool) -> None:
    from lamina.cli.life_words import told
    from lamina.cli.patches import patch as patch_of
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.table import flat
    from lamina.cli.units import shorten

    path, events = life
    now = "" if events[-1].node is not None else "  (not in the image any more)"
    real = _shown(path, context)
    lead = _shown(typed, context)
    context.print((f"{lead} is {real}" if lead.rstrip("/") != real.rstrip("/") else real) + now)
    room = max(context.size()[0] - 8, 24)
    for event in reversed(events):
        made = study.made[event.number - 1]
        context.print(f"  {event.number:>3}  {told(event, unicode=context.unicode)}")
        by = instruction(made.created_by) or made.comment or "(made without an instruction)"
        context.print(f"       {shorten(by, room)}")
        if event.node is not None:
            owners = study.owners(path, event.number)
            for one in owners[:_NAMED]:
                named = flat(f"{one.name} {one.version}")  # whoever made the image wrote it
                context.print(f"       package {named} ({one.kind})")
            if len(owners) > _NAMED:
                context.print(f"       and {len(owners) - _NAMED} packages more; --json has all")
        if patch and event.node is not None and event.before is not None:
            for line in patch_of(event.before, event.node):
                context.print(f"       {line}")


def _list(study: Study, lives: Iterable[_Life | Run], context: Context) -> None:
    """Print a line for each path: its last change and the layer that made it.

    Columns are as wide as the first thousands need: an image may have a million paths.
    """
    from itertools import islice

    from lamina.cli.stack_drawing import instruction
    from lamina.cli.units import shorten
    from lamina.study.lives import Change

    makers = [shorten(instruction(one.created_by) or one.comment, 40) for one in study.made]

    def lines() -> Iterator[tuple[str, str, str, str]]:
        for one in lives:
            if not isinstance(one, tuple):
                number, maker = str(one.number), makers[one.number - 1]
                for name in one.listed.names:
                    yield number, Change.ADDED, maker, _shown(one.prefix + name, context)
                continue
            path, events = one
            last = events[-1]
            aspects = "" if not last.aspects else f" ({', '.join(last.aspects)})"
            change = f"{last.change}{aspects}"
            yield str(last.number), change, makers[last.number - 1], _shown(path, context)

    rest = lines()
    rows = [("LAYER", "CHANGE", "CREATED BY", "PATH"), *islice(rest, _MEASURED)]
    widths = [max(10, *(len(one[column]) + 3 for one in rows)) for column in range(3)]
    for number, change, maker, path in chain(rows, rest):
        context.print(f"{number:<{widths[0]}}{change:<{widths[1]}}{maker:<{widths[2]}}{path}")


def _print_array(texts: Iterable[str], context: Context) -> None:
    """Print a JSON array, rows as they come, laid out as `show_json` does."""
    lead = "[\n"
    for text in texts:
        context.print(f"{lead}{text}", end="")
        lead = ",\n"
    context.print("[]" if lead == "[\n" else "\n]")


def _shown(path: bytes, context: Context) -> str:
    return quoted(b"/" + path.strip(b"/"), unicode=context.unicode)
