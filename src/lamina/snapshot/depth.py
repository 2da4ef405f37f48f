"""How many layers one union takes, and how many of a higher pile are merged (by `merging`)."""

from lamina.errors import Unsupported

__all__ = ["merged_count", "room_below"]

_STEPS = 5


def room_below(above: int, most: int) -> int:
    """Say how many layers of an image one union of `most` takes under `above` frozen ones.

    Raises: Unsupported (none).
    """
    if above >= most:
        raise Unsupported(
            f"one union takes {most} layers, and this container was frozen {above} times",
            hint="commit the container, and go on with one of the new image",
        )
    return most - above


def merged_count(count: int, most: int) -> int:
    """Say how many of the lowest of `count` layers have to be merged so that `most` are left.

    In steps of a fifth of `most`, so that an image and those built on it share the merged layer.
    """
    if count <= most:
        return 0
    step = max(1, most // _STEPS)
    return min(-(-(count - most + 1) // step) * step, count)
