"""How an image hangs together: name, manifest, config, blobs, diff IDs, and chain IDs computed one by one."""

from __future__ import annotations

from lamina.cli.stack_drawing import instruction
from lamina.cli.units import human_size, shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from lamina.cli.explaining.page import Page
    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.digest import Digest

__all__ = ["Anatomy", "Link", "draw", "tar_size"]

_WHOLE = 6
_ENDS = 3


class Link:
    """One layer's place: what is sent, what it is unpacked, and the name of the pile up to it.

    `below` is the chain ID of the pile under it, empty for the lowest; `tar_size` is -1 where the
    layer is not unpacked here, or damaged.
    """

    __slots__ = ("below", "chain", "diff_id", "layer", "number", "step", "tar_size")

    def __init__(
        self, image: LocalImage, number: int, *, below: str, tar_size: int, step: str
    ) -> None:
        from lamina.spec.digest import chain_id

        self.number = number
        self.layer = image.manifest.layers[number - 1]
        self.diff_id: Digest = image.config.diff_ids[number - 1]
        self.below = below
        self.chain: Digest = chain_id(image.config.diff_ids[:number])
        self.tar_size = tar_size
        self.step = step


class Anatomy:
    """One local image, taken apart. All of it is read: nothing is fetched or unpacked."""

    def __init__(self, engine: Engine, name: str, image: LocalImage, links: Sequence[Link]) -> None:
        self.engine = engine
        self.name = name
        self.image = image
        self.links = tuple(links)

    @classmethod
    def of(cls, engine: Engine, name: str, image: LocalImage) -> Self:
        """Take an image apart that was asked for as `name`. Its documents suffice."""
        steps = {}
        number = 0
        for row, diff_id in image.config.steps():
            if diff_id is not None:
                number += 1
                steps[number] = instruction(row.created_by) or row.comment
        links: list[Link] = []
        for at in range(1, min(len(image.config.diff_ids), len(image.manifest.layers)) + 1):
            size = tar_size(engine, image.config.diff_ids[:at])
            below = str(links[-1].chain) if links else ""
            links.append(Link(image, at, below=below, tar_size=size, step=steps.get(at, "")))
        return cls(engine, name, image, links)

    def document(self) -> dict[str, object]:
        """Give all of it as one JSON object, with the OCI fields' names."""
        manifest, config = self.image.manifest, self.image.config
        blobs = self.engine.store.blobs
        return {
            "names": list(self.image.names),
            "digests": list(self.image.digests),
            "manifest": {**manifest.descriptor.to_json(), "path": blobs.path(manifest.digest)},
            "config": {**manifest.config.to_json(), "path": blobs.path(config.digest)},
            "imageID": str(self.image.id),
            "layers": [
                {
                    **link.layer.to_json(),
                    "path": blobs.path(link.layer.digest),
                    "diffID": str(link.diff_id),
                    "tarSize": None if link.tar_size < 0 else link.tar_size,
                    "chainID": str(link.chain),
                    "chainIDOf": f"{link.below} {link.diff_id}" if link.below else None,
                    "createdBy": link.step,
                }
                for link in self.links
            ],
        }


def tar_size(engine: Engine, pile: Sequence[Digest]) -> int:
    """Give the bytes of a layer's tar; -1 where its sealed layer is lacking or damaged."""
    from lamina.errors import LaminaError

    if not engine.layers.has(pile):
        return -1
    try:
        with engine.layers.open(pile) as sealed:
            return sealed.tar_size
    except (LaminaError, OSError):
        return -1


def draw(anatomy: Anatomy, page: Page) -> None:
    """Tell it step by step on `page`."""
    _names(anatomy, page)
    _tree(anatomy, page)
    _pairs(anatomy, page)
    _chains(anatomy, page)
    _checks(anatomy, page)


def _names(anatomy: Anatomy, page: Page) -> None:
    from lamina.spec.reference import Reference

    image = anatomy.image
    page.step("The names")
    page.say(
        "A name is a row in the store's index.json that points to a manifest. A tag can be moved to another; "
        "a name with a digest cannot."
    )
    rows = [(name, Reference.parse(name).familiar) for name in (*image.names, *image.digests)]
    page.rows([(familiar, "" if whole == familiar else f"is {whole}") for whole, familiar in rows])
    if not rows:
        page.say("It has no name any more, and is known by its image ID.")


def _tree(anatomy: Anatomy, page: Page) -> None:
    image = anatomy.image
    manifest, config = image.manifest, image.config
    page.step("The documents and the blobs")
    page.say(
        "The manifest names everything else by digest, and the config names each layer once more, as it is "
        "when it is unpacked. So one digest stands for the whole image: nothing in it can change "
        "without changing it."
    )
    tee, end, down = ("├─", "└─", "│ ") if page.unicode else ("|-", "`-", "| ")
    page.tree(f"manifest  {manifest.digest}", human_size(len(manifest.raw)))
    page.tree(f"{tee} config  {config.digest}", f"{human_size(len(config.raw))}, the image ID")
    count = len(anatomy.links)
    bar = down if count else "  "
    for link, last in _shown(anatomy.links):
        if link is None:
            page.tree(f"{bar}  …")
            continue
        branch = end if last else tee
        page.tree(f"{bar}   {branch} diff_ids[{link.number - 1}]  {link.diff_id}")
    for link, last in _shown(anatomy.links):
        if link is None:
            page.tree(f"{down} …")
            continue
        branch = end if last else tee
        packing = link.layer.media_type.rpartition(".")[2]
        page.tree(
            f"{branch} layers[{link.number - 1}]  {link.layer.digest}",
            f"{human_size(link.layer.size)} {packing}",
        )


def _pairs(anatomy: Anatomy, page: Page) -> None:
    if not anatomy.links:
        page.step("No layers")
        page.say("This image has no layers: it is a config alone.")
        return
    page.step("Each layer has two digests")
    page.say(
        "The layer digest names the blob as it is sent and stored; the diff ID names the tar inside. The same tar, "
        "packed by another program or level, is another blob with the same diff ID."
    )
    rows = []
    arrow = "→" if page.unicode else "->"
    for link, _ in _shown(anatomy.links):
        if link is None:
            rows.append(("…", "", "", "", "", ""))
            continue
        size = human_size(link.tar_size) if link.tar_size >= 0 else "?"
        rows.append((
            str(link.number), link.layer.digest.short, human_size(link.layer.size), arrow,
            f"{link.diff_id.short}  {size}", shorten(link.step, 60),
        ))  # fmt: skip
    page.rows(rows)
    if any(link.tar_size < 0 for link in anatomy.links):
        page.fact(
            "Where a `?` stands there is no sealed layer on this disk, or it is damaged: `lamina fsck` tells."
        )


def _chains(anatomy: Anatomy, page: Page) -> None:
    if not anatomy.links:
        return
    page.step("Chain IDs: the pile has a name at each height")
    page.say(
        "A diff ID says nothing of what lies below it. The chain ID does: the lowest is the lowest diff ID "
        "itself, each further one is the SHA-256 of the text `chain ID below, blank, diff ID`. Images with the same "
        "chain ID at some height have the same files up to there."
    )
    for link, _ in _shown(anatomy.links):
        if link is None:
            page.plain("     …" if page.unicode else "     ...")
            continue
        page.value(f"Chain ID {link.number}", link.chain)
        if not link.below:
            page.rows([("= diff ID 1",)])
            continue
        page.rows([(f'= sha256("{link.below} {link.diff_id}")',)])


def _checks(anatomy: Anatomy, page: Page) -> None:
    from lamina.cli.explaining.checks import chain_check, of_image

    if page.brief:
        return
    page.step("Check it yourself")
    for check in of_image(anatomy.engine, anatomy.image.manifest, anatomy.image.config):
        page.command(*check)
    for link in anatomy.links[1:2]:
        page.command(*chain_check(link.below, str(link.diff_id), str(link.chain)))


def _shown(links: Sequence[Link]) -> list[tuple[Link | None, bool]]:
    """Give the links that are drawn, each with whether it is the last; None stands for those in the middle."""
    rows: list[Link | None] = list(links)
    if len(rows) > _WHOLE:
        rows = [*links[:_ENDS], None, *links[-_ENDS:]]
    return [(link, number == len(rows) - 1) for number, link in enumerate(rows)]
