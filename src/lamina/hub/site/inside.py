"""What is in an image: how well it is made, what is wasted, which packages and secrets there are."""

from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from lamina.errors import Invalid, LaminaError
from lamina.hub.database import Connection
from lamina.hub.errors import BlobUnknown, PushDenied
from lamina.hub.exploring.finding import Explored, find
from lamina.hub.exploring.kept import answers_from
from lamina.hub.exploring.paths import link, shown
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.site.image import read_config
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables.explorations import Exploration
from lamina.hub.web import SERVICES
from lamina.hub.words import instruction, visible
from lamina.spec.config import ImageConfig
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.wire import Document

__all__ = [
    "Step",
    "address",
    "common",
    "config_of",
    "explored",
    "inside",
    "look_again",
    "shown_reference",
    "state_words",
    "steps",
]

_PACKAGES = 500


@dataclass(frozen=True, slots=True)
class Step:
    """One layer by its number, and what made it."""

    number: int
    text: str


async def inside(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Show what was found in an image. Raises: ManifestUnknown, …."""
    services = request.app[SERVICES]

    def draw() -> web.Response:
        found = explored(services, request, visit, name, reference)
        answers = answers_from(found.packed) if found.is_done else {}
        wanted = request.query.get("packages", "")
        if wanted not in ("", "all"):
            raise Invalid(f"`packages={visible(wanted[:40])}` is not `all`")
        values = {
            **common(services, found),
            "answers": answers,
            # drawn by our own worker, every text of it escaped there
            "drawn": Markup(answers.get("map", "")),  # noqa: S704
            "packages": answers.get("packages", [])[: None if wanted else _PACKAGES],
            "by_kind": _by_kind(answers),
            "steps": steps(services, found),
            "waste": [
                {**row, "shown": shown(row["path"]), "link": link(address(found, "files"), row["path"])}
                for row in answers.get("waste", [])
            ],
            "secrets": [
                {**row, "shown": shown(row["path"])} for row in answers.get("secrets", [])
            ] if found.may_push else [],
        }  # fmt: skip
        return render(request, visit, "inside.html", values)

    return await services.threads.call(draw)


async def look_again(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Have an image looked into again. Raises: PushDenied, ManifestUnknown, …."""
    services = request.app[SERVICES]
    await read_form(request, visit)

    def work() -> Explored:
        found = explored(services, request, visit, name, reference)
        if not found.may_push:
            raise PushDenied(f"you may not push to {name}")
        services.explorer.look_again(found.shown.id)
        return found

    found = await services.threads.call(work)
    note(request, "look into", f"{name}@{found.shown.digest}", account=visit.caller.name)
    return go_to(address(found, "inside"))


def explored(
    services: Services, request: web.Request, visit: Visit, name: str, reference: str
) -> Explored:
    """Find the image that a request is about."""
    platform = request.query.get("platform", "")

    def work(connection: Connection) -> Explored:
        return find(connection, visit.caller, name, reference, platform=platform, is_exact=True)

    return services.database.read(work)


def address(found: Explored, what: str) -> str:
    """Give the path of another page about the same image: by its own digest where it is an index's."""
    same = found.top.digest == found.shown.digest
    return f"/{found.repository.name}/-/{what}/{found.reference if same else found.shown.digest}"


def common(services: Services, found: Explored) -> dict[str, object]:
    """Give what every page about the inside of an image shows."""
    return {
        "repository": found.repository,
        "reference": found.reference,
        "found": found,
        "known": found.known,
        "state": state_words(services, found),
        "here": lambda what: address(found, what),
        "short": shown_reference(found),
    }


def shown_reference(found: Explored) -> str:
    """Give the image's name on its pages."""
    return found.reference if ":" not in found.reference else Digest(found.reference).short


def state_words(services: Services, found: Explored) -> str:
    """Say why there is nothing to see; empty where there is."""
    if found.is_done:
        return ""
    if not found.is_image:
        return "This is no image, so there are no files in it."
    known = found.known
    if known is not None and known.state == "failed":
        return f"It could not be looked into: {visible(known.trouble)}."
    if not services.explorer.is_on:
        return "This hub does not look into images."
    return _waiting_words(services, known)


def _waiting_words(services: Services, known: Exploration | None) -> str:
    """Say what an image waits for."""
    if known is None and (lacks := services.explorer.lacks):
        return f"It waits: {lacks}."
    if known is not None and known.state == "later":
        if known.waits:
            return (
                f"It waits: {visible(known.trouble)}. It is tried again by itself, after longer and"
                " longer pauses, of an hour at most."
            )
        return f"It will be looked into again: {visible(known.trouble)}."
    return "It is being looked into. That takes a few seconds, or minutes where it is large."


def steps(services: Services, found: Explored) -> dict[int, Step]:
    """Give what made each layer, by its number."""
    config = config_of(services, found)
    if config is None or found.known is None:
        return {}
    layers = len(found.known.parts) - 1  # a configuration may speak of thousands that are not there
    rows = [row for row, diff_id in config.steps() if diff_id is not None][: max(0, layers)]
    return {
        number: Step(
            number,
            visible(" ".join(filter(None, instruction(row.created_by)))) or visible(row.comment),
        )
        for number, row in enumerate(rows, 1)
    }


def config_of(services: Services, found: Explored) -> ImageConfig | None:
    """Read the image's configuration; None where it is none, or gone."""
    try:
        manifest = parse_manifest(found.shown.raw, found.shown.media_type)
        raw = services.registry.config(Digest(found.shown.config)) if found.shown.config else b""
    except (BlobUnknown, LaminaError):
        return None
    return read_config(manifest, raw) if isinstance(manifest, Manifest) else None


def _by_kind(answers: Document) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in answers.get("packages", []):
        counts[row[0]] = counts.get(row[0], 0) + 1
    return counts
