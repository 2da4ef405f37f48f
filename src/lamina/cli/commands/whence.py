"""`lamina whence`: the life of a path, layer by layer."""

from __future__ import annotations

import os

from lamina.cli.file_names import path_fields, quoted
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

    _Life = tuple[bytes, tuple[Event, ...]]

__all__ = ["COMMAND", "main"]

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
    documents: list[dict[str, object]] = []
    with looked_into(context, arguments, name) as (study, lost):
        code = lost
        for typed in paths:
            path = study.place(typed)
            found = list(study.lives(path)) if arguments.flag("all") else [(path, study.life(path))]
            if not any(events for _, events in found):
                error = _Missing(
                    f"{name}: no layer {'that can be read ' if lost else ''}ever had "
                    f"{_shown(typed, context)}",
                    hint=f"`lamina ls {name}` shows what is there",
                )
                context.say(f"lamina: {error.message}\nhint: {error.hint}")
                code = 1
            elif arguments.flag("json"):
                documents += _documents(study, found, owned=not arguments.flag("all"))
            elif arguments.flag("all"):
                _list(study, found, context)
            else:
                _tell(study, typed, found[0], context, patch=arguments.flag("patch"))
    if arguments.flag("json"):
        from lamina.cli.formats import show_json

        show_json(context, documents)
    return code


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
            for one in study.owners(path, event.number):
                context.print(f"       package {one.name} {one.version} ({one.kind})")
        if patch and event.node is not None and event.before is not None:
            for line in patch_of(event.before, event.node):
                context.print(f"       {line}")


def _list(study: Study, lives: Iterable[_Life], context: Context) -> None:
    """Print a line for each path: its last change and the layer that made it."""
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.table import render
    from lamina.cli.units import shorten

    rows = [["LAYER", "CHANGE", "CREATED BY", "PATH"]]
    for path, events in lives:
        last = events[-1]
        made = study.made[last.number - 1]
        aspects = "" if not last.aspects else f" ({', '.join(last.aspects)})"
        rows.append(
            [
                str(last.number),
                f"{last.change}{aspects}",
                shorten(instruction(made.created_by) or made.comment, 40),
                _shown(path, context),
            ]
        )
    context.out.write(render(rows))


def _documents(study: Study, lives: Iterable[_Life], *, owned: bool) -> Iterator[dict[str, object]]:
    for path, events in lives:
        yield {
            **path_fields(path),
            "present": events[-1].node is not None,
            "events": [_event_document(study, path, event, owned=owned) for event in events],
        }


def _event_document(study: Study, path: bytes, event: Event, *, owned: bool) -> dict[str, object]:
    made = study.made[event.number - 1]
    document: dict[str, object] = {
        "layer": event.number,
        "diff_id": made.diff_id or None,
        "created": made.created,
        "created_by": made.created_by,
        "change": str(event.change),
        "aspects": [str(aspect) for aspect in event.aspects],
    }
    if event.node is None:
        document["removed_by"] = "/" + event.by.decode("utf-8", "replace")
        return document
    node = event.node
    document |= {
        "kind": str(node.kind),
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "mtime_ns": node.mtime_ns,
    }
    if owned:  # asking for each of thousands would take long
        document["packages"] = [
            {"type": one.kind, "name": one.name, "version": one.version}
            for one in study.owners(path, event.number)
        ]
    if node.kind == "file":
        document["size"] = node.size
    if node.kind == "symlink":
        document["target"] = node.target.decode("utf-8", "replace")
    return document


def _shown(path: bytes, context: Context) -> str:
    return quoted(b"/" + path.strip(b"/"), unicode=context.unicode)
