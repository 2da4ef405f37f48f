"""Where the tree of an open image or container comes from, and how long what it reads stays open."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from weakref import finalize

from lamina.errors import Invalid, NotFound, Unavailable
from lamina.layer.view import Tree
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from lamina.engine.engine import Engine
    from lamina.layer.node import Layer, Node

__all__ = ["ContainerSource", "Find", "ImageClosed", "LayersSource", "ReadAt", "Source"]

ReadAt = Callable[[int, int], bytes]
"""Gives bytes of one file: from where, and at most how many."""
Find = Callable[[Tree], "Node"]


class ImageClosed(Invalid):
    """What was opened by `lamina.open` has been closed."""


class Source(Protocol):
    """What an open image reads. Several threads may use one, and so may a forked process."""

    @property
    def received(self) -> int:
        """How many bytes of blobs a registry has sent for it so far."""

    def tree(self, *, fresh: bool = False) -> "AbstractContextManager[Tree]":
        """Give the tree for the body; with `fresh` nobody else in this thread has it meanwhile."""

    def file(self, find: Find) -> "tuple[Node, ReadAt, Callable[[], None]]":
        """Find a file that is to be read: its node, its bytes, and what to call when that is over."""

    def close(self) -> None:
        """Let go, as soon as nothing that was opened is open any more."""


class LayersSource:
    """Layers that are open. Removed meanwhile, they stay readable until they are let go of.

    `closed` says that nothing new is opened. There is no lock, which a fork could find held: whoever uses the layers says so first and looks
    then whether they are closed; closing looks the other way round.
    """

    received = 0

    def __init__(self, layers: "Sequence[Layer]", close: Callable[[], None]) -> None:
        """Take layers, lowest first, and what closes them."""
        self._layers = tuple(layers)
        self._close = finalize(self, close)  # also when it is forgotten; a second time does nothing
        self._local = threading.local()
        self._users: set[object] = set()
        self.closed = False

    @contextmanager
    def tree(self, *, fresh: bool = False) -> Iterator[Tree]:
        """Give the tree for the body. Raises: ImageClosed."""
        release = self._hold()
        try:
            yield Tree.of(self._layers) if fresh else self._tree()
        finally:
            release()

    def file(self, find: Find) -> "tuple[Node, ReadAt, Callable[[], None]]":
        """Find a file; it can be read to its end even if the image is closed meanwhile."""
        release = self._hold()
        try:
            node = find(self._tree())
        except BaseException:
            release()
            raise
        return node, partial(node.layer.read, node), release

    def close(self) -> None:
        """Close the layers when the last file that is open is closed, or now."""
        self.closed = True
        if not self._users:
            self._close()

    def _tree(self) -> Tree:
        tree: Tree | None = getattr(self._local, "tree", None)
        if tree is None:  # a tree is one thread's, the layers are everybody's
            tree = self._local.tree = Tree.of(self._layers)
        return tree

    def _hold(self) -> Callable[[], None]:
        user = object()
        self._users.add(user)
        release = partial(self._release, user)
        if self.closed:
            release()
            raise ImageClosed("the image has been closed", hint="open it again with `lamina.open`")
        return release

    def _release(self, user: object) -> None:
        self._users.discard(user)
        if self.closed and not self._users:
            self._close()


class ContainerSource:
    """A container's files as they are at each question, whether it runs or not."""

    received = 0

    def __init__(self, engine: "Engine", container: str) -> None:
        self._engine = engine
        self._container = container
        self._closed = False

    @contextmanager
    def tree(self, *, fresh: bool = False) -> Iterator[Tree]:  # noqa: ARG002 - each is fresh
        """Give the tree as it is now. Raises: ContainerUnknown, ImageClosed."""
        if self._closed:
            raise ImageClosed(
                "the container has been closed", hint="open it again with `lamina.open`"
            )
        with self._engine.containers.tree(self._container) as tree:
            yield tree

    def file(self, find: Find) -> "tuple[Node, ReadAt, Callable[[], None]]":
        """Find a file, and keep it open: renamed or removed meanwhile, it stays the one it was."""
        stack = ExitStack()
        try:
            tree = stack.enter_context(self.tree())
            node = find(tree)
            file = stack.enter_context(tree.open_file(node))
        except BaseException:
            _end(stack)
            raise

        def read_at(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        return node, read_at, partial(_end, stack)

    def close(self) -> None:
        """Answer nothing more. Files that are open stay so."""
        self._closed = True


def _end(stack: ExitStack) -> None:
    """Let go of a container's tree: that it was removed or frozen meanwhile hurts no open file."""
    with suppress(NotFound, Unavailable):
        stack.close()
