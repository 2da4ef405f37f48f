"""Names of local images, and the facts kept beside them so that a listing reads one file."""

from lamina.spec.config import ImageConfig
from lamina.spec.manifest import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.store.undo import Occasion

__all__ = [
    "CREATED",
    "IMAGE_ID",
    "LAYER_SIZES",
    "PARENT",
    "SIZE",
    "TAGGED",
    "facts_of",
    "keep_image",
    "name_image",
]

IMAGE_ID = "id"
CREATED = "created"
SIZE = "size"
LAYER_SIZES = "layer-sizes"
PARENT = "parent"
TAGGED = "tagged"


def facts_of(engine: "Engine", config: ImageConfig, *, parent: str = "") -> dict[str, str]:
    """Collect what listings show: image ID, time, content bytes in all and per layer, parent."""
    sizes = []
    for i in range(len(config.diff_ids)):
        with engine.layers.open(config.diff_ids[: i + 1]) as layer:
            sizes.append(layer.content_size)
    facts = {
        IMAGE_ID: str(config.digest),
        CREATED: config.created,
        SIZE: str(sum(sizes)),
        LAYER_SIZES: ",".join(str(size) for size in sizes),
    }
    if parent:
        facts[PARENT] = parent
    return facts


def name_image(
    engine: "Engine",
    name: str,
    manifest: Manifest,
    config: ImageConfig,
    *,
    command: "str | Occasion",
    parent: str = "",
    also: tuple[str, ...] = (),
) -> bool:
    """Point `name` (canonical), and those in `also`, at the image; tell whether `name` changed.

    `command` is what `undo --list` calls the change, should the name have stood for another image;
    with one occasion for several names they come back together. The image keeps the parent it was committed on when it gets further names.
    """
    from lamina.engine.clock import now_text
    from lamina.engine.room import tidy
    from lamina.engine.undo import occasion

    rows = {row.name: row for row in engine.store.names.all()}
    changed = [
        each
        for each in (*also, name)
        if each not in rows or rows[each].target.digest != manifest.digest
    ]
    if not changed:
        return False
    known = next(
        (row for row in engine.store.names.all() if row.target.digest == manifest.digest), None
    )
    facts = dict(known.facts) if known else facts_of(engine, config, parent=parent)
    if parent:
        facts[PARENT] = parent
    facts[TAGGED] = now_text()
    why = None
    if any(each in rows for each in changed):
        why = occasion(command) if isinstance(command, str) else command
    engine.store.names.set(changed[-1], manifest.descriptor, facts, also=changed[:-1], occasion=why)
    tidy(engine)
    return name in changed


def keep_image(
    engine: "Engine", manifest: Manifest, config: ImageConfig, *, parent: str = ""
) -> None:
    """Keep an image that has no name: a commit or import without a tag."""
    facts = facts_of(engine, config, parent=parent)
    engine.store.names.keep(manifest.descriptor, facts)
