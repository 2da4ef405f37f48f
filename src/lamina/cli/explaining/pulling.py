"""The story of a pull: from a name to layers on this disk."""

from __future__ import annotations

from lamina.cli.explaining.wire import Conversation, target_of
from lamina.cli.units import human_size
from lamina.events import Admitted, DocumentRead, Exchanged, LayerProgress, Noted, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.flags import Arguments
    from lamina.events import Deed, Event
    from lamina.spec.config import ImageConfig
    from lamina.spec.digest import Digest
    from lamina.spec.manifest import Index, Manifest

__all__ = ["PullStory"]

_PLATFORMS = 12
_PARTIAL = 206
_NAMES = {"sha256": "SHA-256", "sha512": "SHA-512"}
_LAYERS = 20


class PullStory:
    """Told from the requests as they were sent, the documents as they were read, and what is on the disk."""

    def __init__(
        self,
        page: Page,
        context: Context,
        name: str,
        *,
        embedded: bool = False,
        all_tags: bool = False,
    ) -> None:
        """`embedded`: another story goes on after it, and ends with commands of its own."""
        self._all_tags = all_tags
        self._embedded = embedded
        self._page = page
        self._context = context
        self._name = name
        self._wire = Conversation(page)
        self._index: Index | None = None
        self._indexes: list[Index] = []
        self._manifest: Manifest | None = None
        self._config: ImageConfig | None = None
        self._phases: dict[str, list[Phase]] = {}
        self._asked: dict[str, Exchanged] = {}
        self._admitted: Admitted | None = None
        self._rounds = 0
        self.finished = False

    @classmethod
    def of(cls, page: Page, context: Context, arguments: Arguments) -> PullStory:
        """Make the story of `lamina pull` with these arguments."""
        return cls(page, context, arguments.positional[0], all_tags=arguments.flag("all-tags"))

    def begin(self) -> None:
        """Tell what the name means, which nobody has to be asked for."""
        from lamina.spec.reference import Reference

        reference = Reference.parse(self._name, default_tag="" if self._all_tags else "latest")
        page = self._page
        page.step("The name")
        whole = str(reference)
        if whole == self._name:
            lead = f"{whole} is a whole name"
        else:
            lead = f"{self._name} is short for {whole}"
        what = "a tag" if reference.tag else "a digest" if reference.digest else "each tag"
        page.say(f"{lead}: a registry, a repository there, and {what} in it.")
        rows = [
            ("registry", reference.registry, "who is asked"),
            ("repository", reference.repository, "what it keeps under one name"),
        ]
        if reference.tag:
            rows.append(("tag", reference.tag, "a name that its owner can move"))
        if reference.digest:
            rows.append(
                ("digest", str(reference.digest), "a name that always means the same bytes")
            )
        page.rows(rows)

    def hear(self, deed: Event | Deed) -> None:
        """Take one deed."""
        if isinstance(deed, (Exchanged, Admitted)):
            self._wire.hear(deed)
            if isinstance(deed, Admitted):
                self._admitted = deed
            elif deed.method == "GET" and deed.status // 100 == 2:  # noqa: PLR2004
                self._asked[target_of(deed)] = deed
        elif isinstance(deed, DocumentRead):
            self._read(deed.document)
        elif isinstance(deed, LayerProgress):
            phases = self._phases.setdefault(deed.id, [])
            if not phases or phases[-1] is not deed.phase:
                phases.append(deed.phase)
        elif isinstance(deed, Noted) and (deed.kind, deed.action) == ("image", "pull"):
            self._finish(named=True)

    def end(self, code: int) -> None:
        """Tell what nothing came after: a rehearsal."""
        if self._wire.asked:
            self._page.step("What was asked")
            self._wire.tell()
            if code == 0 and not self.finished:
                self._page.say("That is all: nothing was fetched, and no name was given.")

    def fail(self) -> None:
        """Tell how far it came."""
        waiting = self._wire.take()
        if not waiting:
            return
        if self._config is None:
            self._page.step("Asking the registry" if self._manifest is None else "The config")
            self._wire.tell(waiting)
            return
        self._page.step("The layers")
        self._fetched(waiting)

    # documents

    def _read(self, document: Manifest | Index | ImageConfig) -> None:
        from lamina.spec.config import ImageConfig
        from lamina.spec.manifest import Manifest

        if self._config is not None:  # the next of several tags or platforms
            self._finish(named=False)
        if not self._indexes and self._manifest is None:
            self._page.step("Asking the registry")
            if not self._wire.asked:
                self._page.say("Nothing had to be asked.")
            self._wire.tell()
        if isinstance(document, ImageConfig):
            self._tell_config(document)
        elif isinstance(document, Manifest):
            if self._indexes:
                self._tell_index(self._indexes[-1], document.digest)
            self._tell_manifest(document)
        else:
            if self._indexes:
                self._tell_index(self._indexes[-1], document.digest)
            self._indexes.append(document)

    def _tell_index(self, index: Index, chosen: Digest) -> None:
        page = self._page
        page.step("The index")
        page.say(
            f"The name stands for an index: {len(index.manifests)} manifests under one name. For this "
            f"pull the one that is marked is meant."
        )
        rows = []
        marked = -1
        offered = [row for row in index.manifests if row.platform or row.digest == chosen]
        offered.sort(key=lambda row: row.digest != chosen)  # the chosen one is never cut off
        for number, row in enumerate(offered[:_PLATFORMS]):
            is_chosen = row.digest == chosen
            marked = number if is_chosen else marked
            rows.append((">" if is_chosen else "", str(row.platform or "?"), str(row.digest)))
        page.rows(rows, mark=marked)
        if len(index.manifests) > len(rows):
            page.say(f"{len(index.manifests) - len(rows)} more are listed.")
        self._tell_proof("index", index.raw, index.digest)

    def _tell_proof(self, what: str, raw: bytes, known_as: Digest) -> None:
        """Compute a document's digest in front of the reader."""
        from lamina.spec.digest import Digest

        found = Digest.of(raw, known_as.algorithm)
        self._page.value(f"{_NAMES[known_as.algorithm]} of the {what}'s {len(raw)} bytes", found)
        if self._index_row(known_as):
            self._page.say("That is the digest under which the index lists it.")
        elif self._said_digest() == found:
            self._page.say("That is the digest that the registry said in Docker-Content-Digest.")

    def _said_digest(self) -> str:
        top = [each for each in self._asked.values() if "/manifests/" in each.url]
        return top[0].headers.get("docker-content-digest", "") if top else ""

    def _index_row(self, digest: Digest) -> bool:
        return any(row.digest == digest for index in self._indexes for row in index.manifests)

    def _tell_manifest(self, manifest: Manifest) -> None:
        from lamina.spec.wire import decode

        page = self._page
        self._manifest = manifest
        page.step("The manifest")
        if self._indexes and str(manifest.digest) not in self._asked:
            page.say(
                "It is here already, from an earlier pull: a digest always means the same bytes."
            )
        self._wire.tell()
        count = len(manifest.layers)
        page.say(
            "The manifest lists what the image is made of, each part by a descriptor: a config and "
            f"{_counted(count, 'layer')}{', lowest first' if count > 1 else ''}."
        )
        page.document(decode(manifest.raw))
        self._tell_proof("manifest", manifest.raw, manifest.digest)

    def _tell_config(self, config: ImageConfig) -> None:
        page = self._page
        self._config = config
        page.step("The config")
        if str(config.digest) not in self._asked:
            page.say("It is here already, so it is not fetched.")
        self._wire.tell()
        page.say(
            "The config says how to run the image, how it came about, and in rootfs.diff_ids what "
            "its layers are when they are unpacked. Its digest is the image ID."
        )
        kept = ("architecture", "os", "created", "config", "rootfs")
        page.document({key: config.document[key] for key in kept if key in config.document})
        if config.history:
            page.say(f"Left out here: the history, {_counted(len(config.history), 'step')}.")
        self._tell_proof("config", config.raw, config.digest)
        if self._manifest and self._manifest.config.digest == config.digest:
            page.say(
                "That is the digest by which the manifest lists it, and from now on the image ID."
            )

    # layers

    def _finish(self, *, named: bool) -> None:
        if self._config is None or self._manifest is None:
            return
        self._tell_layers(self._manifest, self._config)
        self._tell_pile(self._config)
        if named:
            self._tell_name()
            self._tell_checks(self._manifest, self._config)
            self.finished = True
        self._rounds += 1
        self._indexes, self._manifest, self._config = [], None, None
        self._phases, self._asked = {}, {}

    def _tell_layers(self, manifest: Manifest, config: ImageConfig) -> None:
        from lamina.cli.explaining.anatomy import tar_size

        page = self._page
        page.step("The layers")
        page.say(
            "Layers come several at a time. Each blob is hashed while it comes, and must have the layer "
            "digest that the manifest says. On the way it is unpacked and hashed again: the tar in it "
            "must have the diff ID that the config says. Only then is it kept."
        )
        self._fetched(self._wire.take())
        rows = [("", "layer digest", "sent", "diff ID", "unpacked", "")]
        pairs = list(zip(manifest.layers, config.diff_ids, strict=True))
        for number, (layer, diff_id) in enumerate(pairs[:_LAYERS], 1):
            plain = tar_size(self._context.engine, config.diff_ids[:number])
            size = human_size(plain) if plain >= 0 else "?"
            rows.append((
                str(number), layer.digest.short, human_size(layer.size), diff_id.short, size,
                self._how(layer.digest),
            ))  # fmt: skip
        page.rows(rows)
        if len(pairs) > _LAYERS:
            page.say(f"and {len(pairs) - _LAYERS} more.")

    def _fetched(self, waiting: tuple[Exchanged | Admitted, ...]) -> None:
        """Tell the requests for blobs, first those that say more than the others."""
        shown = waiting if len(waiting) <= _LAYERS else waiting[: _LAYERS // 2]
        self._wire.tell(shown)
        if any(isinstance(each, Exchanged) and each.status == _PARTIAL for each in shown):
            self._page.say(
                "206: a large blob comes in parts, several at a time, or goes on from where it broke off."
            )
        if left := len(waiting) - len(shown):
            self._page.say(f"… and {left} more like these.")

    def _how(self, digest: Digest) -> str:
        """Say in a word what became of a layer, by the events of the pull itself."""
        phases = self._phases.get(digest.short, [])
        if Phase.DOWNLOADED in phases:
            return "fetched, both match"
        if Phase.PULLED in phases:
            return "unpacked, both match"
        return "was here already"

    def _tell_pile(self, config: ImageConfig) -> None:
        from lamina.spec.digest import chain_id

        page = self._page
        page.step("The pile")
        layers = self._context.engine.layers
        count = len(config.diff_ids)
        if not count:
            page.say("The image has no layers.")
            return
        page.say(
            "On this disk each layer is one file, a sealed layer: the tar, byte for byte, and a table of its "
            "files that the kernel mounts. Nothing is merged: images that share layers share the files. "
            f"The pile ({_counted(count, 'layer')}) has a name of its own, the chain ID."
        )
        page.value("Topmost sealed layer", layers.path(config.diff_ids))
        page.value("Chain ID", chain_id(config.diff_ids))

    def _tell_name(self) -> None:
        from lamina.spec.reference import Reference

        page = self._page
        page.step("The name is given")
        reference = Reference.parse(self._name)
        row = self._context.engine.store.names.get(str(reference))
        if row is None:
            page.say("Last of all the images got their names.")
            return
        page.say(
            "Last of all, when every byte is checked, the name is written into the store's "
            "index.json. A pull that fails earlier leaves no half image behind."
        )
        page.value(f"{row.name} stands for", str(row.target.digest))

    def _tell_checks(self, manifest: Manifest, config: ImageConfig) -> None:
        from lamina.cli.explaining.checks import of_image, of_registry

        page = self._page
        if page.brief or self._embedded:
            return
        page.step("Check it yourself")
        top = self._indexes[0] if self._indexes else manifest
        for check in of_registry(top, self._top_exchange(), self._admitted):
            page.command(*check)
        for check in of_image(self._context.engine, manifest, config):
            page.command(*check)

    def _top_exchange(self) -> Exchanged | None:
        return next((each for each in self._asked.values() if "/manifests/" in each.url), None)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
