"""What a container changed, without the mount points that the runtime made for it."""

import posixpath
from contextlib import nullcontext

from lamina.layer.entry import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.layer.diff import Change
    from lamina.layer.node import Layer
    from lamina.layer.upper import Upper
    from lamina.layer.view import Tree

__all__ = ["changes", "excluded_paths", "followed"]

_FIXED = (b"proc", b"sys", b"dev", b"etc/hosts", b"etc/hostname", b"etc/resolv.conf")


def excluded_paths(
    engine: "Engine",
    record: "ContainerRecord",
    *,
    volumes: bool = False,
    given: "Sequence[Layer] | None" = None,
) -> frozenset[bytes]:
    """Give the mount points that the image does not have, and folders made only to hold them.

    With `volumes` those of volumes are not among them: what they hold is wanted. `given` are the
    image's layers where they are open already, or what there is of them.
    """
    from lamina.layer.uppers import opened
    from lamina.layer.view import Tree

    targets = [
        mount["Destination"].strip("/").encode()
        for mount in record.mounts
        if not (volumes and mount["Type"] == "volume")
    ]
    targets += [path.strip("/").encode() for path in record.host.get("Tmpfs") or ()]
    targets += [*_FIXED, *([b"sbin/docker-init"] if record.host.get("Init") else [])]
    with (
        nullcontext(given) if given is not None else engine.layers.opened(record.diff_ids) as layers
    ):
        tree = Tree.of(layers)
        resolved = [followed(tree, target) for target in targets]
        points = {target for target in resolved if target and tree.lookup(target) is None}
        holders = {above for point in points for above in _above(point)} - points
        made = [folder for folder in holders if tree.lookup(folder) is None]
    if made:
        with (
            engine.snapshotter.changed(record.id) as changed,
            opened(changed.paths, marks=changed.marks) as upper,
        ):
            for folder in sorted(made, key=len, reverse=True):
                if _holds_only(upper, folder, points):
                    points.add(folder)
    return frozenset(points)


def followed(tree: "Tree", target: bytes) -> bytes:
    """Give where `target` leads when the image has a symlink there: the runtime follows it."""
    node = tree.lookup(target)
    if node is None or node.kind is not Kind.SYMLINK:
        return target
    joined = posixpath.join(posixpath.dirname(b"/" + target), node.target)
    return posixpath.normpath(joined).strip(b"/")


def _above(path: bytes) -> list[bytes]:
    found = []
    while path := path.rpartition(b"/")[0]:
        found.append(path)
    return found


def _holds_only(upper: "Upper", folder: bytes, points: set[bytes]) -> bool:
    """Tell whether everything in `folder` of the writable layer is a mount point."""
    try:
        if upper.marks(folder).redirect is not None:
            return False  # moved here by the container, with all that the image has in it
        names = upper.names(folder)
    except OSError:
        return True
    return all(folder + b"/" + name in points for name in names)


def changes(engine: "Engine", record: "ContainerRecord") -> "tuple[Change, ...]":
    """Give the container's changes, sorted, as `docker diff` lists them. Raises: ContainerUnknown."""
    from lamina.engine.removal import present
    from lamina.layer.diff import changes as layer_changes

    with present(engine, record):
        excluded = excluded_paths(engine, record)
        with (
            engine.layers.opened(record.diff_ids) as layers,
            engine.snapshotter.changed(record.id) as changed,
        ):
            return tuple(
                layer_changes(changed.paths, layers, marks=changed.marks, exclude=excluded)
            )
