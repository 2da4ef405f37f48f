"""What is noted of a layer when it is read whole: it goes along with its index."""

import json
from urllib.parse import unquote_to_bytes

from lamina.errors import Corrupt
from lamina.layer.hollow import HollowLayer
from lamina.values import dataclass

__all__ = ["Notes", "notes_of"]


@dataclass(frozen=True, slots=True)
class Notes:
    """What stands beside an index. Whoever may pull can read it, so no secrets are among it.

    `size` is that of the unpacked tar. `asks` are the directories of which the layers below tell the
    attributes, where the index follows from the layer and those alone; else None.
    """

    diff_id: str
    size: int
    asks: tuple[bytes, ...] | None = None


def notes_of(layer: HollowLayer) -> Notes:
    """Read what was noted. Raises: Corrupt."""
    try:
        found = json.loads(layer.notes)
        asks = found.get("asks")
        paths = None if asks is None else tuple(unquote_to_bytes(one) for one in asks)
        return Notes(str(found["diff_id"]), int(found["size"]), paths)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("the notes of a layer's index cannot be read") from error
