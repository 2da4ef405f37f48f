"""Images for the other side of an air gap: only what is missing there travels.

The machine there writes an inventory of its layers; the machine here saves without those. What is
loaded is verified like any image: a bundle against the wrong inventory is refused, not guessed.
"""

from collections.abc import Iterable

from lamina.errors import Invalid
from lamina.spec.digest import Digest, DigestInvalid
from lamina.spec.wire import Document, decode
from lamina.stream.verify import Readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["INVENTORY", "inventory", "layers_of", "read_inventory"]

INVENTORY = "application/vnd.lamina.inventory.v1+json"
"""Media type of an inventory."""

_LIMIT = 64 * 1024 * 1024  # half a million layers


def inventory(engine: "Engine") -> Document:
    """List the layer blobs of the images that are here: digest and size, sorted.

    Only what an image with a name has: anything else may be collected before the bundle comes.
    """
    from lamina.engine.adopt import manifest_of
    from lamina.errors import LaminaError

    found: dict[Digest, int] = {}
    for row in engine.store.names.all():
        try:
            manifest = manifest_of(engine, row)
        except LaminaError:  # an artifact, or another platform's: none of its layers is counted on
            continue
        for layer in manifest.layers:
            if engine.store.blobs.has(layer.digest):
                found[layer.digest] = layer.size
    layers = [{"digest": str(digest), "size": found[digest]} for digest in sorted(found)]
    return {"mediaType": INVENTORY, "layers": layers}


def read_inventory(stream: Readable) -> frozenset[Digest]:
    """Read what an inventory lists. Raises: Invalid (it is none)."""
    raw = stream.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise Invalid("an inventory of more than 64 MiB is beyond reason")
    document = decode(raw, what="inventory")
    rows = document.get("layers")
    if document.get("mediaType") != INVENTORY or not isinstance(rows, list):
        raise Invalid(
            "the file is no inventory", hint="it is written by `lamina inventory > have.json`"
        )
    try:
        return frozenset(Digest.parse(row["digest"]) for row in rows)
    except (KeyError, TypeError, DigestInvalid) as error:
        raise Invalid(f"the inventory is damaged: {error}") from error


def layers_of(engine: "Engine", names: Iterable[str]) -> frozenset[Digest]:
    """Give the layers of images that are here. Raises: ImageUnknown."""
    images = [engine.images.resolve(name) for name in names]
    return frozenset(layer.digest for image in images for layer in image.manifest.layers)
