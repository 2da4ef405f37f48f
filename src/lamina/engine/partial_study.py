"""An image opened to be understood though layers of it are lost or damaged: what can be read is."""

# ruff: noqa: ARG002 - a lost layer has the arguments of layers that have something

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from lamina.engine.reading import is_container, written_layer
from lamina.engine.salvage import Damage, Extent, salvage
from lamina.engine.study import Study, studied
from lamina.errors import Corrupt, Invalid, LaminaError, NotFound, Unsupported
from lamina.layer.entry import Kind
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.layer.node import CountedLayer
    from lamina.layer.view import Tree

__all__ = ["LostLayer", "PartialStudy", "partial_tree", "partly_studied"]

_ROOT = 1
_DIRECTORY = 0o40755


@dataclass(frozen=True, slots=True)
class PartialStudy:
    """A study, and what is wrong with each layer that is not as it should be, by its number."""

    study: Study
    lost: dict[int, Damage]

    @property
    def told(self) -> tuple[str, ...]:
        """Everything that is wrong with the image, a line for each."""
        return _told(self.study.image, self.lost)


class LostLayer:
    """Stands where a layer cannot be read: a root without anything in it."""

    implied_root = True
    content_size = 0
    entries = 0
    tar_size = 0

    def __init__(self, diff_id: str) -> None:
        self.path = diff_id
        self.root = Node(self, _ROOT, Kind.DIRECTORY)

    def child(self, directory: Node, name: bytes) -> None:
        """Find nothing."""

    def listdir(self, directory: "Node | bytes") -> list[tuple[bytes, Node]]:
        """Give no names."""
        return []

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Give the root alone."""
        yield b"", self.root

    def inode(self, nid: int, kind: Kind) -> tuple[int, tuple[int, ...]]:
        """Give a directory of nobody's."""
        return 0, (0, 0, _DIRECTORY, 0, 0, 0, nid, 0, 0, 0, 0, 2)

    def xattrs(self, node: Node) -> list[tuple[str, bytes]]:
        """Give no extended attributes."""
        return []

    def symlink_target(self, node: Node) -> bytes:
        """Raise: there are none. Raises: Corrupt."""
        raise self._nothing()

    def extents(
        self, node: Node, offset: int = 0, size: int = -1
    ) -> Iterator[tuple[int, int, int]]:
        """Raise: there are no files. Raises: Corrupt."""
        raise self._nothing()

    def pieces(self, node: Node, offset: int = 0, size: int = -1) -> Iterator[bytes]:
        """Raise: there are no files. Raises: Corrupt."""
        raise self._nothing()

    def read(self, node: Node, offset: int = 0, size: int = -1) -> bytes:
        """Raise: there are no files. Raises: Corrupt."""
        raise self._nothing()

    def digest(self, node: Node) -> None:
        """Know of no content."""

    def open_file(self, node: Node) -> "BinaryIO":
        """Raise: there are no files. Raises: Corrupt."""
        raise self._nothing()

    def _nothing(self) -> Corrupt:
        return Corrupt(f"layer {self.path} cannot be read", hint="pull its image again")


@contextmanager
def partly_studied(engine: "Engine", name: str) -> Iterator[PartialStudy]:
    """Open an image or container as `studied` does, each layer as far as it can be read.

    The indexes are checked first. A layer of which nothing can be read counts as empty.
    Raises: ImageUnknown (it is neither); Corrupt, NotFound, Invalid and Unsupported (its documents
    cannot be read).
    """
    with ExitStack() as stack:
        try:
            lost: dict[int, Damage] = {}
            study = stack.enter_context(studied(engine, name, written=True))
            for layer in study.image_layers:
                if isinstance(layer, SealedLayer):
                    layer.check()
        except (Corrupt, Invalid, NotFound, Unsupported):
            study, lost = _in_part(engine, name, stack)
        yield PartialStudy(study, lost)


@contextmanager
def partial_tree(engine: "Engine", name: str) -> "Iterator[tuple[Tree, tuple[str, ...]]]":
    """Give, for the body, the tree of an image or container as far as its layers can be read.

    With it goes what is wrong, a line for each. Raises: as `partly_studied`.
    """
    with ExitStack() as stack:
        if not is_container(engine, name):
            study, lost = _in_part(engine, name, stack)
            yield study.tree, _told(study.image, lost)
            return
        record = engine.containers.record(name)
        image, layers, lost = _layers(engine, str(record.image_id), stack)
        told = _told(image, lost)
        yield stack.enter_context(engine.containers.tree(record.id, layers)), told


def _told(image: "LocalImage", lost: "Mapping[int, Damage]") -> tuple[str, ...]:
    layers = tuple(f"layer {number} {damage.said}" for number, damage in lost.items())
    odd = "; ".join(image.config.odd)
    return (f"what can be read is shown, but {odd}", *layers) if odd else layers


def _in_part(engine: "Engine", name: str, stack: ExitStack) -> tuple[Study, dict[int, Damage]]:
    if not is_container(engine, name):
        image, layers, lost = _layers(engine, name, stack)
        return Study(name, image, layers), lost
    record = engine.containers.record(name)
    image, layers, lost = _layers(engine, str(record.image_id), stack)
    top = stack.enter_context(written_layer(engine, record, layers))
    if top.entries:
        layers.append(top)
    return Study(name, image, layers, container=record), lost


def _layers(
    engine: "Engine", name: str, stack: ExitStack
) -> "tuple[LocalImage, list[CountedLayer], dict[int, Damage]]":
    """Open the layers of an image, each as far as it can be read."""
    image = engine.images.documents(name)
    layers: list[CountedLayer] = []
    lost: dict[int, Damage] = {}
    diff_ids = image.config.diff_ids
    for number, diff_id in enumerate(diff_ids, 1):
        opened: SealedLayer | None = None
        try:
            opened = stack.enter_context(engine.layers.open(diff_ids[:number]))
            opened.check()
        except (LaminaError, OSError) as error:
            blob = image.manifest.layers[number - 1]
            opened, damage = salvage(engine.store.blobs, blob, diff_id, layers)
            if opened is not None:
                stack.enter_context(opened)
            told = error if isinstance(error, LaminaError) else Corrupt(str(error))
            if damage is not None or not isinstance(error, NotFound):  # not sealed yet is no fault
                lost[number] = damage or Damage(Extent.ALL, told)
        layers.append(opened or LostLayer(str(diff_id)))
    return image, layers, lost
