"""Two images or containers beside each other, as `lamina diff A B` prints them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from lamina.cli.file_names import path_fields, quoted
from lamina.errors import Corrupt, Invalid, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.layer.node import Node
    from lamina.layer.view import Tree
    from lamina.study.compare import Difference

__all__ = ["compare_images"]

_DEPTH = 2


def compare_images(arguments: Arguments, context: Context) -> int:
    """Print what differs; 0 also where something does, as diff of a container; 1 for damage."""
    from lamina.cli.studying import is_remote, looked_into
    from lamina.engine.reading import is_container
    from lamina.study.compare import compare

    first, second = arguments.positional
    forms = [name for name in ("stat", "name-only", "json", "patch") if arguments.flag(name)]
    if len(forms) > 1:
        raise Invalid(f"--{forms[0]} and --{forms[1]} are two forms", hint="ask for one of them")
    form = forms[0] if forms else ""
    engine = context.engine
    with ExitStack() as stack:
        opened: dict[str, tuple[Tree, Study | None, int]] = {}
        points: dict[str, frozenset[bytes]] = {}
        for name in dict.fromkeys((first, second)):
            here = not is_remote(arguments, name)
            if here and is_container(engine, name):
                tree, points[name], code = stack.enter_context(_container(context, name))
                opened[name] = tree, None, code
            else:
                study, code = stack.enter_context(looked_into(context, arguments, name))
                opened[name] = study.tree, study, code
        trees = [opened[name][0] for name in (first, second)]
        made = [points.get(name, frozenset()) for name in (first, second)]
        found = (
            one
            for one in compare(trees[0], trees[1], times=arguments.flag("times"))
            if not ((one.before and one.path in made[0]) or (one.after and one.path in made[1]))
        )
        studies = [it for name in (first, second) if (it := opened[name][1]) is not None]
        if form == "name-only" or len(studies) < len(trees):
            studies = []
        if form == "json":
            _print_json(list(found), studies, context)
        elif form == "name-only":
            for one in found:
                context.print(_shown(one.path, context))
        else:
            _print(list(found), form, context)
            if studies:
                _print_rest(studies[0], studies[1], context)
        return max(code for _, _, code in opened.values())


@contextmanager
def _container(context: Context, name: str) -> Iterator[tuple[Tree, frozenset[bytes], int]]:
    """Open a container's files for the body, as far as its image can be read, and give the code.

    With them go the paths that the runtime made to mount on, which are no part of them.
    """
    from lamina.cli.unreadable import tell_damage
    from lamina.engine.partial_study import partial_tree
    from lamina.engine.reading import tree_of

    with ExitStack() as stack:
        code, points = 0, frozenset[bytes]()
        containers = context.engine.containers
        try:
            points = containers.excluded_paths(containers.record(name))
            tree = stack.enter_context(tree_of(context.engine, name))
        except (Corrupt, Invalid, NotFound, Unsupported):
            tree, told = stack.enter_context(partial_tree(context.engine, name))
            tell_damage(context, told)
            code = 1
        yield tree, points, code


def _print(found: Sequence[Difference], form: str, context: Context) -> None:
    from lamina.cli.patches import patch

    if form == "stat":
        _print_stat(found, context)
    else:
        for one in found:
            about = f"  ({', '.join(one.aspects)})" if one.aspects else ""
            context.print(f"{one.letter} {_shown(one.path, context)}{about}")
            if form == "patch" and one.before is not None and one.after is not None:
                for line in patch(one.before, one.after):
                    context.print(f"    {line}")
    context.print(_sum(found))


def _print_stat(found: Sequence[Difference], context: Context) -> None:
    """Print a line for each of the upper directories, those that grew most first."""
    from lamina.cli.table import render
    from lamina.cli.units import human_size

    groups: dict[bytes, list[int]] = {}
    for one in found:
        row = groups.setdefault(b"/".join(one.path.split(b"/")[:-1][:_DEPTH]), [0, 0, 0, 0])
        row["ADC".index(one.letter)] += 1
        row[3] += one.grown
    rows = [["ADDED", "REMOVED", "CHANGED", "GROWN BY", "WHERE"]]
    for place, row in sorted(groups.items(), key=lambda item: (-abs(item[1][3]), item[0])):
        grown = human_size(row[3], precision=3)
        rows.append([*(str(count) for count in row[:3]), grown, _shown(place, context)])
    context.out.write(render(rows, least=6, padding=2))


def _sum(found: Sequence[Difference]) -> str:
    from lamina.cli.units import human_size

    if not found:
        return "No path differs."
    letters = [one.letter for one in found]
    grown = sum(one.grown for one in found)
    return (
        f"{letters.count('A')} added, {letters.count('D')} removed, {letters.count('C')} changed; "
        f"{'+' if grown >= 0 else ''}{human_size(grown, precision=3)}"
    )


def _print_rest(before: Study, after: Study, context: Context) -> None:
    """Print what differs besides files."""
    from lamina.cli.stack_drawing import instruction
    from lamina.study import compare

    def section(title: str, lines: Iterable[str]) -> None:
        rows = list(lines)
        if rows:
            context.print(f"\n{title}")
            for line in rows:
                context.print(f"  {line}")

    arrow = "→" if context.unicode else "->"
    section(
        "Packages",
        (
            f"{_line(one.name)} {_line(', '.join(one.before)) or '(none)'} {arrow} "
            f"{_line(', '.join(one.after)) or '(none)'} ({one.kind})"
            for one in compare.packages(
                before.packages(numbered=False), after.packages(numbered=False)
            )
        ),
    )
    section(
        "Configuration",
        (
            f"{_line(one.name)}: {_value(one.before)} {arrow} {_value(one.after)}"
            for one in compare.settings(before.image.config, after.image.config)
        ),
    )
    same, old, new = compare.steps(before.image.config, after.image.config)
    section(
        f"History, after {same} step{'' if same == 1 else 's'} in common",
        [*(f"- {instruction(row)}" for row in old), *(f"+ {instruction(row)}" for row in new)],
    )


def _print_json(found: Sequence[Difference], studies: Sequence[Study], context: Context) -> None:
    from lamina.cli.formats import show_json
    from lamina.study import compare

    document: dict[str, object] = {"files": list(_documents(found))}
    if studies:
        before, after = studies
        same, old, new = compare.steps(before.image.config, after.image.config)
        document |= {
            "packages": [
                {"type": one.kind, "name": one.name, "before": one.before, "after": one.after}
                for one in compare.packages(
                    before.packages(numbered=False), after.packages(numbered=False)
                )
            ],
            "config": [
                {"name": one.name, "before": one.before, "after": one.after}
                for one in compare.settings(before.image.config, after.image.config)
            ],
            "history": {"common": same, "before": old, "after": new},
        }
    show_json(context, document)


def _documents(found: Iterable[Difference]) -> Iterator[dict[str, object]]:
    for one in found:
        yield {
            **path_fields(one.path),
            "change": {"A": "added", "D": "removed", "C": "changed"}[one.letter],
            "aspects": [str(aspect) for aspect in one.aspects],
            "before": _facts(one.before),
            "after": _facts(one.after),
        }


def _facts(node: Node | None) -> dict[str, object] | None:
    if node is None:
        return None
    return {
        "kind": str(node.kind),
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "size": node.size if node.kind == "file" else None,
        "mtime_ns": node.mtime_ns,
    }


def _value(value: object) -> str:
    from lamina.spec.wire import encode

    if value is None:
        return "(none)"
    return _line(value if isinstance(value, str) else encode(value).decode())


def _line(text: str) -> str:
    """Make a text of an image harmless on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _shown(path: bytes, context: Context) -> str:
    return quoted(b"/" + path, unicode=context.unicode)
