"""Manifest lists that are being put together here: drafts, until they are pushed.

A draft names images of this machine and of registries; nothing is fetched for it but manifests. Kept
as one small file each in the root, so that the store's index holds what is whole here only.
"""

import os
from contextlib import AbstractContextManager, suppress
from urllib.parse import quote

from lamina.engine.adopt import StoreSource, manifest_of
from lamina.engine.local import ImageUnknown
from lamina.errors import AlreadyExists, Invalid, NotFound
from lamina.events import Listener, Notice, silent
from lamina.image.copy import copy as copy_image
from lamina.spec.config import CONFIG_LIMIT
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.reference import Reference
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import disk_errors, locked
from lamina.stream.files import replace as replace_file
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from lamina.engine.engine import Engine
    from lamina.image.source import ImageSource
    from lamina.store.names import Named

__all__ = ["ListExists", "ListUnknown", "Lists", "Member"]

_LIMIT = 4 * 1024 * 1024


class ListUnknown(NotFound):
    """No manifest list of that name is being put together here."""


class ListExists(AlreadyExists):
    """A manifest list of that name is being put together already."""


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a list: what the list will say of it, and where it is.

    `home` is the name it was asked for by at a registry, empty for an image of this machine.
    """

    row: Document
    home: str = ""

    @property
    def digest(self) -> Digest:
        """The digest of the image's manifest."""
        return Digest(self.row["digest"])

    @classmethod
    def of(cls, descriptor: Descriptor, platform: Document, home: str = "") -> "Self":
        """Make one; of `platform` what images say of themselves is kept, other facts are not."""
        known = ("architecture", "os", "os.version", "os.features", "variant")
        plain = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size)
        kept = {key: platform[key] for key in known if platform.get(key)}
        return cls({**plain.to_json(), **({"platform": kept} if kept else {})}, home)


class Lists:
    """The drafts of one engine. Each change is one atomic replacement of a file."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._folder = f"{engine.settings.root}/lists"

    def create(self, name: str, images: "Sequence[str]", *, amend: bool = False) -> Reference:
        """Begin the list `name` with `images`, or with `amend` add them to it; give its full name.

        An image is one of this machine, else of its registry; of an index all images are taken.
        Raises: ListExists, NotFound, ReferenceInvalid, Unauthorized, Denied, Unavailable.
        """
        reference = _tagged(name)
        if not amend:
            self._refuse_existing(reference, name)
        found = [member for image in images for member in self._members(image)]
        with self._alone():
            if not amend:  # begun by another process while the images were looked up
                self._refuse_existing(reference, name)
            with suppress(ListUnknown):
                found = [*self.members(name), *found]
            self._write(reference, list({member.digest: member for member in found}.values()))
        return reference

    def _refuse_existing(self, reference: Reference, name: str) -> None:
        if os.path.exists(self._path(reference)):
            raise ListExists(
                f"refusing to amend an existing manifest list with no --amend flag: {name}"
            )

    def annotate(self, name: str, image: str, changes: Document) -> None:
        """Change what the list says of an image's platform; `changes` are keys of the platform.

        Raises: ListUnknown, NotFound (the image is not in the list).
        """
        wanted = self._digest_of(image, self.members(name))
        with self._alone():
            members = list(self.members(name))
            places = [n for n, member in enumerate(members) if member.digest == wanted]
            if not places:
                raise NotFound(f"manifest for image {image} does not exist in {name}")
            member = members[places[0]]
            platform = {**(member.row.get("platform") or {}), **changes}
            members[places[0]] = replace(member, row={**member.row, "platform": platform})
            self._write(_tagged(name), members)

    def members(self, name: str) -> tuple[Member, ...]:
        """Give what is in a list so far. Raises: ListUnknown."""
        reference = _tagged(name)
        try:
            with open(self._path(reference), "rb") as file:
                raw = file.read(_LIMIT)
        except FileNotFoundError as error:
            raise ListUnknown(
                f"No such manifest: {reference.familiar}",
                hint="a list is begun by `lamina manifest create`",
            ) from error
        rows = decode(raw, what=f"manifest list {name}")["manifests"]
        return tuple(Member(row["descriptor"], row["home"]) for row in rows)

    def document(self, name: str) -> bytes:
        """Give the index as it would be pushed: Docker's where all of its images are Docker's.

        Raises: ListUnknown.
        """
        return self._document(self.members(name))

    @staticmethod
    def _document(members: "Sequence[Member]") -> bytes:
        rows = [member.row for member in members]
        kinds = {row["mediaType"] for row in rows}
        is_dockers = bool(kinds) and kinds <= {MediaType.DOCKER_MANIFEST}
        kind = MediaType.DOCKER_LIST if is_dockers else MediaType.OCI_INDEX
        return encode({"schemaVersion": 2, "mediaType": kind, "manifests": rows})

    def push(self, name: str, *, purge: bool = False, listener: Listener = silent) -> Digest:
        """Bring every image to the list's repository, then the list; with `purge` forget the draft.

        Blobs that another repository of that registry has are mounted. Raises: ListUnknown,
        Invalid (an empty list), Unauthorized, Denied, Unavailable, Corrupt.
        """
        from lamina.image.transports.registry import RegistrySink, RegistrySource
        from lamina.remote.repository import Repository

        target, members = _tagged(name), self.members(name)
        if not members:
            raise Invalid(f"the manifest list {name} is empty", hint="add images with --amend")
        engine = self._engine
        with engine.store.lease():
            for member in members:
                home = Reference.parse(member.home) if member.home else None
                wanted = target.with_digest(member.digest)
                source: ImageSource
                if home is None:
                    descriptor = Descriptor.from_json(member.row)
                    source = StoreSource(engine.store.blobs, descriptor)
                else:
                    at = home.with_digest(member.digest)
                    source = RegistrySource(engine.client, at, engine.abort)
                mounts = [home.repository] if home and home.registry == target.registry else []
                sink = RegistrySink(
                    engine.client, wanted, mount_from=mounts, spool=engine.store.disk.uploads
                )
                copy_image(source, sink, name=str(wanted), platform=None, listener=listener)
                listener(Notice(f"Pushed {wanted}"))
        raw = self._document(members)  # and not what came into the draft since
        kind = parse_manifest(raw).media_type
        digest = Repository.of(engine.client, target).put_manifest(target.tag, raw, kind)
        if purge:
            self._purge(name, members)
        return digest

    def _purge(self, name: str, pushed: "Sequence[Member]") -> None:
        """Forget a draft that was pushed, unless it was changed or removed since."""
        with suppress(ListUnknown), self._alone():
            if self.members(name) == pushed:
                os.unlink(self._path(_tagged(name)))

    def remove(self, name: str) -> Reference:
        """Forget a draft; what was pushed stays. Raises: ListUnknown."""
        reference = _tagged(name)
        with self._alone():  # or a change that goes on would write it again
            try:
                os.unlink(self._path(reference))
            except FileNotFoundError as error:
                raise ListUnknown(f"No such manifest: {reference.familiar}") from error
        return reference

    def _path(self, reference: Reference) -> str:
        return f"{self._folder}/{quote(str(reference), safe='')}.json"

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from changing a list meanwhile."""
        with disk_errors("writing a manifest list"):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return locked(f"{self._folder}/lock")

    def _write(self, reference: Reference, members: "Sequence[Member]") -> None:
        rows = [{"descriptor": member.row, "home": member.home} for member in members]
        replace_file(self._path(reference), encode({"manifests": rows}))

    def _members(self, name: str) -> list[Member]:
        """Find an image here or at its registry; an index gives each of its images."""
        try:
            return [self._engine.images.look(name, self._local_member)]
        except ImageUnknown:
            return self._remote_members(Reference.parse(name))

    def _local_member(self, rows: "Sequence[Named]") -> Member:
        manifest = manifest_of(self._engine, rows[0])
        raw = self._engine.store.blobs.read(manifest.config.digest, limit=CONFIG_LIMIT)
        return Member.of(manifest.descriptor, decode(raw, what="configuration"))

    def _remote_members(self, reference: Reference) -> list[Member]:
        from lamina.remote.repository import Repository

        repository = Repository.of(self._engine.client, reference)
        descriptor, raw = repository.manifest(reference.digest or reference.tag)
        document = parse_manifest(raw, descriptor.media_type)
        if isinstance(document, Index):
            rows = decode(raw, what="index")["manifests"]
            return [
                Member.of(Descriptor.from_json(row), row.get("platform") or {}, str(reference))
                for row in rows
                if (row.get("platform") or {}).get("os") != "unknown"  # attestations
            ]
        with repository.blob(document.config) as stream:
            config = stream.read(CONFIG_LIMIT)
        if Digest.of(config) != document.config.digest:
            raise Invalid(f"the configuration of {reference} is damaged at its registry")
        platform = decode(config, what="configuration")
        return [Member.of(document.descriptor, platform, str(reference))]

    def _digest_of(self, image: str, members: "Sequence[Member]") -> Digest | None:
        """Find which member `image` means: by the name it came by, by digest, or by local name."""
        with suppress(Invalid):
            reference = Reference.parse(image)
            for member in members:
                if member.home == str(reference) or member.digest == reference.digest:
                    return member.digest
        with suppress(NotFound, Invalid):
            return manifest_of(self._engine, self._engine.images.find(image)[0]).digest
        return None


def _tagged(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise Invalid(f"a manifest list is named by a tag, not by a digest: {name}")
    return reference
