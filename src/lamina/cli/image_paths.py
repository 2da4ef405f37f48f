"""Words like `debian:12:/etc`: an image or a container, and a path in it."""

from __future__ import annotations

import os
from contextlib import ExitStack

from lamina.cli.studying import PREFIX, is_remote, notices, tell_cost
from lamina.errors import Corrupt, Invalid, NotFound, Unsupported

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
    stderr hears what that cost. With `arguments` at all, of layers that are not whole is shown what
    can be read: stderr hears of that, and `code`, to end with, is 1.
    """

    def __init__(self, context: Context, arguments: Arguments | None = None) -> None:
        self._context = context
        self._arguments = arguments
        self._remote: dict[str, RemoteImage] = {}
        self._stack = ExitStack()
        self._open: dict[str, Tree] = {}
        self._damaged: set[str] = set()

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
                return self._open[name]
            try:
                self._open[name] = self._stack.enter_context(tree_of(self._context.engine, name))
            except (Corrupt, Invalid, NotFound, Unsupported):
                if self._arguments is None:
                    raise
                self.salvage(name)
        return self._open[name]

    @property
    def code(self) -> int:
        """What to end with, as far as damage goes."""
        return 1 if self._damaged else 0

    def salvage(self, name: str) -> bool:
        """Open what is here of an image or container anew, as far as it can be read, and tell of it.

        Tells whether that may help: not a second time. Raises: as `of`, of its documents.
        """
        if name in self._damaged or self._arguments is None or self._is_remote(name):
            return False
        from lamina.cli.unreadable import tell_damage
        from lamina.engine.partial_study import partial_tree

        tree, told = self._stack.enter_context(partial_tree(self._context.engine, name))
        self._damaged.add(name)
        self._open[name] = tree
        tell_damage(self._context, told)
        return True

    def layer(self, name: str, wanted: str) -> SealedLayer:
        """Give one layer of an image, or of a container's: by number, diff ID or digest.

        Raises: Invalid (there is none), and as `of`.
        """
        from lamina.engine.reading import layer_number

        if self._is_remote(name):
            remote = self._at_registry(name)
            return remote.layers[layer_number(remote, wanted, name) - 1]
        try:
            return self._whole_layer(name, wanted)
        except (Corrupt, Invalid, NotFound, Unsupported):
            if self._arguments is None:
                raise
        from lamina.cli.unreadable import study_of
        from lamina.layer.sealed import SealedLayer

        study, code = self._stack.enter_context(study_of(self._context, name))
        if code:
            self._damaged.add(name)
            self._open[name] = study.tree
        number = layer_number(study.image, wanted, name)
        layer = study.layers[number - 1]
        if not isinstance(layer, SealedLayer):
            raise Corrupt(f"there is nothing to show of layer {number} of {name}")
        return layer

    def _whole_layer(self, name: str, wanted: str) -> SealedLayer:
        from lamina.engine.reading import is_container, layer_number

        engine = self._context.engine
        known = str(engine.containers.record(name).image_id) if is_container(engine, name) else name
        image = engine.images.resolve(known)
        pile = image.config.diff_ids[: layer_number(image, wanted, name)]
        return self._stack.enter_context(engine.layers.open(pile))

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
        try:
            return self._find(place, follow=follow)
        except Corrupt:
            if not self.salvage(place.name):
                raise
        return self._find(place, follow=follow)

    def _find(self, place: ImagePath, *, follow: bool) -> tuple[Tree, bytes, Node]:
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
