"""Words like `debian:12:/etc`: an image or a container, and a path in it."""

from __future__ import annotations

import os
from contextlib import ExitStack

from lamina.cli.studying import PREFIX, is_remote, notices, tell_cost
from lamina.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.image.remote_image import RemoteImage
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree

__all__ = ["ImagePath", "PathMissing", "TooManyLinks", "Trees"]


class PathMissing(NotFound):
    """The image or container has no such file."""


class TooManyLinks(PathMissing):
    """Symlinks lead round and round."""


class ImagePath:
    """One word taken apart: `text` as typed, the `name`, and the `path` (`/` where there is none).

    A name at a registry keeps its docker://. The path begins at the first `:/`, which no name of an image has in it: tags and ports do not
    begin with a slash.
    """

    __slots__ = ("name", "path", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        plain = text.removeprefix(PREFIX)
        name, colon, rest = plain.partition(":/")
        self.name = text[: len(text) - len(plain)] + name
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
    """The trees that one command looks into, each opened once. A context manager.

    With --remote among `arguments`, or as docker://NAME, an image is read at its registry; in the end
    stderr hears what that cost.
    """

    def __init__(self, context: Context, arguments: Arguments | None = None) -> None:
        self._context = context
        self._arguments = arguments
        self._remote: dict[str, RemoteImage] = {}
        self._stack = ExitStack()
        self._open: dict[str, Tree] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, name: str) -> Tree:
        """Give the tree of an image or a container.

        Raises: ImageUnknown, Corrupt; of an image at a registry as `engine.remote_study.remote_image`.
        """
        from lamina.engine.reading import tree_of
        from lamina.layer.view import Tree

        if name not in self._open:
            if self._is_remote(name):
                self._open[name] = Tree.of(self._at_registry(name).layers)
            else:
                self._open[name] = self._stack.enter_context(tree_of(self._context.engine, name))
        return self._open[name]

    def layer(self, name: str, wanted: str) -> SealedLayer:
        """Give one layer of an image, or of a container's: by number, diff ID or digest.

        Raises: Invalid (there is none), and as `of`.
        """
        from lamina.engine.reading import is_container, layer_number

        if self._is_remote(name):
            remote = self._at_registry(name)
            return remote.layers[layer_number(remote, wanted, name) - 1]
        engine = self._context.engine
        known = str(engine.containers.record(name).image_id) if is_container(engine, name) else name
        image = engine.images.resolve(known)
        number = layer_number(image, wanted, name)
        return self._stack.enter_context(engine.layers.opened(image.config.diff_ids))[number - 1]

    def _is_remote(self, name: str) -> bool:
        if self._arguments is None:
            return name.startswith(PREFIX)
        return is_remote(self._arguments, name)

    def _at_registry(self, name: str) -> RemoteImage:
        from lamina.engine.remote_study import remote_image

        if name not in self._remote:
            plain = name.removeprefix(PREFIX)
            platform = self._arguments.text("platform") if self._arguments else ""
            context = self._context
            self._remote[name] = image = self._stack.enter_context(
                remote_image(context.engine, plain, platform=platform, listener=notices(context))
            )
            self._stack.callback(lambda: tell_cost(context, plain, image.traffic, image.manifest))
        return self._remote[name]

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
