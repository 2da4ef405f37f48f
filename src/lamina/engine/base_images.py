"""Which images here an image was built on: those whose whole pile is the lower part of its own."""

from lamina.errors import LaminaError
from lamina.spec.reference import Reference
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.spec.digest import Digest

__all__ = ["BaseImage", "base_images"]


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image whose `layers` are the lowest of another's, and the names it has here."""

    id: "Digest"
    names: tuple[str, ...]
    layers: int


def base_images(engine: "Engine", name_or_id: str) -> tuple[BaseImage, ...]:
    """Give the images that an image stands on, the one with the most layers first.

    Judged by chain IDs (image-spec config.md, "Layer ChainID"), so by content, whatever it was called.
    Raises: ImageUnknown.
    """
    image = engine.images.documents(name_or_id)
    pile = image.config.diff_ids
    found = []
    for summary in engine.images.list():
        try:
            other = engine.images.documents(str(summary.id))
        except LaminaError:  # removed meanwhile, or damaged
            continue
        count = len(other.config.diff_ids)
        if 0 < count < len(pile) and other.config.diff_ids == pile[:count]:
            names = tuple(sorted(Reference.parse(name).familiar for name in other.names))
            found.append(BaseImage(other.id, names, count))
    unique = {base.id: base for base in found}
    return tuple(sorted(unique.values(), key=lambda base: (-base.layers, base.names, str(base.id))))
