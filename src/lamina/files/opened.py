"""An image or container that is open as files: what paths and fsspec ask."""

import errno
import os
from contextlib import ExitStack, contextmanager

from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.engine.reading import is_container, layer_number
from lamina.engine.variants import seal_variant
from lamina.errors import Denied, Invalid, NotFound, Unauthorized, Unavailable
from lamina.files.facts import FileFacts
from lamina.files.remote import RemoteSource
from lamina.files.sources import ContainerSource, LayersSource
from lamina.files.streams import ImageFile
from lamina.layer.entry import Kind
from lamina.layer.view import NotDirectory, PathUnknown, SymlinkLoop
from lamina.settings import Settings
from lamina.spec.reference import Reference, ReferenceInvalid
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Self, TypeVar

    from lamina.engine.local import LocalImage
    from lamina.files.sources import Source
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree
    from lamina.spec.config import ImageConfig

    _Files = TypeVar("_Files", bound="OpenFiles")

__all__ = ["Asked", "OpenFiles", "open_files"]

_REGISTRY = "docker://"
_PIECE = 1024 * 1024


class Asked(NamedTuple):
    """How to find the same files again. `pinned` is a reference with a digest, of a remote image."""

    id: str
    layer: str
    platform: str
    name: str
    pinned: str = ""


class OpenFiles:
    """The files of an image or container; a context manager.

    `name` is what was asked for, `id` the image's or the container's, `config` the image's. Paths are
    text as `os.fsdecode` gives it; they begin at the root, with or without a slash. Symlinks lead
    around inside the image only. Failures to find something are the OSErrors that they would be on a disk.

    An image stays readable until it is closed, removed or not; forgotten, it closes itself. What is
    pickled is the image's ID: where it is unpickled, the same image is opened, or none. A container
    is read as it is at each moment. Any number of threads, and forked processes, may use one.
    """

    def __init__(
        self,
        engine: Engine,
        source: "Source",
        *,
        name: str,
        asked: "Asked",
        config: "ImageConfig | None",
        first: int = 1,
        own: int = 0,
    ) -> None:
        """Take what `open_files` found; `asked` is how to find it again.

        `first` is the number of the lowest layer, `own` of what a container has written.
        """
        self.engine = engine
        self.name = name
        self.id = asked.id
        self.config = config
        self.is_container = bool(own)
        self._source = source
        self._asked = asked
        self._first = first
        self._own = own

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the layers; a file that is open stays readable until it is closed."""
        self._source.close()

    def __repr__(self) -> str:
        layer = f" layer {self._asked.layer}" if self._asked.layer else ""
        return f"<{type(self).__name__} {self.name} {self.id.removeprefix('sha256:')[:12]}{layer}>"

    def __reduce__(self) -> "tuple[object, ...]":
        return _open_again, (type(self), _words(self.engine.settings), tuple(self._asked))

    @property
    def identity(self) -> "tuple[str, str, str]":
        """What makes two of these the same: the root folder, the ID and the layer asked for."""
        return self.engine.settings.root, self.id, self._asked.layer

    @property
    def received(self) -> int:
        """How many bytes of blobs a registry has sent for this so far; 0 of what is here."""
        return self._source.received

    @property
    def layer(self) -> str:
        """The layer that was asked for; empty where it is all of them."""
        return self._asked.layer

    # Questions.

    def resolve(self, path: str) -> str:
        """Give where `path` leads, all symlinks followed. Raises: OSError."""
        with _told(path), self._source.tree() as tree:
            return "/" + os.fsdecode(tree.resolve(_raw(path))[0])

    def stat(self, path: str, *, follow: bool = True) -> FileFacts:
        """Give what is known of a file. Raises: OSError."""
        with _told(path), self._source.tree() as tree:
            return self._facts(tree)(tree.resolve(_raw(path), follow_last=follow)[1])

    def listdir(self, path: str) -> "list[tuple[str, FileFacts]]":
        """Give the names in a directory, sorted, none of them followed. Raises: OSError."""
        with _told(path), self._source.tree() as tree:
            found = _directory(tree, path)
            facts = self._facts(tree)
            return [(os.fsdecode(name), facts(node)) for name, node in tree.listdir(found)]

    def names(self, path: str) -> "list[tuple[str, Kind]]":
        """Give the names in a directory, sorted, and what they are: cheaper than `listdir`."""
        with _told(path), self._source.tree() as tree:
            found = _directory(tree, path)
            return [(os.fsdecode(name), node.kind) for name, node in tree.listdir(found)]

    def walk(self, path: str = "/") -> "Generator[tuple[str, FileFacts]]":
        """Give `path` and all below it, a directory before its children; no symlink is followed.

        Paths begin with `path`, as it was given. Raises: OSError.
        """
        with _told(path), self._source.tree(fresh=True) as tree:
            facts = self._facts(tree)
            yield from ((each, facts(node)) for each, node in _below(tree, path))

    def kinds(self, path: str = "/") -> "Generator[tuple[str, Kind]]":
        """Give the paths that `walk` gives, and what they are: a third of its cost."""
        with _told(path), self._source.tree(fresh=True) as tree:
            yield from ((each, node.kind) for each, node in _below(tree, path))

    def read(self, path: str, offset: int = 0, size: int = -1) -> bytes:
        """Give a file's content, or the part from `offset` on. Raises: OSError."""
        with _told(path), self._source.tree() as tree:
            return tree.read(_file(tree, path), offset, size)

    def pieces(self, path: str) -> "Iterator[tuple[int, bytes]]":
        """Give a file's content as (offset, bytes), in order and without its holes."""
        with _told(path), self._source.tree(fresh=True) as tree:
            node = _file(tree, path)
            for start, where, length in node.layer.extents(node):
                for at in range(start, start + length if where >= 0 else start, _PIECE):
                    yield at, node.layer.read(node, at, min(_PIECE, start + length - at))

    def open(self, path: str, *, buffer_size: int = 0) -> ImageFile:
        """Open a file for reading bytes. Raises: OSError."""
        with _told(path):
            node, read_at, release = self._source.file(lambda tree: _file(tree, path))
        return ImageFile(self, path, node.size, read_at, release, buffer_size=buffer_size)

    def _facts(self, tree: "Tree") -> "Callable[[Node], FileFacts]":
        """Give what reads nodes of `tree`: it knows the layers' numbers."""
        numbers = {id(layer): number for number, layer in enumerate(tree.layers, self._first)}
        if self.is_container:
            numbers[id(tree.layers[-1])] = self._own
        return lambda node: FileFacts.of(node, numbers[id(node.layer)])


def open_files(
    kind: "type[_Files]",
    engine: "Engine | Settings | None",
    name: str,
    *,
    layer: "int | str" = "",
    platform: str = "",
    remote: "bool | None" = None,
) -> "_Files":
    """Open an image or container as files, of the class `kind`. See `lamina.files.image.open_image`.

    An engine that is made here, of settings or the environment's, is closed with the files.
    """
    given = isinstance(engine, Engine)
    ours: Engine = engine if isinstance(engine, Engine) else Engine(engine)
    close = (lambda: None) if given else ours.close
    plain = name.removeprefix(_REGISTRY)
    remote = True if plain != name else remote
    wanted = str(layer)
    if remote:
        return _open_remote(kind, ours, close, plain, layer=wanted, platform=platform)
    try:
        return _open_local(kind, ours, close, plain, layer=wanted, platform=platform)
    except ImageUnknown as error:
        if remote is not None or not _names_registry(plain):
            raise
        try:
            return _open_remote(kind, ours, close, plain, layer=wanted, platform=platform)
        except (NotFound, Unauthorized, Denied, Unavailable) as why:
            raise ImageUnknown(
                f"{error.message}, and at its registry: {why.message}", hint=why.hint or error.hint
            ) from why


def _names_registry(name: str) -> bool:
    """Tell whether a name says which registry it is of: others are never asked for unless told to."""
    try:
        return name.startswith(f"{Reference.parse(name).registry}/")
    except ReferenceInvalid:
        return False


def _open_local(
    kind: "type[_Files]",
    engine: Engine,
    close: "Callable[[], None]",
    name: str,
    *,
    layer: str,
    platform: str,
) -> "_Files":
    if not platform and is_container(engine, name):
        if layer:
            raise Invalid(
                f"{name} is a container, which has no layers of its own",
                hint=f"open its image: {engine.containers.record(name).image_name}",
            )
        return _open_container(kind, engine, name)
    image, layers = _pile(engine, name, platform)
    number = layer_number(image, layer, name) if layer else 0
    stack = ExitStack()
    stack.callback(close)
    for each in layers:
        stack.enter_context(each)
    return kind(
        engine,
        LayersSource(layers[number - 1 : number] if number else layers, stack.close),
        name=name,
        asked=Asked(str(image.id), str(number or ""), platform, name),
        config=image.config,
        first=number or 1,
    )


def _open_container(kind: "type[_Files]", engine: Engine, name: str) -> "_Files":
    record = engine.containers.record(name)
    try:
        config = engine.images.resolve(str(record.image_id)).config
    except NotFound:  # removed by force
        config = None
    return kind(
        engine,
        ContainerSource(engine, record.id),
        name=name,
        asked=Asked(record.id, "", "", name),
        config=config,
        own=len(record.diff_ids) + 1,
    )


def _open_remote(
    kind: "type[_Files]",
    engine: Engine,
    close: "Callable[[], None]",
    name: str,
    *,
    layer: str,
    platform: str,
) -> "_Files":
    source = RemoteSource(engine, close, name, platform, layer)
    image = source.image
    return kind(
        engine,
        source,
        name=name,
        asked=Asked(
            str(image.config.digest), str(source.number or ""), platform, name, source.pinned
        ),
        config=image.config,
        first=source.number or 1,
    )


def _pile(engine: Engine, name: str, platform: str) -> "tuple[LocalImage, list[SealedLayer]]":
    """Find an image and open its layers; one that gets another meaning meanwhile has that one."""
    sealed = not platform
    while True:
        image = engine.images.resolve(name, platform=platform)
        try:
            return image, engine.layers.pile(image.config.diff_ids)
        except NotFound:
            if engine.images.resolve(name, platform=platform).id != image.id:
                continue
            if sealed:
                raise
        seal_variant(engine, name, platform)  # for another machine: only blobs are kept of it
        sealed = True


def _words(settings: Settings) -> "dict[str, str | int | bool]":
    """Give settings as what any process can be told."""
    return {name: getattr(settings, name) for name in Settings.__slots__}


def _open_again(
    kind: "type[_Files]", words: "dict[str, str]", asked: "tuple[str, str, str, str, str]"
) -> "_Files":
    """Open what was pickled: that very image, whatever its name means now.

    Raises: ImageUnknown, ContainerUnknown (it is not here, or not any more); of one at a registry
    what opening it raises.
    """
    wanted, layer, platform, name, pinned = asked
    settings = Settings(**words)  # type: ignore[arg-type]
    for each in [pinned] if pinned else [wanted, name]:  # of several platforms, only a name has all
        try:
            image = open_files(
                kind, settings, each, layer=layer, platform=platform, remote=bool(pinned)
            )
        except ImageUnknown:
            continue
        if image.id == wanted:
            image.name = name
            return image
        image.close()
    raise ImageUnknown(
        f"{name} was opened as {wanted[:19]}, which is not here",
        hint=f"pull that image: {name} is another one now, or none",
    )


def _raw(path: str) -> bytes:
    return os.fsencode(path)


def _below(tree: "Tree", path: str) -> "Iterator[tuple[str, Node]]":
    """Give `path` and all below it, under names that begin as it does."""
    found = tree.resolve(_raw(path))[0]
    start, cut = "/" + path.strip("/"), len(found) + 1 if found else 0
    rows = tree.walk(found)
    yield start, next(rows)[1]
    prefix = start.rstrip("/") + "/"
    for each, node in rows:
        yield prefix + os.fsdecode(each[cut:]), node


def _directory(tree: "Tree", path: str) -> bytes:
    found, node = tree.resolve(_raw(path))
    if node.kind is not Kind.DIRECTORY:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return found


def _file(tree: "Tree", path: str) -> "Node":
    node = tree.resolve(_raw(path))[1]
    if node.kind is Kind.DIRECTORY:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if node.kind is not Kind.FILE:
        raise OSError(errno.EINVAL, f"Not a file with content but a {node.kind}", path)
    return node


@contextmanager
def _told(path: str) -> "Iterator[None]":
    """Tell what is wrong with a path as the system would."""
    try:
        yield
    except NotDirectory as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from error
    except PathUnknown as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
    except SymlinkLoop as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from error
