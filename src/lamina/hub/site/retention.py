"""The page of a retention rule: say what goes, see what would, and save."""

from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.notes import note
from lamina.hub.retention_rules import Rule, Verdict, rule_for
from lamina.hub.site.navigation import area_of
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.targets import require_owner
from lamina.hub.web import SERVICES

__all__ = ["own_retention", "retention", "retention_page"]

_SHOWN = 200
_NUMBERS = (
    ("keep_newest", "Keep the newest", "tags"),
    ("pushed_within_days", "Keep what was pushed within", "days"),
    ("pulled_within_days", "Keep what was asked for within", "days"),
    ("untagged_days", "Drop what no tag names after", "days"),
)


async def own_retention(request: web.Request, visit: Visit) -> web.Response:
    """Show the page of one's own namespace."""
    if visit.account is None:
        return go_to("/signin?next=/settings/retention")
    return await retention_page(request, visit, visit.account.name)


async def retention_page(request: web.Request, visit: Visit, target: str) -> web.Response:
    """Show a target's rule, or the one that holds in its place, and what would go."""
    await _check(request, visit, target)
    return await _show(request, visit, target, None)


async def retention(request: web.Request, visit: Visit, target: str) -> web.Response:
    """Save, try or drop a rule."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    await _check(request, visit, target)
    verb, name = form.get("verb", "save"), visit.caller.name
    if verb == "drop":
        await services.threads.call(services.retention.remove, target)
        note(request, "remove retention", target, account=name)
        return go_to(request.path)
    try:
        rule = _read(target, form)
        if verb == "save":
            made = await services.threads.call(lambda: services.retention.set(rule, by=name))
            note(request, "set retention", f"{target} ({made.words})", account=name)
            return go_to(request.path)
    except Invalid as error:
        return await _show(request, visit, target, None, typed=form, trouble=error.message)
    return await _show(request, visit, target, rule)


async def _check(request: web.Request, visit: Visit, target: str) -> None:
    services = request.app[SERVICES]
    await services.threads.call(
        services.database.read, lambda connection: require_owner(connection, visit.caller, target)
    )


def _read(target: str, form: Mapping[str, str]) -> Rule:
    numbers: dict[str, int | None] = {}
    for field, label, _ in _NUMBERS:
        text = form.get(field, "").strip()
        if text and not (text.isascii() and text.isdigit() and len(text) < 8):  # noqa: PLR2004 - no overflow
            raise Invalid(f"{label}: {text!r} is no whole number")
        numbers[field] = int(text) if text else None
    keep, only = (
        tuple(form.get(field, "").replace(",", " ").split()) for field in ("keep", "only")
    )
    return Rule(target, keep=keep, only=only).with_numbers(numbers).check()


async def _show(
    request: web.Request,
    visit: Visit,
    target: str,
    draft: Rule | None,
    *,
    typed: Mapping[str, str] | None = None,
    trouble: str = "",
) -> web.Response:
    services = request.app[SERVICES]

    def work() -> tuple[Rule | None, Rule | None, list[Verdict]]:
        rules = services.retention.rules()
        own = next((each for each in rules if each.target == target), None)
        going = (each for each in services.retention.plan(target, draft=draft) if each.goes)
        others = [each for each in rules if each.target != target]
        return own, rule_for(others, target), list(islice(going, _SHOWN + 1))

    own, inherited, going = await services.threads.call(work)
    values = {
        "target": target,
        **area_of(visit, target),
        "numbers": _NUMBERS,
        "typed": _typed(typed, draft or own),
        "own": own,
        "inherited": inherited,
        "draft": draft,
        "going": going[:_SHOWN],
        "is_more": len(going) > _SHOWN,
        "trouble": trouble,
    }
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "retention.html", values, status=status)


def _typed(typed: Mapping[str, str] | None, rule: Rule | None) -> dict[str, str]:
    """Give what stands in the form's fields."""
    fields = [field for field, _, _ in _NUMBERS]
    if typed is not None:
        return {field: typed.get(field, "") for field in (*fields, "keep", "only")}
    if rule is None:
        return dict.fromkeys((*fields, "keep", "only"), "")
    found = {field: getattr(rule, field) for field in fields}
    texts = {field: "" if value is None else str(value) for field, value in found.items()}
    return {**texts, "keep": " ".join(rule.keep), "only": " ".join(rule.only)}
