"""Two images of a repository beside each other: files, packages, configuration, history."""

from contextlib import ExitStack

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.database import Connection
from lamina.hub.errors import ManifestUnknown, TagInvalid
from lamina.hub.exploring.finding import Explored, find, package_changes
from lamina.hub.exploring.kept import answers_from
from lamina.hub.exploring.paths import link, shown
from lamina.hub.exploring.reading import opened
from lamina.hub.services import Services
from lamina.hub.site.inside import address, common, config_of, explored
from lamina.hub.site.render import render
from lamina.hub.site.sessions import Visit
from lamina.hub.web import SERVICES
from lamina.hub.words import visible
from lamina.spec.wire import encode
from lamina.study.compare import settings
from lamina.study.compare import steps as history_of

__all__ = ["difference"]

_FILES = 1000
_WORDS = {"A": "added", "D": "removed", "C": "changed"}


async def difference(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Show what changed from the image named by `against`. Raises: ManifestUnknown, …."""
    services = request.app[SERVICES]
    against = request.query.get("against", "").strip()

    def draw() -> web.Response:
        found = explored(services, request, visit, name, reference)
        older, trouble = _older(services, visit, found, against)
        values: dict[str, object] = {
            **common(services, found), "against": against, "trouble": trouble, "files": (),
            "has_more": False, "packages": (), "settings": (), "gone": (), "come": (), "same": 0,
            "grown": 0, "is_compared": False,
        }  # fmt: skip
        if older is not None and found.is_done and older.is_done:
            values |= _compared(services, found, older)
        return render(request, visit, "difference.html", values)

    return await services.threads.call(draw)


def _older(
    services: Services, visit: Visit, found: Explored, against: str
) -> tuple[Explored | None, str]:
    """Give the other image, or why there is none."""
    if not against:
        return None, ""

    def work(connection: Connection) -> Explored:
        return find(
            connection, visit.caller, found.repository.name, against, platform=found.platform
        )

    try:
        older = services.database.read(work)
    except (ManifestUnknown, TagInvalid, Invalid):
        return None, f"There is no {visible(against)} here to compare with."
    if not older.is_done:
        return None, f"Nobody has looked into {visible(against)} yet."
    return older, ""


def _compared(services: Services, found: Explored, older: Explored) -> dict[str, object]:
    assert found.known is not None  # noqa: S101 - it is done
    assert older.known is not None  # noqa: S101 - it is done
    with ExitStack() as stack:
        places = services.explorer.places
        new = stack.enter_context(opened(places, found.known))
        old = stack.enter_context(opened(places, older.known))
        rows, has_more = new.difference(old, limit=_FILES)
        base, before = address(found, "files"), address(older, "files")
        files = [
            {
                "word": _WORDS[row.letter],
                "path": "/" + shown(row.path),
                "link": link(before if row.after is None else base, row.path),
                "grown": row.grown,
                "aspects": ", ".join(map(str, row.aspects)),
            }
            for row in rows
            if row.path
        ]
    values: dict[str, object] = {
        "files": files,
        "has_more": has_more,
        "packages": package_changes(answers_from(older.packed), answers_from(found.packed)),
        "grown": answers_from(found.packed)["visible"] - answers_from(older.packed)["visible"],
        "is_compared": True,
    }
    one, two = config_of(services, older), config_of(services, found)
    if one is not None and two is not None:
        values["settings"] = [
            (visible(row.name), _said(row.before), _said(row.after)) for row in settings(one, two)
        ]
        same, gone, come = history_of(one, two)
        values |= {
            "same": same,
            "gone": [visible(text)[:500] for text in gone],
            "come": [visible(text)[:500] for text in come],
        }
    return values


def _said(value: object) -> str:
    """Write a setting as the configuration's document has it, a text without its quotes."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else encode(value).decode("utf-8", "replace")
    return visible(text)[:500]
