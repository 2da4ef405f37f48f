"""An image or container opened to be understood: its layers, who made each, and answers about them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lamina.engine.reading import is_container, written_layer
from lamina.errors import Invalid
from lamina.layer.entry import Kind
from lamina.layer.view import PathUnknown, SymlinkLoop, Tree
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.engine.records import ContainerRecord
    from lamina.layer.node import CountedLayer
    from lamina.study.exploration import Exploration, Rows
    from lamina.study.lives import Event
    from lamina.study.packages import Package
    from lamina.study.runs import Run
    from lamina.study.secrets import Secret
    from lamina.study.waste import Waste

__all__ = ["Made", "Study", "studied"]

_RELEASE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Made:
    """How one layer came about: `number` from 1 at the bottom, and its row of the history.

    What a container wrote has no diff ID; its `comment` says whose it is.
    """

    number: int
    diff_id: str
    created: str
    created_by: str
    comment: str
    author: str


class Study:
    """An image's layers, open, lowest first. `made` has a row for each.

    Paths are bytes, relative and normal. Nothing is mounted or unpacked. Valid while the context
    of `studied` lasts; one thread at a time.
    """

    def __init__(
        self,
        name: str,
        image: "LocalImage",
        layers: "Sequence[CountedLayer]",
        *,
        container: "ContainerRecord | None" = None,
    ) -> None:
        self.name = name
        self.image = image
        self.layers = tuple(layers)
        self._container = container
        self.tree = Tree.of(layers)
        self._trees = {len(self.layers): self.tree}
        made = [
            Made(number, str(diff_id), row.created, row.created_by, row.comment, row.author)
            for number, (row, diff_id) in enumerate(
                ((row, diff_id) for row, diff_id in image.config.steps() if diff_id), 1
            )
        ]
        if len(made) < len(self.layers):
            comment = f"what container {container.name if container else ''} wrote; not committed"
            made.append(Made(len(made) + 1, "", "", "", comment, ""))
        self.made = tuple(made)

    def place(self, path: bytes) -> bytes:
        """Give where `path` is, with the symlinks of its directories followed as they are now.

        Of a path that is not there (any more), of as many directories as are.
        """
        rest: list[bytes] = []
        head = os.path.normpath(b"/" + path).lstrip(b"/")
        while head:
            try:
                found, node = self.tree.resolve(head, follow_last=bool(rest))
            except (PathUnknown, SymlinkLoop):
                pass
            else:
                if not rest or node.kind is Kind.DIRECTORY:
                    return b"/".join([found, *rest] if found else rest)
            head, _, name = head.rpartition(b"/")
            rest.insert(0, name)
        return b"/".join(rest)

    def life(self, path: bytes) -> "tuple[Event, ...]":
        """Give what each layer does to `path`; nothing if none ever had it. See `study.lives`."""
        from lamina.study.lives import life

        return life(self.layers, path)

    def lives(self, path: bytes = b"") -> "Iterator[tuple[bytes, tuple[Event, ...]]]":
        """Give every path at and below `path` that any layer ever had. See `study.lives`."""
        from lamina.study.lives import lives

        return lives(self.layers, path)

    def sweep(self, path: bytes = b"") -> "Iterator[Run | tuple[bytes, tuple[Event, ...]]]":
        """Give what `lives` does, much of it many at a time. See `study.lives`."""
        from lamina.study.lives import sweep

        return sweep(self.layers, path)

    def waste(self, *, deep: bool = False) -> "Waste":
        """Find the bytes that are in the layers for nothing. See `study.waste`."""
        from lamina.study.waste import waste

        return waste(self.layers, deep=deep)

    def packages(self, *, numbered: bool = True) -> "tuple[Package, ...]":
        """Give the packages that are in the image, each with its layer. See `study.packages`."""
        from lamina.study.packages import packages

        return packages(self.layers, numbered=numbered)

    def owners(self, path: bytes, height: int) -> "tuple[Package, ...]":
        """Give the packages that brought `path`, as the lowest `height` layers have it."""
        from lamina.study.packages import owners

        if height not in self._trees:
            self._trees[height] = Tree.of(self.layers[:height])
        return owners(self._trees[height], path)

    def secrets(self) -> "tuple[Secret, ...]":
        """Give keys, passwords and tokens, also those that a later layer hides.

        Of a container's environment and labels, where what it wrote counts.
        """
        from lamina.study.secrets import in_config, in_layers

        settings = self._container.config if self._container else None
        return (*in_layers(self.layers), *in_config(self.image.config, settings))

    @property
    def image_layers(self) -> "tuple[CountedLayer, ...]":
        """The layers that are the image's; without what a container wrote."""
        return self.layers[: len(self.image.config.diff_ids)]

    def explore(
        self,
        *,
        deep: bool = False,
        lost: "Mapping[int, str] | None" = None,
        rows: "Rows | None" = None,
    ) -> "Exploration":
        """Find out everything about the image, without what a container wrote. See `study.exploration`."""
        from lamina.study.exploration import explore

        image = self.image
        return explore(
            self.image_layers, image.config, image.manifest,
            name=self.name, deep=deep, lost=lost, rows=rows,
        )  # fmt: skip

    def system(self) -> str:
        """Give the distribution's ID from /etc/os-release; empty if it does not say."""
        try:
            text = self.tree.read(b"etc/os-release", 0, _RELEASE_LIMIT).decode("utf-8", "replace")
        except (PathUnknown, SymlinkLoop, Invalid):
            return ""
        lines = (line.partition("=") for line in text.splitlines())
        return next((value.strip("\"'") for name, _, value in lines if name == "ID"), "")


@contextmanager
def studied(engine: "Engine", name: str, *, written: bool = False) -> Iterator[Study]:
    """Open an image, or that of a container, for the body.

    With `written` what the container wrote is the topmost layer, if it wrote anything: the one that
    a commit would make, read as it is now, volumes and other mounts left out.
    Raises: ImageUnknown (it is neither), LayerUnknown, Corrupt.
    """
    record = engine.containers.record(name) if is_container(engine, name) else None
    with ExitStack() as stack:
        image = engine.images.resolve(name if record is None else str(record.image_id))
        layers: list[CountedLayer] = [
            *stack.enter_context(engine.layers.opened(image.config.diff_ids))
        ]
        if record is not None and written:
            top = stack.enter_context(written_layer(engine, record))
            layers += [top] if top.entries else []
        yield Study(name, image, layers, container=record if written else None)
