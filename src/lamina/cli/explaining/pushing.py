"""The story of a push: only what a registry lacks is sent, and the tag moves last."""

from __future__ import annotations

from lamina.cli.explaining.wire import Conversation, target_of
from lamina.cli.units import human_size
from lamina.events import Admitted, Exchanged, Noted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.flags import Arguments
    from lamina.engine.local import LocalImage
    from lamina.events import Deed, Event

    _Said = tuple[Exchanged | Admitted, ...]

__all__ = ["PushStory"]

_ROWS = 20
_CREATED, _MISSING, _REFUSED = 201, 404, 401


class PushStory:
    """Told from the requests as they were sent. Several went at a time: they are sorted by what they were for."""

    def __init__(self, page: Page, context: Context, arguments: Arguments) -> None:
        self._page = page
        self._context = context
        self._name = arguments.positional[0]
        self._packs = bool(arguments.text("compression-format") or arguments.text("compression"))
        self._all_tags = arguments.flag("all-tags")
        self._wire = Conversation(page)
        self._image: LocalImage | None = None
        self._told = False

    def begin(self) -> None:
        """Tell what the name means, and what the image is made of."""
        from lamina.errors import LaminaError
        from lamina.spec.reference import Reference

        reference, page = Reference.parse(self._name), self._page
        page.step("The name")
        if self._all_tags:
            page.say(f"{reference.name} says where to: a registry, and a repository there.")
        else:
            page.say(f"{reference} says where to: a registry, a repository there, and a tag in it.")
        page.rows([
            ("registry", reference.registry, "where it goes"),
            ("repository", reference.repository, "what is kept there under one name"),
            ("tag", "each that is here", "") if self._all_tags
            else ("tag", reference.tag, "the name in it that will stand for this image"),
        ])  # fmt: skip
        if self._all_tags:
            return
        if self._context.engine.store.names.get(str(reference)) is None:
            return  # the command itself will say so
        try:
            self._image = self._context.engine.images.resolve(str(reference))
        except LaminaError:
            return
        manifest = self._image.manifest
        page.step("What has to be there")
        page.say(
            "A registry takes a manifest only when it has every blob that it lists. So these have to be there "
            "first, and the manifest goes last."
        )
        rows = [("config", str(manifest.config.digest), human_size(manifest.config.size))]
        for number, layer in enumerate(manifest.layers[:_ROWS], 1):
            rows.append((f"layer {number}", str(layer.digest), human_size(layer.size)))
        rows.append(("manifest", str(manifest.digest), human_size(len(manifest.raw))))
        page.rows(rows)
        if len(manifest.layers) > _ROWS:
            page.say(f"and {len(manifest.layers) - _ROWS} layers more.")
        if self._packs:
            page.say(
                "Layers that were made here are packed anew on their way, as was asked: they are sent as "
                "other blobs with the same diff IDs, under another manifest."
            )

    def hear(self, deed: Event | Deed) -> None:
        """Take one deed."""
        if isinstance(deed, (Exchanged, Admitted)):
            self._wire.hear(deed)
        elif isinstance(deed, Noted) and (deed.kind, deed.action) == ("image", "push"):
            self._tell()

    def end(self, code: int) -> None:
        """Tell what was asked in a rehearsal; of a push, how to check it."""
        was_push = self._told
        self._tell()
        if code == 0 and not was_push:
            self._page.say("That is all: nothing was sent, and no tag moved.")

    def fail(self) -> None:
        """Tell how far it came."""
        self._tell()

    def _tell(self) -> None:
        said = self._wire.take()
        if not said:
            return
        self._told = True
        login, rest = _apart(said)
        heads = [each for each in rest if each.method == "HEAD" and "/blobs/" in each.url]
        mounts = [each for each in rest if "mount" in each.query]
        manifests = [each for each in rest if "/manifests/" in each.url and each.method == "PUT"]
        now = [each for each in rest if "/manifests/" in each.url and each.method != "PUT"]
        known = {id(each) for each in (*heads, *mounts, *manifests, *now)}
        uploads = [each for each in rest if id(each) not in known]
        if login:
            self._page.step("Who may push")
            self._wire.tell(login)
            self._wire.know_login()
        elif any(each.scheme for each in rest):
            self._page.step("Who may push")
            self._page.say(
                "The token that an earlier command got is still good: nobody has to be asked for one."
            )
            self._wire.know_login()
        if now:
            self._page.step("What the tag stands for there now")
            self._wire.tell(tuple(now))
        self._tell_heads(heads)
        self._tell_mounts(mounts)
        self._tell_uploads(uploads)
        self._tell_manifests(manifests)
        if any(each.status == _CREATED for each in manifests):
            self._tell_checks(manifests, login)

    def _tell_heads(self, heads: list[Exchanged]) -> None:
        if not heads:
            return
        page = self._page
        page.step("What is there already")
        page.say(
            "Each blob is asked for by its digest (HEAD: the answer without the bytes). 200 means that it is "
            "there, from whichever image it came: it is not sent. 404 means that it is lacking."
        )
        names = self._names()
        page.exchange("→", f"HEAD {heads[0].url.rpartition('/')[0]}/DIGEST, for each")
        rows = []
        order = {digest: number for number, digest in enumerate(names)}
        heads.sort(key=lambda each: order.get(target_of(each), len(order)))
        for each in heads[:_ROWS]:
            digest = target_of(each)
            meaning = {200: "there", _MISSING: "lacking"}.get(each.status, "refused")
            rows.append((names.get(digest, "blob"), digest, str(each.status), meaning))
        page.rows(rows)
        if len(heads) > _ROWS:
            there = sum(each.status // 100 == 2 for each in heads)  # noqa: PLR2004
            page.say(f"and {len(heads) - _ROWS} more; {there} of all are there.")

    def _tell_mounts(self, mounts: list[Exchanged]) -> None:
        if not mounts:
            return
        self._page.step("What another repository has")
        self._page.say(
            "This machine knows that another repository of the same registry has the blob: it came from there or "
            "went there. So it is asked to mount it: 201 means that it is here now too, and no byte was sent; 202 "
            "that it has to be sent after all."
        )
        self._some(mounts)

    def _tell_uploads(self, uploads: list[Exchanged]) -> None:
        page = self._page
        if not uploads:
            return
        page.step("What is lacking is sent")
        page.say(
            "A small blob goes with one POST that says its digest. A large one is begun by POST, which gives an "
            "address, sent with PATCH, and finished with PUT, which says the digest. The registry hashes what it "
            "gets, and keeps it only if that is the digest."
        )
        self._some(uploads)

    def _tell_manifests(self, manifests: list[Exchanged]) -> None:
        if not manifests:
            return
        page = self._page
        page.step("The manifest, and the tag moves")
        page.say(
            "Last of all the manifest is put under the tag. Until now nobody could see any of this: whoever pulls "
            "the tag gets the old image whole, or from now on the new one."
        )
        self._some(manifests)

    def _some(self, exchanges: list[Exchanged]) -> None:
        self._wire.tell(tuple(exchanges[:_ROWS]))
        if len(exchanges) > _ROWS:
            self._page.say(f"… and {len(exchanges) - _ROWS} more like these.")

    def _names(self) -> dict[str, str]:
        if self._image is None:
            return {}
        manifest = self._image.manifest
        names = {str(manifest.config.digest): "config"}
        for number, layer in enumerate(manifest.layers, 1):
            names.setdefault(str(layer.digest), f"layer {number}")
        return names

    def _tell_checks(self, manifests: Iterable[Exchanged], login: _Said) -> None:
        from lamina.cli.explaining.checks import of_registry

        if self._image is None or self._page.brief:
            return
        put = next(each for each in manifests if each.status == _CREATED)
        page = self._page
        page.step("Check it yourself")
        if put.headers.get("docker-content-digest") == str(self._image.manifest.digest):
            admitted = next((each for each in login if isinstance(each, Admitted)), None)
            for check in of_registry(self._image.manifest, put, admitted):
                page.command(*check)
        page.command(f"lamina manifest inspect {self._name}")


def _apart(said: _Said) -> tuple[_Said, list[Exchanged]]:
    """Take what was said for a login apart from the rest."""
    realms = {each.realm for each in said if isinstance(each, Admitted)}
    login = tuple(
        each
        for each in said
        if isinstance(each, Admitted) or each.status == _REFUSED or each.url in realms
    )
    taken = {id(each) for each in login}
    return login, [each for each in said if id(each) not in taken and isinstance(each, Exchanged)]
