"""Words like `debian:12:/etc`: an image or a container, and a path in it."""

from __future__ import annotations

import os
from contextlib import ExitStack

from lamina.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from lamina.cli.context import Context
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree
    from lamina.spec.digest import Digest

__all__ = ["ImagePath", "PathMissing", "TooManyLinks", "Trees"]


class PathMissing(NotFound):
    """The image or container has no such file."""


class TooManyLinks(PathMissing):
    """Symlinks lead round and round."""


class ImagePath:
    """One word taken apart: `text` as typed, the `name`, and the `path` (`/` where there is none).

    The path begins at the first `:/`, which no name of an image has in it: tags and ports do not
    begin with a slash.
    """

    __slots__ = ("name", "path", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        name, colon, rest = text.partition(":/")
        self.name = name
        self.path = "/" + rest if colon else "/"
        if not name:
            raise Invalid(f"{text!r} names no image", hint="write IMAGE:/PATH, as debian:12:/etc")

    @property
    def has_path(self) -> bool:
        """Whether a path was typed."""
        return self.text != self.name

    @property
    def raw(self) -> bytes:
        """The path as the tree takes it."""
        return os.fsencode(self.path)


class Trees:
    """The trees that one command looks into, each opened once. A context manager."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stack = ExitStack()
        self._open: dict[str, Tree] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, name: str) -> Tree:
        """Give the tree of an image or a container. Raises: ImageUnknown, Corrupt."""
        from lamina.engine.reading import tree_of

        if name not in self._open:
            self._open[name] = self._stack.enter_context(tree_of(self._context.engine, name))
        return self._open[name]

    def layers(self, diff_ids: Sequence[Digest]) -> Sequence[SealedLayer]:
        """Give each layer of a pile by itself, lowest first. Raises: LayerUnknown, Corrupt."""
        return self._stack.enter_context(self._context.engine.layers.opened(diff_ids))

    def find(self, place: ImagePath, *, follow: bool = True) -> tuple[Tree, bytes, Node]:
        """Give what `place` means: the tree, the path in it, and the node.

        A symlink at the end is followed with `follow`, and before a trailing slash.
        Raises: PathMissing, ImageUnknown, Corrupt.
        """
        from lamina.layer.entry import Kind
        from lamina.layer.view import PathUnknown, SymlinkLoop

        tree = self.of(place.name)
        folder = place.path.endswith(("/", "/."))
        try:
            path, node = tree.resolve(place.raw, follow_last=follow or folder)
        except PathUnknown as error:
            hint = f"`lamina ls {place.name}:{_parent(tree, place.raw)}` shows what is there"
            raise PathMissing(f"{place.text}: {_reason(error)}", hint=hint) from error
        except SymlinkLoop as error:
            raise TooManyLinks(f"{place.text}: Too many levels of symbolic links") from error
        if folder and node.kind is not Kind.DIRECTORY:
            raise PathMissing(f"{place.text}: Not a directory")
        return tree, path, node


def _reason(error: Exception) -> str:
    from lamina.layer.view import NotDirectory

    return "Not a directory" if isinstance(error, NotDirectory) else "No such file or directory"


def _parent(tree: Tree, path: bytes) -> str:
    """Give the nearest folder above `path` that is there."""
    from lamina.errors import LaminaError

    while path := path.rstrip(b"/").rpartition(b"/")[0]:
        try:
            tree.resolve(path)
        except LaminaError:
            continue
        return os.fsdecode(path)
    return "/"
