"""The layers of an image at a registry, read by their seek indexes without pulling it."""

import os
from collections.abc import Callable
from contextlib import ExitStack

from lamina.engine.engine import Engine
from lamina.engine.reading import layer_number
from lamina.engine.variants import lacking
from lamina.errors import NotFound
from lamina.files.sources import LayersSource
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lamina.files.sources import Find, ReadAt
    from lamina.image.remote_image import RemoteImage
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree
    from lamina.spec.digest import Digest

__all__ = ["RemoteSource"]


class RemoteSource:
    """An image at a registry. Layers that are here are read here.

    A connection is one process's: in a forked one the image is opened anew, by its digest, and what
    the parent has open is left alone.
    """

    def __init__(
        self, engine: Engine, close: Callable[[], None], name: str, platform: str, layer: str
    ) -> None:
        """Find the image; `close` is called in the end.

        Raises: as `opened_remotely`, ImageUnknown (for other platforms alone), Invalid (no such layer).
        """
        self._settings = engine.settings
        self._platform = Platform.parse(platform) if platform else engine.platform
        self._parents: list[object] = []
        self.image, stack = _opened(engine, Reference.parse(name), self._platform)
        with stack:
            self.number = self._number(name, platform, layer)
            stack = stack.pop_all()
        self.pinned = str(self.image.reference.with_digest(self.image.top.digest))
        stack.callback(close)
        self._take(stack)

    @property
    def received(self) -> int:
        """How many bytes of blobs came."""
        return self.image.traffic.received

    def tree(self, *, fresh: bool = False) -> "AbstractContextManager[Tree]":
        """Give the tree for the body. Raises: ImageClosed."""
        return self._here().tree(fresh=fresh)

    def file(self, find: "Find") -> "tuple[Node, ReadAt, Callable[[], None]]":
        """Find a file that is to be read."""
        return self._here().file(find)

    def close(self) -> None:
        """Let go of connections when the last file that is open is closed, or now."""
        self._source.close()

    def _number(self, name: str, platform: str, layer: str) -> int:
        """Give the number of the layer that is asked for; 0 for all. Checks the platform first."""
        if platform and self._platform.choose([self.image.config.platform]) is None:
            raise lacking(name, platform)
        return layer_number(self.image, layer, name) if layer else 0

    def _take(self, stack: ExitStack) -> None:
        self._pid = os.getpid()
        layers = self.image.layers
        shown = layers[self.number - 1 : self.number] if self.number else layers
        self._source = LayersSource(shown, stack.close)

    def _here(self) -> LayersSource:
        if os.getpid() != self._pid and not self._source.closed:
            self._parents.append(self._source)  # kept, so that nothing of it is closed here
            engine = Engine(self._settings)
            self.image, stack = _opened(engine, Reference.parse(self.pinned), self._platform)
            stack.callback(engine.close)
            self._take(stack)
        return self._source


def _opened(
    engine: Engine, reference: Reference, platform: Platform
) -> "tuple[RemoteImage, ExitStack]":
    from lamina.image.remote_image import opened_remotely

    def here(pile: "Sequence[Digest]") -> "SealedLayer | None":
        try:
            return engine.layers.open(pile) if engine.layers.has(pile) else None
        except NotFound:  # removed just now
            return None

    with ExitStack() as stack:
        image = stack.enter_context(opened_remotely(engine.client, reference, platform, here=here))
        kept = stack.pop_all()
    return image, kept
