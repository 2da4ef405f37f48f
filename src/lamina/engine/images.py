"""Images on this machine: find, list, tag, remove; pull and push are next door."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from lamina.engine import naming
from lamina.engine.local import ImageSummary, ImageUnknown, LocalImage, Removed
from lamina.errors import Invalid, NotFound, Unsupported
from lamina.events import Listener, silent
from lamina.spec.digest import Digest, chain_id
from lamina.spec.reference import Reference, ReferenceInvalid
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from contextlib import AbstractContextManager
    from typing import BinaryIO, TypeVar

    from lamina.engine.archives import ImportRequest, Loaded
    from lamina.engine.engine import Engine
    from lamina.engine.inspect import HistoryRow, LayerRow
    from lamina.engine.plans import Plan
    from lamina.engine.pull import PullOutcome
    from lamina.engine.push import PushOutcome
    from lamina.layer.view import Tree
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.wire import Document
    from lamina.store.names import Named
    from lamina.store.undo import Occasion
    from lamina.stream.codec import Compression
    from lamina.study.regrets import Regret

    _T = TypeVar("_T")

__all__ = ["Images"]

_ID_LENGTH = 64


class Images:
    """The images of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def list(self) -> tuple[ImageSummary, ...]:
        """Give every image, newest first. Costs one read of `index.json`."""
        groups: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
        for row, facts in self.rows():
            groups.setdefault(facts[naming.IMAGE_ID], []).append((row.name, facts))
        images = [
            ImageSummary(
                id=Digest(image_id),
                names=tuple(sorted(name for name, _ in rows if name and "@" not in name)),
                digests=tuple(sorted(name for name, _ in rows if "@" in name)),
                created=rows[0][1].get(naming.CREATED, ""),
                size=int(rows[0][1].get(naming.SIZE) or 0),
                parent=next((p for _, facts in rows if (p := facts.get(naming.PARENT))), ""),
            )
            for image_id, rows in groups.items()
        ]
        images.sort(key=lambda image: image.id)
        images.sort(key=lambda image: image.created, reverse=True)
        return tuple(images)

    def rows(self) -> "Iterator[tuple[Named, Mapping[str, str]]]":
        """Give every index entry that is an image for this machine, with its facts.

        Other tools keep artifacts and other platforms' images in a layout, too; these stay theirs.
        """
        for row in self._engine.store.names.all():
            try:
                yield row, self._facts_of(row)
            except (NotFound, Invalid, Unsupported):
                continue

    def _facts_of(self, row: "Named") -> "Mapping[str, str]":
        if naming.IMAGE_ID in row.facts:
            return row.facts
        from lamina.engine.adopt import describe

        return describe(self._engine, row)

    def find(self, name_or_id: str) -> tuple["Named", ...]:
        """Give the index entries of one image, the asked name's first.

        A name wins over an ID; an ID may be cut short where it stays unique.
        Raises: ImageUnknown, Invalid (the short ID fits several images).
        """
        rows = [(row, facts[naming.IMAGE_ID]) for row, facts in self.rows()]
        named = self._by_name(name_or_id)
        if named is not None:
            try:
                image_id = self._facts_of(named)[naming.IMAGE_ID]
            except (NotFound, Invalid, Unsupported):  # an artifact, or for another machine alone
                return (named,)
            others = [row for row, i in rows if row.name != named.name and i == image_id]
            return (named, *others)
        wanted = name_or_id.removeprefix("sha256:")
        if wanted and len(wanted) <= _ID_LENGTH and all(c in "0123456789abcdef" for c in wanted):
            fitting = {i for _, i in rows if i.startswith(f"sha256:{wanted}")}
            if len(fitting) > 1:
                raise Invalid(
                    f"image ID {name_or_id} is ambiguous", hint="give more characters of the ID"
                )
            if fitting:
                found = fitting.pop()
                return tuple(row for row, i in rows if i == found)
        raise self._unknown(name_or_id)

    def _by_name(self, text: str) -> "Named | None":
        try:
            reference = Reference.parse(text)
        except ReferenceInvalid:
            return None
        names = self._engine.store.names
        if reference.tag and reference.digest:
            reference = reference.with_digest(reference.digest)
        return names.get(str(reference))

    @staticmethod
    def _unknown(text: str) -> ImageUnknown:
        try:
            shown = Reference.parse(text).familiar
        except ReferenceInvalid:
            shown = text
        return ImageUnknown(
            f"No such image: {shown}",
            hint=f"`lamina pull {text}` fetches it, `lamina images` lists what is here",
        )

    def look(self, name_or_id: str, read: "Callable[[Sequence[Named]], _T]") -> "_T":
        """Give what `read` makes of an image's index entries, the asked name's first.

        An image that another process removes or moves meanwhile is as if it had been so before:
        where `read` misses something, it may be called again. Raises: ImageUnknown, Invalid.
        """
        rows = self.find(name_or_id)
        while True:
            try:
                return read(rows)
            except NotFound:
                before, rows = rows, self.find(name_or_id)
                if rows[0].target == before[0].target:  # not removed: damaged
                    raise

    def resolve(self, name_or_id: str, *, platform: str = "") -> LocalImage:
        """Read one image's documents, verified: that for `platform`, else for this machine.

        Raises: ImageUnknown, Invalid, Corrupt.
        """
        if platform:
            from lamina.engine.variants import variant

            return variant(self._engine, name_or_id, platform)
        return self.look(name_or_id, self._read)

    def documents(self, name_or_id: str) -> LocalImage:
        """Read one image's documents, as far as they can be, whether or not its layers can.

        Of another tool's image that was not used yet `layer_sizes` is empty and `size` 0.
        Raises: as `resolve`; Unsupported (an artifact, or for another machine).
        """
        found = self.look(name_or_id, partial(self._read, sealed=False))
        blobs = [layer.digest for layer in found.manifest.layers]
        return replace(found, config=found.config.fitted(blobs))

    def _read(self, rows: Sequence["Named"], *, sealed: bool = True) -> LocalImage:
        from lamina.engine.adopt import adopt, manifest_of
        from lamina.image.source import refuse_artifact
        from lamina.spec.config import CONFIG_LIMIT, ImageConfig

        facts: dict[str, str] = {}
        for row in reversed(rows):
            facts.update(row.facts)
        if naming.LAYER_SIZES not in facts and sealed:
            facts.update(adopt(self._engine, rows))
        manifest = manifest_of(self._engine, rows[0])
        refuse_artifact(manifest, name=rows[0].name or str(rows[0].target.digest))
        blobs = self._engine.store.blobs
        config = ImageConfig.read_anyway(blobs.read(manifest.config.digest, limit=CONFIG_LIMIT))
        sizes = facts.get(naming.LAYER_SIZES, "")
        return LocalImage(
            id=config.digest,
            manifest=manifest,
            config=config,
            names=tuple(sorted(r.name for r in rows if r.name and "@" not in r.name)),
            digests=tuple(sorted(r.name for r in rows if "@" in r.name)),
            size=int(facts.get(naming.SIZE) or 0),
            layer_sizes=tuple(int(size) for size in sizes.split(",") if size),
            parent=facts.get(naming.PARENT, ""),
            tagged=max((r.facts.get(naming.TAGGED, "") for r in rows), default=""),
            root=self._engine.settings.root,
        )

    def pull(
        self,
        name: str,
        *,
        platform: str = "",
        all_tags: bool = False,
        all_platforms: bool = False,
        unpack: bool = True,
        listener: Listener = silent,
    ) -> "tuple[PullOutcome, ...]":
        """Fetch `name` from its registry, or all its tags, or all its platforms. See `engine.pull`."""
        from lamina.engine.pull import pull, pull_all, pull_platforms
        from lamina.engine.room import with_room

        listener = self._engine.heard(listener)

        def attempt() -> "tuple[PullOutcome, ...]":
            if all_tags:
                return pull_all(engine, name, platform=platform, unpack=unpack, listener=listener)
            if all_platforms:
                return pull_platforms(engine, name, unpack=unpack, listener=listener)
            return (pull(engine, name, platform=platform, unpack=unpack, listener=listener),)

        engine = self._engine
        outcomes = with_room(engine, attempt)
        for row in outcomes:
            self._note(row.reference.familiar, "pull", name=row.reference.familiar_name)
        return outcomes

    def copy(
        self,
        source: str,
        target: str,
        *,
        everything: bool = False,
        platform: str = "",
        referrers: bool = False,
        listener: Listener = silent,
    ) -> Digest:
        """Copy an image between any two places; give its digest. See `engine.copying`."""
        from lamina.engine.copying import copy

        return copy(
            self._engine,
            source,
            target,
            everything=everything,
            platform=platform,
            referrers=referrers,
            listener=listener,
        )

    def tags(self, repository: str) -> tuple[str, ...]:
        """List a repository's tags at its registry, in the registry's order.

        Raises: NotFound (no such repository), Unauthorized, Denied, Unavailable.
        """
        from lamina.remote.repository import Repository

        return Repository.of(self._engine.client, Reference.parse(repository)).tags()

    def manifest(self, name: str) -> "tuple[Descriptor, bytes]":
        """Fetch what `name` stands for at its registry: descriptor and verified bytes.

        Raises: NotFound, Unauthorized, Denied, Unavailable, Corrupt.
        """
        from lamina.remote.repository import Repository

        reference = Reference.parse(name)
        repository = Repository.of(self._engine.client, reference)
        return repository.manifest(reference.digest or reference.tag)

    def push(
        self,
        name: str,
        *,
        all_tags: bool = False,
        platform: str = "",
        compression: "Compression | None" = None,
        force: bool = False,
        listener: Listener = silent,
    ) -> "tuple[PushOutcome, ...]":
        """Send `name` to its registry; every local tag of it with `all_tags`. See `engine.push`."""
        from lamina.engine.push import push

        outcomes = push(
            self._engine,
            name,
            all_tags=all_tags,
            platform=platform,
            compression=compression,
            force=force,
            listener=self._engine.heard(listener),
        )
        for row in outcomes:
            self._note(row.reference.familiar, "push", name=row.reference.familiar_name)
        return outcomes

    def regrets(self, name: str) -> "tuple[Regret, ...]":
        """Tell what is likely not meant to leave this machine, of layers that were made here.

        Costs a walk of their indexes and a read of their small files; nothing without such layers.
        """
        from lamina.engine.push import regrets

        return regrets(self._engine, name)

    def plan_pull(self, name: str, *, platform: str = "") -> "Plan":
        """Tell what `pull` would fetch; nothing is. See `engine.plans`."""
        from lamina.engine.plans import plan_pull

        return plan_pull(self._engine, name, platform=platform)

    def plan_push(
        self,
        name: str,
        *,
        all_tags: bool = False,
        platform: str = "",
        compression: "Compression | None" = None,
        force: bool = False,
    ) -> "tuple[Plan, ...]":
        """Tell what `push` would send; nothing is. See `engine.plans`."""
        from lamina.engine.plans import plan_push

        return plan_push(
            self._engine,
            name,
            all_tags=all_tags,
            platform=platform,
            compression=compression,
            force=force,
        )

    def plan_copy(
        self,
        source: str,
        target: str,
        *,
        everything: bool = False,
        platform: str = "",
        referrers: bool = False,
    ) -> "Plan":
        """Tell what `copy` would move; nothing is. See `engine.plans`."""
        from lamina.engine.plans import plan_copy

        return plan_copy(
            self._engine,
            source,
            target,
            everything=everything,
            platform=platform,
            referrers=referrers,
        )

    def tag(self, source: str, target: str) -> Reference:
        """Give an image one more name; a name that stood for another image moves.

        Raises: ImageUnknown, ReferenceInvalid (also for a target with a digest).
        """
        reference = Reference.parse(target)
        if reference.digest:
            raise ReferenceInvalid(f"refusing to create a tag with a digest reference: {target}")
        with self._engine.store.lease():  # or another process may remove it meanwhile
            image = self.resolve(source)
            naming.name_image(
                self._engine,
                str(reference),
                image.manifest,
                image.config,
                command=f"tag {source} {reference.familiar}",
                parent=image.parent,
            )
        self._note(str(image.id), "tag", name=reference.familiar)
        return reference

    def remove(
        self,
        name_or_id: str,
        *,
        force: bool = False,
        now: bool = False,
        platforms: Sequence[str] = (),
        occasion: "Occasion | None" = None,
    ) -> tuple[Removed, ...]:
        """Untag, and delete the image once nothing names or uses it. See `engine.remove`.

        With `platforms` only what is for these alone. Raises: as it, Unsupported (there is more).
        """
        from lamina.engine.remove import remove

        if platforms:
            from lamina.engine.variants import check_removal

            check_removal(self._engine, name_or_id, platforms)
        return remove(self._engine, name_or_id, force=force, now=now, occasion=occasion)

    def prune(
        self,
        *,
        all_unused: bool = False,
        accepts: "Callable[[ImageSummary], bool]" = lambda _: True,
        now: bool = False,
        occasion: "Occasion | None" = None,
    ) -> tuple[tuple[Removed, ...], int]:
        """Remove dangling images, or all that no container uses; also give the bytes freed."""
        from lamina.engine.remove import prune

        return prune(
            self._engine, all_unused=all_unused, accepts=accepts, now=now, occasion=occasion
        )

    def inspect(self, name_or_id: str, *, platform: str = "") -> "Document":
        """Give the image as docker 28's `image inspect` shapes it. Raises: ImageUnknown."""
        from lamina.engine.inspect import image_document

        if platform:
            return image_document(self._engine, self.resolve(name_or_id, platform=platform))
        return self.look(name_or_id, lambda rows: image_document(self._engine, self._read(rows)))

    def tree(self, name_or_id: str) -> "AbstractContextManager[Tree]":
        """Give, for the body, the image's files as a container on it would see them.

        Nothing is mounted or unpacked and no right is needed: the indexes of its layers are read
        in place. See `lamina.layer.view.Tree`. Raises: ImageUnknown, Corrupt.
        """
        from lamina.engine.reading import image_tree

        return image_tree(self._engine, name_or_id)

    def history(self, name_or_id: str, *, platform: str = "") -> "tuple[HistoryRow, ...]":
        """Give the steps, newest first. Raises: ImageUnknown."""
        from lamina.engine.inspect import history

        return history(self._engine, self.resolve(name_or_id, platform=platform))

    def stack(self, name_or_id: str) -> "tuple[LayerRow, ...]":
        """Give the layers, topmost first, with who made and who shares each."""
        from lamina.engine.inspect import stack

        return stack(self._engine, self.resolve(name_or_id))

    def save(
        self,
        names: Sequence[str],
        out: "BinaryIO",
        *,
        form: str = "docker",
        platform: str = "",
        without: "Container[Digest]" = (),
    ) -> None:
        """Write images as one tar: `docker` (docker-archive that is an OCI layout too) or `oci`.

        Layers `without` are left out, for a machine that has them. See `engine.bundles`.
        """
        from lamina.engine.archives import save

        save(self._engine, names, out, form=form, platform=platform, without=without)

    def inventory(self) -> "Document":
        """List the layers that are here, for another machine's `save`. See `engine.bundles`."""
        from lamina.engine.bundles import inventory

        return inventory(self._engine)

    def load(
        self, stream: "BinaryIO", *, platform: str = "", listener: Listener = silent
    ) -> "tuple[Loaded, ...]":
        """Read a docker-archive or an OCI layout tar, compressed or not; of one platform alone."""
        from lamina.engine.archives import load
        from lamina.engine.room import with_room

        engine = self._engine
        loaded = with_room(
            engine,
            lambda: load(engine, stream, platform=platform, listener=listener),
            again=False,
        )
        for row in loaded:
            self._note(str(row.id), "load", name=next(iter(row.names), ""))
        return loaded

    def import_(self, stream: "BinaryIO", request: "ImportRequest") -> Digest:
        """Make a one-layer image from a tar of a root file system; give its ID."""
        from lamina.engine.archives import import_
        from lamina.engine.room import with_room

        image = with_room(self._engine, lambda: import_(self._engine, stream, request), again=False)
        if request.name:
            self._note(str(image), "tag", name=Reference.parse(request.name).familiar)
        self._note(str(image), "import")
        return image

    def _note(self, ident: str, action: str, *, name: str = "") -> None:
        from lamina.engine.journal import note_image

        note_image(self._engine, ident, action, name=name)

    def chain_of(self, image: LocalImage) -> str:
        """Name the whole pile of an image, or `` when it has no layer."""
        return str(chain_id(image.config.diff_ids)) if image.config.diff_ids else ""
