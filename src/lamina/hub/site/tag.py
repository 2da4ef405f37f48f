"""The page of one tag or manifest: how it is made, what hangs on it, what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from lamina.errors import LaminaError
from lamina.hub.access import Caller
from lamina.hub.admission import allowed
from lamina.hub.database import Connection
from lamina.hub.errors import BlobUnknown, ManifestUnknown, TagInvalid
from lamina.hub.exploring.finding import Explored, shown
from lamina.hub.members import Member, members
from lamina.hub.names import check_tag
from lamina.hub.registry import check_reference, visible
from lamina.hub.services import Services
from lamina.hub.site.attachments import attaches, commands, purpose
from lamina.hub.site.changes import Changes, changes
from lamina.hub.site.image import Picture, picture
from lamina.hub.site.inside import address, state_words
from lamina.hub.site.render import render
from lamina.hub.site.sessions import Visit
from lamina.hub.tables import explorations, manifests, sharing, tag_lists
from lamina.hub.tables.explorations import Exploration
from lamina.hub.tables.manifests import StoredManifest, Tag
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.tag_lists import Place
from lamina.hub.web import SERVICES, host_of
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest

__all__ = ["tag"]

_ATTACHED = 50
_SHARED_LAYERS, _SHARERS = 128, 6
_NAMES = 50


@dataclass(frozen=True, slots=True)
class _Attached:
    """One thing attached to what the page shows; `tag` is empty unless it is attached by a name."""

    purpose: str
    kind: str
    digest: Digest
    tag: str
    size: int
    pushed_at: float
    pushed_by: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database has for the page; `shown` is `top`, or of an index the one that was chosen."""

    repository: Repository
    top: StoredManifest
    shown: StoredManifest
    names: tuple[str, ...]
    members: tuple[Member, ...]
    platform: str
    may_change: bool
    attached: tuple[_Attached, ...]
    sharers: Mapping[Digest, tuple[str, ...]]
    older: StoredManifest | None
    older_name: str
    explored: Explored


async def tag(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Show one tag or manifest. Raises: ManifestUnknown, …."""
    services = request.app[SERVICES]
    caller = visit.caller
    check_reference(reference)
    wanted = request.query.get("platform", "")
    against = request.query.get("against", "").strip()

    def work(connection: Connection) -> _Found:
        return _find(connection, caller, name, reference, wanted=wanted, against=against)

    def draw() -> web.Response:
        found = services.database.read(work)
        drawn = _picture(services, found.shown)
        platforms = [member.platform for member in found.members if member.platform]
        values = {
            "repository": found.repository,
            "reference": reference,
            "is_tag": ":" not in reference,
            "top": found.top,
            "shown": found.shown,
            "is_index": found.top.media_type in MediaType.INDEXES,
            "names": [each for each in found.names if each != reference and not attaches(each)],
            "members": found.members,
            "platforms": tuple(dict.fromkeys(platforms)),
            "platform": found.platform,
            "picture": drawn,
            "may_change": found.may_change,
            "attached": found.attached,
            "sharers": found.sharers,
            "commands": commands(
                host_of(request),
                name,
                reference,
                found.top.artifact_type or found.shown.artifact_type,
            ),
            "purpose": purpose(found.shown.artifact_type),
            "changes": _changes(services, found),
            "older_name": found.older_name,
            "against": against,
            "inside": _inside(services, found),
        }
        return render(request, visit, "image.html", values)

    return await services.threads.call(draw)


def _find(
    connection: Connection, caller: Caller, name: str, reference: str, *, wanted: str, against: str
) -> _Found:
    repository = visible(connection, caller, name)
    top = manifests.get(connection, repository.id, reference)
    inside = members(top.raw) if top.media_type in MediaType.INDEXES else ()
    chosen, platform = shown(connection, top, inside, wanted)
    older_name = _older(connection, top, reference, against)
    return _Found(
        repository=repository,
        top=top,
        shown=chosen,
        names=tuple(sorted(manifests.tags_of(connection, top.id, limit=_NAMES))),
        members=inside,
        platform=platform,
        may_change="delete" in allowed(connection, caller, name, repository),
        attached=tuple(_attached(connection, top, chosen, inside)),
        sharers=_sharers(connection, caller, chosen),
        older=_same_platform(connection, top, older_name, platform),
        older_name=older_name,
        explored=Explored(
            repository, reference, top, chosen, inside, platform, may_push=False,
            known=explorations.find(connection, chosen.id), packed=b"",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Inside:
    """What the page says of what is in the image, or why it says nothing, and where more is."""

    known: Exploration | None
    trouble: str
    is_over: bool
    overview: str
    files: str
    diff: str


def _inside(services: Services, found: _Found) -> _Inside | None:
    it = found.explored
    if not it.is_image or not (services.explorer.is_on or it.is_done):
        return None
    return _Inside(
        it.known, state_words(services, it), it.known is not None and it.known.state != "looking",
        address(it, "inside"), address(it, "files"), address(it, "diff"),
    )  # fmt: skip


def _older(connection: Connection, top: StoredManifest, reference: str, against: str) -> str:
    """Give the tag to compare with: the one asked for, or the one pushed before this."""
    if against:
        try:
            return check_tag(against)
        except TagInvalid:
            return against
    if ":" in reference:
        return ""
    now_at = manifests.tag_moment(connection, top.repository_id, reference)
    return tag_lists.before(
        connection,
        top.repository_id,
        Place(now_at, reference),
        manifest_id=top.id,
        kind=top.artifact_type,
    )


def _same_platform(
    connection: Connection, top: StoredManifest, name: str, platform: str
) -> StoredManifest | None:
    """Give what the older tag names for the platform shown; None if it has none, or is not there."""
    if not name or ":" in name or "\0" in name:
        return None
    try:
        older = manifests.get(connection, top.repository_id, name)
        if older.media_type not in MediaType.INDEXES:
            return older
        same = [each for each in members(older.raw) if each.platform == platform and platform]
        return manifests.get(connection, top.repository_id, same[0].digest) if same else None
    except ManifestUnknown:
        return None


def _attached(
    connection: Connection, top: StoredManifest, shown: StoredManifest, inside: tuple[Member, ...]
) -> list[_Attached]:
    """Give what hangs on the tag or on the platform shown: by subject, by name, inside the index."""
    rows: list[_Attached] = []
    for subject in dict.fromkeys((top.digest, shown.digest)):
        found, _ = manifests.referrers(
            connection, top.repository_id, subject, artifact_type="", last="", limit=_ATTACHED
        )
        rows += [_of_manifest(each) for each in found]
        named = tag_lists.attached_tags(connection, top.repository_id, subject, limit=_ATTACHED)
        rows += [_of_tag(each) for each in named]
    about = [member.digest for member in inside if member.describes == shown.digest]
    for digest in about[:_ATTACHED]:
        try:
            each = manifests.get(connection, top.repository_id, digest)
        except ManifestUnknown:  # swept a moment ago, with its index
            continue
        rows.append(_of_manifest(each, words="attestation"))
    return rows


def _of_manifest(row: StoredManifest, *, words: str = "") -> _Attached:
    kind = row.artifact_type
    return _Attached(
        words or purpose(kind), kind, row.digest, "", row.content_size, row.pushed_at, row.pushed_by
    )


def _of_tag(row: Tag) -> _Attached:
    return _Attached(
        purpose(row.artifact_type, tag=row.name), row.artifact_type, row.digest, row.name,
        row.content_size, row.pushed_at, row.pushed_by,
    )  # fmt: skip


def _sharers(
    connection: Connection, caller: Caller, shown: StoredManifest
) -> Mapping[Digest, tuple[str, ...]]:
    """Give who else has the layers shown. The lowest are looked at: those are what images share."""
    try:
        document = parse_manifest(shown.raw, shown.media_type)
    except LaminaError:  # what cannot be read is told by who draws it
        return MappingProxyType({})
    if not isinstance(document, Manifest):
        return MappingProxyType({})
    digests = dict.fromkeys(layer.digest for layer in document.layers[:_SHARED_LAYERS])
    return sharing.sharers(
        connection,
        digests,
        repository_id=shown.repository_id,
        reader=caller.as_reader,
        limit=_SHARERS,
    )


def _config(services: Services, manifest: StoredManifest) -> bytes:
    if not manifest.config:
        return b""
    try:
        return services.registry.config(Digest(manifest.config))
    except BlobUnknown:
        return b""  # swept with its manifest a moment ago


def _picture(services: Services, manifest: StoredManifest) -> Picture:
    try:
        return picture(manifest.raw, manifest.media_type, _config(services, manifest))
    except LaminaError as error:
        raise ManifestUnknown("this manifest cannot be shown") from error


def _changes(services: Services, found: _Found) -> Changes | None:
    older, newer = found.older, found.shown
    if older is None:
        return None
    try:
        return changes(
            (older.raw, older.media_type, _config(services, older)),
            (newer.raw, newer.media_type, _config(services, newer)),
        )
    except LaminaError:
        return None
