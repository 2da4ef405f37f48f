"""What is noted of a layer when it is read whole: it goes along with its index."""

import json

from lamina.errors import Corrupt
from lamina.layer.hollow import HollowLayer
from lamina.values import dataclass

__all__ = ["Notes", "notes_of"]


@dataclass(frozen=True, slots=True)
class Notes:
    """`size` is that of the unpacked tar. Whoever may pull can read these, so no secrets are among them."""

    diff_id: str
    size: int


def notes_of(layer: HollowLayer) -> Notes:
    """Read what was noted. Raises: Corrupt."""
    try:
        found = json.loads(layer.notes)
        return Notes(str(found["diff_id"]), int(found["size"]))
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("the notes of a layer's index cannot be read") from error
