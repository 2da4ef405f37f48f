"""`lamina hub quota`: how much repositories and namespaces of this machine's hub may have."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import DATABASE, ROOT, hub_settings, opened_database
from lamina.cli.units import human_size
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.quotas import Quotas

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub quota",
    usage="lamina hub quota [OPTIONS] ls | set TARGET SIZE | rm TARGET | show TARGET",
    summary="Say how many bytes repositories and namespaces may have",
    description="Say how many bytes repositories and namespaces may have.\n"
    "TARGET is a repository, a namespace, or hub: each namespace that has no quota of its own.\n"
    "A namespace counts a blob once, however many of its repositories show it.",
    flags=(ROOT, DATABASE, JSON),
    arity=(1, 3),
)


def main(arguments: Arguments, context: Context) -> int:
    """List, set, drop or show quotas; a hub that runs keeps to them at once."""
    verb, *words = arguments.positional
    works = {"ls": (_list, 0), "set": (_set, 2), "rm": (_remove, 1), "show": (_show, 1)}
    work, count = works.get(verb, (None, 0))
    if work is None or len(words) != count:
        raise Invalid(
            f"'lamina hub quota {' '.join(arguments.positional)}' is not known",
            hint="use ls, set TARGET SIZE, rm TARGET or show TARGET",
        )
    settings = hub_settings(
        context, root=arguments.text("root"), database=arguments.text("database")
    )
    with opened_database(settings) as database:
        from lamina.hub.quotas import Quotas

        work(Quotas(database, clock=context.now), words, arguments, context)
    return 0


def _list(quotas: Quotas, _: list[str], arguments: Arguments, context: Context) -> None:
    from lamina.cli.table import render

    found = quotas.all()
    if arguments.flag("json"):
        rows = [
            {"target": each.target, "size": each.size, "used": each.used, "own": each.is_own}
            for each in found
        ]
        show_json(context, rows)
        return
    rows_shown = [
        (
            each.target,
            "" if each.target == "hub" else human_size(each.used),
            human_size(each.size),
            "" if each.is_own else "as every namespace",
        )
        for each in found
    ]
    context.out.write(render([("TARGET", "HAS", "MAY HAVE", ""), *rows_shown]))


def _set(quotas: Quotas, words: list[str], _: Arguments, context: Context) -> None:
    from lamina.cli.kinds import parse_bytes

    target, text = words
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise Invalid(str(error), hint="write it as 10g or 500m") from None
    quotas.set(target, size)
    context.print(f"{target}: {human_size(size)}")


def _remove(quotas: Quotas, words: list[str], _: Arguments, context: Context) -> None:
    quotas.remove(words[0])
    context.print(words[0])


def _show(quotas: Quotas, words: list[str], arguments: Arguments, context: Context) -> None:
    from lamina.cli.table import render

    found = quotas.usage(words[0])
    if arguments.flag("json"):
        repositories = [{"name": name, "used": used} for name, used in found.repositories]
        show_json(
            context,
            {
                "target": found.target, "used": found.used, "size": found.size,
                "repositories": repositories,
            },
        )  # fmt: skip
        return
    limit = "no limit" if found.size is None else f"of {human_size(found.size)}"
    context.print(f"{found.target}: {human_size(found.used)}, {limit}")
    if found.repositories:
        rows = [(name, human_size(used)) for name, used in found.repositories]
        context.out.write(render([("REPOSITORY", "HAS"), *rows]))
