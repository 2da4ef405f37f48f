"""Which image a page or a program asks about, and what is known of it: one read of the database."""

from dataclasses import dataclass

from lamina.errors import NotFound
from lamina.hub.access import Caller
from lamina.hub.admission import allowed
from lamina.hub.database import Connection
from lamina.hub.errors import ManifestUnknown
from lamina.hub.members import Member, choose, members
from lamina.hub.registry import check_reference, visible
from lamina.hub.tables import explorations, manifests
from lamina.hub.tables.explorations import Exploration
from lamina.hub.tables.manifests import StoredManifest
from lamina.hub.tables.repositories import Repository
from lamina.hub.words import visible as visible_text
from lamina.spec.descriptor import MediaType
from lamina.spec.wire import Document
from lamina.study.compare import packages
from lamina.study.packages import Package

__all__ = ["Explored", "find", "package_changes", "shown"]


@dataclass(frozen=True, slots=True)
class Explored:
    """One image: `shown` is what `reference` names, or of an index the member for `platform`.

    `known` is None while nobody has looked; `answers` is the document as it is kept, empty until then.
    """

    repository: Repository
    reference: str
    top: StoredManifest
    shown: StoredManifest
    members: tuple[Member, ...]
    platform: str
    may_push: bool
    known: Exploration | None
    packed: bytes

    @property
    def is_done(self) -> bool:
        """Tell whether there are answers."""
        return self.known is not None and self.known.state == "done"

    @property
    def is_image(self) -> bool:
        """Tell whether it is anything that is looked into."""
        shown = self.shown
        return (
            shown.media_type not in MediaType.INDEXES
            and not shown.artifact_type
            and bool(shown.config)
        )


def find(
    connection: Connection,
    caller: Caller,
    name: str,
    reference: str,
    *,
    platform: str = "",
    with_answers: bool = True,
    is_exact: bool = False,
) -> Explored:
    """Give an image that `caller` may pull; with `is_exact` of no other platform than the one asked for.

    Raises: what `visible` does, TagInvalid, ManifestUnknown, NotFound (the platform).
    """
    check_reference(reference)
    repository = visible(connection, caller, name)
    top = manifests.get(connection, repository.id, reference)
    inside = members(top.raw) if top.media_type in MediaType.INDEXES else ()
    chosen, kind = shown(connection, top, inside, platform)
    if is_exact and platform not in ("", kind):
        raise NotFound(f"the image is not for the platform `{visible_text(platform)[:60]}`")
    known = explorations.find(connection, chosen.id)
    packed = explorations.answers(connection, chosen.id) if with_answers and known else None
    return Explored(
        repository, reference, top, chosen, inside, kind,
        "push" in allowed(connection, caller, name, repository), known, packed or b"",
    )  # fmt: skip


def shown(
    connection: Connection, top: StoredManifest, inside: tuple[Member, ...], wanted: str
) -> tuple[StoredManifest, str]:
    """Give which manifest to show, and its platform: of an index the one wanted, or a usual one."""
    if top.media_type not in MediaType.INDEXES:
        return top, ",".join(top.platforms)
    chosen = choose(inside, wanted)
    if chosen is None:
        return top, ""
    try:
        return manifests.get(connection, top.repository_id, chosen.digest), chosen.platform
    except ManifestUnknown:  # swept a moment ago, with its index
        return top, ""


def package_changes(older: Document, newer: Document) -> list[dict[str, object]]:
    """Give the packages of which the versions differ, by kind and name."""
    before, after = (
        [
            Package(row[0], row[1], row[2], row[3], row[4], row[5], b"")
            for row in one.get("packages", [])
        ]
        for one in (older, newer)
    )
    return [
        {"kind": one.kind, "name": one.name, "before": list(one.before), "after": list(one.after)}
        for one in packages(before, after)
    ]
