"""`lamina hub retention`: which tags and images of this machine's hub go by themselves."""

from __future__ import annotations

from lamina.cli.flags import BOOL, INT, LIST, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import DATABASE, ROOT, hub_settings, opened_database
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.retention import Retention
    from lamina.hub.retention_rules import Rule, Verdict

__all__ = ["COMMAND", "main"]

_NUMBERS = {
    "keep-newest": "keep_newest",
    "pushed-within": "pushed_within_days",
    "pulled-within": "pulled_within_days",
    "untagged-after": "untagged_days",
}
COMMAND = Command(
    name="hub retention",
    usage="lamina hub retention [OPTIONS] ls | set TARGET | rm TARGET | plan [TARGET] | run [TARGET]",
    summary="Say which tags and images go by themselves, and see what would go",
    description="Say which tags and images go by themselves, and see what would go.\n"
    "TARGET is a repository, a namespace, or hub: the nearest rule holds, alone.\n"
    "A tag stays while any condition keeps it. plan takes conditions, too, and shows what they would do.",
    flags=(
        ROOT,
        DATABASE,
        Flag("all", kind=BOOL, help="plan: show what stays, too, and why"),
        Flag("keep", kind=LIST, value="PATTERN", help="Tags like this never go"),
        Flag("keep-newest", kind=INT, value="N", help="Keep the N last pushed tags"),
        Flag("only", kind=LIST, value="PATTERN", help="Only tags like this may go"),
        Flag("pushed-within", kind=INT, value="DAYS", help="Keep tags pushed within DAYS"),
        Flag("pulled-within", kind=INT, value="DAYS", help="Keep tags asked for within DAYS"),
        Flag("untagged-after", kind=INT, value="DAYS", help="Drop what no tag names after DAYS"),
        JSON,
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Look at rules, change them, rehearse them or have them done now."""
    verb, *targets = arguments.positional
    verbs = {
        "ls": (_list, 0),
        "set": (_set, 1),
        "rm": (_remove, 1),
        "plan": (_plan, -1),
        "run": (_run, -1),
    }
    work, count = verbs.get(verb, (None, 0))
    if work is None or (count >= 0 and len(targets) != count):
        raise Invalid(
            f"'lamina hub retention {' '.join(arguments.positional)}' is not known",
            hint="use ls, set TARGET, rm TARGET, plan or run",
        )
    settings = hub_settings(
        context, root=arguments.text("root"), database=arguments.text("database")
    )
    with opened_database(settings) as database:
        from lamina.hub.retention import Retention
        from lamina.hub.rules import TagRules

        rules = TagRules.parse(settings.immutable)
        retention = Retention(database, clock=context.now, immutable=rules)
        return work(retention, targets[0] if targets else "hub", arguments, context)


def _list(retention: Retention, _: str, arguments: Arguments, context: Context) -> int:
    from lamina.cli.table import render

    rules = retention.rules()
    if arguments.flag("json"):
        from lamina.hub.retention_documents import rule_document

        show_json(context, [rule_document(each) for each in rules])
    else:
        rows = [(each.target, each.words) for each in rules]
        context.out.write(render([("TARGET", "RULE"), *rows]))
    return 0


def _set(retention: Retention, target: str, arguments: Arguments, context: Context) -> int:
    rule = retention.set(_rule(target, arguments), by="")
    context.print(f"{target}: {rule.words}")
    return 0


def _remove(retention: Retention, target: str, _: Arguments, context: Context) -> int:
    retention.remove(target)
    context.print(target)
    return 0


def _plan(retention: Retention, target: str, arguments: Arguments, context: Context) -> int:
    names = (*_NUMBERS, "keep", "only")
    is_draft = any(arguments.changed(name) for name in names)
    draft = _rule(target, arguments) if is_draft else None
    verdicts = list(retention.plan(target, draft=draft))
    shown = verdicts if arguments.flag("all") else [each for each in verdicts if each.goes]
    if arguments.flag("json"):
        from lamina.hub.retention_documents import verdict_document

        show_json(context, [verdict_document(each) for each in shown])
        return 0
    _show(shown, arguments, context)
    going = sum(each.goes for each in verdicts)
    context.say(f"{going} would go, {len(verdicts) - going} would stay")
    return 0


def _show(verdicts: list[Verdict], arguments: Arguments, context: Context) -> None:
    from lamina.cli.table import render
    from lamina.cli.units import human_size

    rows = [
        (
            each.reference,
            human_size(each.candidate.size, precision=3),
            *(("goes" if each.goes else "stays",) if arguments.flag("all") else ()),
            each.why,
        )
        for each in verdicts
    ]
    headers = ("IMAGE", "SIZE", *(("",) if arguments.flag("all") else ()), "WHY")
    context.out.write(render([headers, *rows]))


def _run(retention: Retention, target: str, _: Arguments, context: Context) -> int:
    found = retention.run(target)
    context.say(
        f"Took {found.tags} tag{'' if found.tags == 1 else 's'} and {found.manifests} without a tag;"
        " what only they named is collected after its grace"
    )
    return 0


def _rule(target: str, arguments: Arguments) -> Rule:
    from lamina.hub.retention_rules import Rule

    numbers = {
        field: arguments.number(flag) if arguments.changed(flag) else None
        for flag, field in _NUMBERS.items()
    }
    rule = Rule(target, keep=arguments.texts("keep"), only=arguments.texts("only"))
    return rule.with_numbers(numbers)
