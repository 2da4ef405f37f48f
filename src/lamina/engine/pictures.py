"""Images as notebooks show them: drawn from their documents and the indexes of their layers."""

from lamina.errors import LaminaError
from lamina.spec.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.local import LocalImage

__all__ = ["picture"]


def picture(image: "LocalImage") -> str:
    """Give an image as HTML: its stack to scale, sizes, and the bytes that later layers hide.

    Costs a look at the directories that several layers have. Layers that cannot be read leave that
    last part out. Raises: nothing of an image's.
    """
    from lamina.study.drawing.card import card
    from lamina.study.drawing.stack import Floor
    from lamina.study.exploration import explored_steps

    hidden = _hidden(image)
    made = [step for step in explored_steps(image.config) if step.layer]
    sizes = image.layer_sizes or tuple(layer.size for layer in image.manifest.layers)
    floors = [
        Floor(step.layer, step.instruction, size, wasted)
        for step, size, wasted in zip(made, sizes, hidden or [0] * len(sizes), strict=False)
    ]
    name = Reference.parse(image.names[0]).familiar if image.names else image.id.short
    notes = [str(image.config.platform), *(["compressed"] if not image.layer_sizes else [])]
    return card(name, floors, notes=notes, hidden=sum(hidden) if hidden is not None else None)


def _hidden(image: "LocalImage") -> "tuple[int, ...] | None":
    """Give the bytes of each layer that later ones hide; None where that cannot be told."""
    from lamina.snapshot.layers import Layers
    from lamina.study.waste import hidden_sizes

    if not image.root or not image.layer_sizes:
        return None
    try:
        with Layers(image.root).opened(image.config.diff_ids) as layers:
            return hidden_sizes(layers)
    except (LaminaError, OSError):
        return None
