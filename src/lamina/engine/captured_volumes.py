"""A container's volumes as part of what it changed, for a commit that takes them along."""

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from lamina.layer.stack import Changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree

__all__ = ["volumes_of", "with_volumes"]


def volumes_of(record: "ContainerRecord") -> tuple[tuple[str, str], ...]:
    """Give (folder here, path inside) of each volume, outer ones first; binds and tmpfs are none."""
    rows = [
        (str(mount["Source"]), str(mount["Destination"]))
        for mount in record.mounts
        if mount["Type"] == "volume" and not mount.get("Device")
    ]
    return tuple(sorted(rows, key=lambda row: row[1].count("/")))


@contextmanager
def with_volumes(
    engine: "Engine",
    record: "ContainerRecord",
    changed: Changed,
    parents: "Sequence[SealedLayer]",
) -> Iterator[Changed]:
    """Lay the volumes' content over what the container changed, each instead of what it covers.

    Costs a copy of it where the file system cannot share blocks. Raises: OSError (disk).
    """
    from lamina.engine.points import excluded_paths, followed
    from lamina.layer.live import LiveLayer, LiveTree

    volumes = volumes_of(record)
    if not volumes:
        yield changed
        return
    marks = changed.marks or "user"  # what no overlay made has no marks, and gets ours
    with engine.layers.directories.place() as place:
        os.mkdir(place, 0o700)
        with LiveLayer(changed.path, marks=changed.marks, frozen=changed.frozen) as live:
            tree = LiveTree(tuple(parents), live)
            _dress(place, tree, b"")
            made = excluded_paths(engine, record)
            for source, target in volumes:
                path = followed(tree, os.fsencode(target.strip("/")))
                _make_above(place, tree, path, made)
                _lay(f"{place}/{os.fsdecode(path)}", source, marks)
        yield Changed(place, marks, changed.paths)


def _make_above(place: str, tree: "Tree", path: bytes, made: Container[bytes]) -> None:
    """Make the folders that hold `path` as they are in the container; plain ones if a runtime `made` them."""
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        above = b"/".join(parts[:count])
        folder = f"{place}/{os.fsdecode(above)}"
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o755)
            if above not in made:
                _dress(folder, tree, above)


def _lay(folder: str, source: str, marks: str) -> None:
    """Copy one volume to where it is shown."""
    from lamina.layer.duplicate import duplicate
    from lamina.stream.files import remove_tree

    if os.path.lexists(folder):  # within another volume, that covers it
        remove_tree(folder)
    duplicate(source, folder)
    os.setxattr(folder, f"{marks}.overlay.opaque", b"y")


def _dress(folder: str, tree: "Tree", path: bytes) -> None:
    from lamina.layer.maker import dress
    from lamina.runtime import userns

    node = tree.lookup(path)
    if node is not None:
        rootless = userns.rootless_uid() is not None
        dress(folder, node, owners=not rootless or userns.mapped() > 1, privileged=not rootless)
