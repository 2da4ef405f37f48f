"""Look into images and containers without making, mounting or running anything."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial

from lamina.engine.local import ImageUnknown
from lamina.errors import Invalid, NotFound
from lamina.layer.entry import Entry, Kind
from lamina.layer.view import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.engine.records import ContainerRecord
    from lamina.image.remote_image import RemoteImage
    from lamina.layer.node import CountedLayer, Node
    from lamina.layer.written import WrittenLayer
    from lamina.spec.digest import Digest
    from lamina.store.names import Named

__all__ = [
    "container_tree",
    "entries",
    "extract",
    "image_tree",
    "is_container",
    "layer_number",
    "tree_of",
    "write_tar",
    "written_layer",
]


_SHORTEST_DIGEST = 4  # letters of one from which on it is no layer's number


@contextmanager
def image_tree(engine: "Engine", name_or_id: str) -> Iterator[Tree]:
    """Give, for the body, the tree that a container on this image would start with.

    Raises: ImageUnknown, LayerUnknown, Corrupt.
    """
    with ExitStack() as stack:
        layers = engine.images.look(
            name_or_id, lambda rows: engine.layers.pile(_diff_ids(engine, name_or_id, rows))
        )
        for layer in layers:  # open, they stay whole
            stack.enter_context(layer)
        yield Tree.of(layers)


def _diff_ids(engine: "Engine", name_or_id: str, rows: "Sequence[Named]") -> "tuple[Digest, ...]":
    """Give an image's layers from its config alone: a quarter less to load than to resolve it."""
    from lamina.engine import naming
    from lamina.spec.config import CONFIG_LIMIT, ImageConfig
    from lamina.spec.digest import Digest

    sealed = (row for row in rows if naming.LAYER_SIZES in row.facts)
    image_id = next((row.facts[naming.IMAGE_ID] for row in sealed), "")
    if not image_id:  # another tool's: its layers are sealed now
        return engine.images.resolve(name_or_id).config.diff_ids
    raw = engine.store.blobs.read(Digest.parse(image_id), limit=CONFIG_LIMIT)
    return ImageConfig.from_json(raw).diff_ids


@contextmanager
def container_tree(
    engine: "Engine",
    record: "ContainerRecord",
    given: "Sequence[CountedLayer] | None" = None,
) -> Iterator[Tree]:
    """Give, for the body, the tree of a container as it is now, whether it runs or not.

    What is mounted into it, volumes too, is no part of it. `given` are its image's layers where they
    are open already, or what there is of them.
    Raises: ContainerUnknown (it is removed in the course of the body), LayerUnknown, Corrupt.
    """
    from lamina.engine.removal import present
    from lamina.layer.live import LiveLayer, LiveTree

    with present(engine, record):
        place = engine.snapshotter.stack(record.id)
        if not place.work:  # no overlayfs: everything has been copied there
            with LiveLayer(place.upper, marks="") as live:
                yield LiveTree((), live)
            return
        with (
            engine.snapshotter.changed(record.id) as changed,
            LiveLayer(changed.path, marks=changed.marks, frozen=changed.frozen) as live,
            _layers_of(engine, record, given) as layers,
        ):
            yield LiveTree(layers, live)


def _layers_of(
    engine: "Engine", record: "ContainerRecord", given: "Sequence[CountedLayer] | None"
) -> "AbstractContextManager[Sequence[CountedLayer]]":
    return engine.layers.opened(record.diff_ids) if given is None else nullcontext(given)


@contextmanager
def written_layer(
    engine: "Engine",
    record: "ContainerRecord",
    given: "Sequence[CountedLayer] | None" = None,
) -> "Iterator[WrittenLayer]":
    """Give, for the body, what a container wrote as the layer that a commit would make of it.

    `given`: as in `container_tree`. Costs an lstat for each path that it wrote. Raises: as `container_tree`; NamespaceRefused.
    """
    from lamina.engine.points import excluded_paths
    from lamina.layer.changeset import changeset
    from lamina.layer.written import WrittenLayer

    with (
        engine.containers.tree(record.id, given) as tree,
        engine.snapshotter.changed(record.id) as changed,
        _layers_of(engine, record, given) as layers,
    ):
        entries = changeset(
            changed.paths,
            layers,
            marks=changed.marks,
            exclude=excluded_paths(engine, record, given=layers),
        )
        yield WrittenLayer(changed.path, (entry for entry, _ in entries), tree)


def is_container(engine: "Engine", name: str) -> bool:
    """Tell whether `name` means a container: its name, else no image's, and the start of its ID."""
    folder = f"{engine.settings.root}/containers"
    bare = name.removeprefix("/")
    if not bare or "/" in bare or not os.path.isdir(folder):
        return False
    if os.path.lexists(f"{folder}/names/{bare}") or os.path.isdir(f"{folder}/{bare}"):
        return True
    try:
        engine.images.find(name)
    except ImageUnknown:
        from lamina.engine.names import Register

        try:
            Register(folder).resolve(bare)
        except NotFound:
            return False
        return True
    return False


@contextmanager
def tree_of(engine: "Engine", name: str) -> Iterator[Tree]:
    """Give the tree of the container or image `name`; a container's name wins.

    Raises: ImageUnknown (it is neither), LayerUnknown, Corrupt.
    """
    if is_container(engine, name):
        with engine.containers.tree(name) as tree:
            yield tree
    else:
        with image_tree(engine, name) as tree:
            yield tree


def layer_number(image: "LocalImage | RemoteImage", wanted: str, name: str) -> int:
    """Give which layer of an image people mean: a number from the bottom, or a part of a digest.

    Diff IDs and the blobs' digests are both looked through. Raises: Invalid (none, or several).
    """
    diff_ids, blobs = image.config.diff_ids, image.manifest.layers
    if wanted.isdecimal() and len(wanted) < _SHORTEST_DIGEST:
        if 0 < int(wanted) <= len(diff_ids):
            return int(wanted)
        wanted = f"number {wanted}"
    bare = wanted.rpartition(":")[2]
    fitting = [
        number
        for number, (diff_id, blob) in enumerate(zip(diff_ids, blobs, strict=True), 1)
        if bare and (diff_id.hex.startswith(bare) or blob.digest.hex.startswith(bare))
    ]
    if len(fitting) == 1:
        return fitting[0]
    count = f"{len(diff_ids)} layers" if len(diff_ids) != 1 else "one layer"
    raise Invalid(
        f"{name} has no layer {wanted}" if not fitting else f"{wanted} fits several",
        hint=f"it has {count}; `lamina layers {name}` shows their numbers and diff IDs",
    )


def entries(tree: Tree, path: bytes, shown: bytes) -> Iterator[tuple[Entry, "Node"]]:
    """Give the record of `path` and of all below it, under names that begin with `shown`.

    A directory comes before its children; further names of one file are hard links to its first.
    """
    links: dict[tuple[str, int], bytes] = {}
    for full, node in tree.walk(path):
        rest = full[len(path) :].lstrip(b"/")
        name = b"/".join(part for part in (shown, rest) if part)
        entry = node.entry(name)
        if node.nlink > 1 and node.kind is not Kind.DIRECTORY:
            first = links.setdefault((node.layer.path, node.nid), name)
            if first != name:
                entry = entry._replace(kind=Kind.HARDLINK, link=first, size=0, xattrs=())
        yield entry, node


def write_tar(tree: Tree, path: bytes, write: Callable[[bytes], object], *, shown: bytes) -> None:
    """Write `path` and all below it as a tar, under names that begin with `shown`.

    Needs little memory, however large the files are. `path` is one that `Tree.resolve` gave.
    """
    from lamina.layer.tar import TarWriter

    writer = TarWriter(write)
    for entry, node in entries(tree, path, shown):
        writer.add(entry, node.layer.pieces(node) if entry.kind is Kind.FILE else None)
    writer.close()


def extract(tree: Tree, path: bytes, target: int, *, shown: bytes, owners: bool = False) -> int:
    """Write `path` and all below it into the folder that `target` is a descriptor of.

    Names begin with `shown`; holes stay holes. Owners are set only with `owners`. Gives the bytes
    of the files. Raises: Invalid (a folder stands where a file should, or the other way round).
    """
    from lamina.engine.unpack import place

    size = 0

    def items() -> Iterator[tuple[Entry, Callable[[int], None]]]:
        nonlocal size
        for entry, node in entries(tree, path, shown):
            size += entry.size
            yield entry, partial(_fill, node)

    place(items(), target, owners=owners)
    return size


def _fill(node: "Node", fd: int) -> None:
    """Write a file's content, leaving its holes out."""
    os.ftruncate(fd, node.size)
    for offset, where, length in node.layer.extents(node):
        at = offset
        for piece in node.layer.pieces(node, offset, length) if where >= 0 else ():
            view = memoryview(piece)
            while view:
                done = os.pwrite(fd, view, at)
                view = view[done:]
                at += done
