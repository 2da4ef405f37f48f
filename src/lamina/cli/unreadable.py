"""Images of which not everything can be read: the rest is shown, and what is missing is told."""

from __future__ import annotations

from contextlib import contextmanager

from lamina.errors import Corrupt, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.engine.local import LocalImage
    from lamina.engine.study import Study

__all__ = ["image_of", "study_of"]


@contextmanager
def study_of(context: Context, name: str) -> Iterator[tuple[Study, int]]:
    """Open an image or container for the body, with the exit code: 1 if a layer cannot be read.

    Such a layer counts as empty, and is told of on stderr. What a container wrote is the topmost.
    Raises: ImageUnknown; Corrupt, NotFound, Unsupported (of its documents, or of every layer).
    """
    from lamina.engine.partial_study import partly_studied

    with partly_studied(context.engine, name) as opened:
        for number, error in opened.lost.items():
            context.say(f"layer {number} cannot be read, and is left out: {error}")
        yield opened.study, 1 if opened.lost else 0


def image_of(context: Context, name: str) -> tuple[LocalImage, int]:
    """Give an image, with the exit code: 1 if its layers cannot be unpacked.

    Then its documents are all there is, sizes are 0, and why is told on stderr.
    Raises: ImageUnknown; Corrupt, Unsupported (of its documents).
    """
    images = context.engine.images
    try:
        return images.resolve(name), 0
    except (Corrupt, Unsupported) as error:
        image = images.documents(name)
        context.say(f"layers of {name} cannot be unpacked, so their sizes are not known: {error}")
        return image, 1
