"""An image opened to be understood though layers of it are lost or damaged: what can be read is."""

# ruff: noqa: ARG002 - a lost layer has the arguments of layers that have something

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lamina.engine.reading import is_container
from lamina.engine.study import Study, studied
from lamina.errors import Corrupt, LaminaError, NotFound, Unsupported
from lamina.layer.entry import Kind
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.engine.engine import Engine
    from lamina.layer.node import CountedLayer

__all__ = ["LostLayer", "PartialStudy", "partly_studied"]

_ROOT = 1
_DIRECTORY = 0o40755


@dataclass(frozen=True, slots=True)
class PartialStudy:
    """A study, and why each layer that cannot be read cannot, by its number."""

    study: Study
    lost: dict[int, LaminaError]


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
    """Open an image or container as `studied` does; a layer that cannot be read counts as empty.

    The indexes are checked first. Raises: ImageUnknown (it is neither); Corrupt, NotFound and
    Unsupported (its documents cannot be read, or none of its layers).
    """
    with ExitStack() as stack:
        try:
            lost: dict[int, LaminaError] = {}
            study = stack.enter_context(studied(engine, name, written=True))
            for layer in study.image_layers:
                if isinstance(layer, SealedLayer):
                    layer.check()
        except (Corrupt, NotFound, Unsupported):
            study, lost = _without_the_lost(engine, name, stack)
        yield PartialStudy(study, lost)


def _without_the_lost(
    engine: "Engine", name: str, stack: ExitStack
) -> tuple[Study, dict[int, LaminaError]]:
    image_name = (
        str(engine.containers.record(name).image_id) if is_container(engine, name) else name
    )
    image = engine.images.documents(image_name)
    layers: list[CountedLayer] = []
    lost: dict[int, LaminaError] = {}
    diff_ids = image.config.diff_ids
    for number, diff_id in enumerate(diff_ids, 1):
        try:
            opened = stack.enter_context(engine.layers.open(diff_ids[:number]))
            opened.check()
        except LaminaError as error:
            lost[number] = error
            layers.append(LostLayer(str(diff_id)))
        else:
            layers.append(opened)
    if len(lost) == len(diff_ids) > 0:
        raise lost[1]
    return Study(name, image, layers), lost
