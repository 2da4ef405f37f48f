"""What is noted of a layer when it is read whole: it goes along with its index."""

import json

from lamina.errors import Corrupt
from lamina.layer.hollow import HollowLayer
from lamina.values import dataclass

__all__ = ["Notes", "notes_of"]


@dataclass(frozen=True, slots=True)
class Notes:
    """`size` is that of the unpacked tar; `secrets` are what each looks like, and its path."""

    diff_id: str
    size: int
    secrets: tuple[tuple[str, str], ...]


def notes_of(layer: HollowLayer) -> Notes:
    """Read what was noted. Raises: Corrupt."""
    try:
        found = json.loads(layer.notes)
        secrets = tuple((str(what), str(path)) for what, path in found["secrets"])
        return Notes(str(found["diff_id"]), int(found["size"]), secrets)
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("the notes of a layer's index cannot be read") from error
