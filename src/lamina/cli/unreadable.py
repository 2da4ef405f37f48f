"""Images of which not everything can be read: what can be is shown, and what is wrong is told."""

from __future__ import annotations

from contextlib import contextmanager

from lamina.errors import Corrupt, Invalid, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.cli.context import Context
    from lamina.engine.local import LocalImage
    from lamina.engine.study import Study
    from lamina.errors import LaminaError
    from lamina.spec.wire import Document

__all__ = ["ImageLookup", "image_of", "study_of", "tell_damage"]


@contextmanager
def study_of(context: Context, name: str) -> Iterator[tuple[Study, int]]:
    """Open an image or container for the body, with the exit code: 1 if a layer is not whole.

    Of such a layer stderr hears what is wrong, and what of it is shown. What a container wrote is
    the topmost. Raises: ImageUnknown; Corrupt, NotFound, Invalid, Unsupported (of its documents).
    """
    from lamina.engine.partial_study import partly_studied

    with partly_studied(context.engine, name) as opened:
        tell_damage(context, opened.told)
        yield opened.study, 1 if opened.told else 0


def tell_damage(context: Context, told: Iterable[str]) -> None:
    """Tell stderr what is wrong with an image, a line for each."""
    for line in told:
        context.say(line)


def image_of(context: Context, name: str) -> tuple[LocalImage, int]:
    """Give an image, with the exit code: 1 if its layers cannot be unpacked.

    Then its documents are all there is, sizes are 0, and why is told on stderr.
    Raises: ImageUnknown; Corrupt, Unsupported (of its documents).
    """
    images = context.engine.images
    try:
        return images.resolve(name), 0
    except (Corrupt, Invalid, NotFound, Unsupported) as error:
        return _documents(context, name, error), 1


def _documents(context: Context, name: str, error: LaminaError) -> LocalImage:
    image = context.engine.images.documents(name)
    why = "; ".join(image.config.odd) or str(error)
    context.say(f"layers of {name} cannot be unpacked, so their sizes are not known: {why}")
    return image


class ImageLookup:
    """What `inspect` asks for images: one of which only documents can be read is shown by these.

    `code` is what to end with then: 1.
    """

    def __init__(self, context: Context, *, platform: str = "") -> None:
        self._context = context
        self._platform = platform
        self.code = 0

    def __call__(self, name: str) -> Document:
        """Give the image's document. Raises: ImageUnknown; Corrupt, Unsupported (of its documents)."""
        engine = self._context.engine
        try:
            return engine.images.inspect(name, platform=self._platform)
        except (Corrupt, Invalid, NotFound, Unsupported) as error:
            if self._platform:
                raise
            image = _documents(self._context, name, error)
        from lamina.engine.inspect import image_document

        self.code = 1
        return image_document(engine, image)
