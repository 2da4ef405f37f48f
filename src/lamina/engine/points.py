"""What a container changed, without the mount points that the runtime made for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.layer.diff import Change
    from lamina.layer.view import Tree

__all__ = ["changes", "excluded_paths"]

_FIXED = (b"proc", b"sys", b"dev", b"etc/hosts", b"etc/hostname", b"etc/resolv.conf")


def excluded_paths(engine: "Engine", record: "ContainerRecord") -> frozenset[bytes]:
    """Give mount points, and the folders above them, that the image does not have."""
    from lamina.layer.view import Tree

    targets = [mount["Destination"].strip("/").encode() for mount in record.mounts]
    targets += [path.strip("/").encode() for path in record.host.get("Tmpfs") or ()]
    targets += [*_FIXED, *([b"sbin/docker-init"] if record.host.get("Init") else [])]
    layers = engine.layers.pile(record.diff_ids)
    try:
        tree = Tree.of(layers)
        found: set[bytes] = set()
        for target in targets:
            found.update(_missing(tree, target))
        return frozenset(found)
    finally:
        for layer in layers:
            layer.close()


def _missing(tree: "Tree", target: bytes) -> list[bytes]:
    """List `target` and those of its parents that the image lacks; a symlink is followed once."""
    node = tree.lookup(target)
    if node is not None and node.target:
        import posixpath

        link = node.target
        joined = link if link.startswith(b"/") else posixpath.dirname(b"/" + target) + b"/" + link
        target = posixpath.normpath(joined).strip(b"/")
    missing = []
    while target and tree.lookup(target) is None:
        missing.append(target)
        target = target.rpartition(b"/")[0]
    return missing


def changes(engine: "Engine", record: "ContainerRecord") -> "tuple[Change, ...]":
    """Give the container's changes, sorted, as `docker diff` lists them."""
    from lamina.layer.diff import changes as layer_changes

    excluded = excluded_paths(engine, record)
    layers = engine.layers.pile(record.diff_ids)
    try:
        with engine.snapshotter.changed(record.id) as upper:
            rows = list(layer_changes(upper, layers))
    finally:
        for layer in layers:
            layer.close()
    kept = [row for row in rows if row.path not in excluded]
    paths = {row.path for row in kept}
    above = {p for path in paths for p in _parents(path)}
    touched = {path.rpartition(b"/")[0] for path in excluded}
    return tuple(
        row
        for row in rows
        if (row.path not in excluded or row.path in above)
        and not (row.kind == "C" and row.path in touched and row.path not in above)
    )


def _parents(path: bytes) -> list[bytes]:
    found = []
    while path:
        path = path.rpartition(b"/")[0]
        found.append(path)
    return found
