"""Volumes: folders of this machine that outlive containers. A new one begins as the image has it."""

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.layer.node import Node
    from lamina.layer.view import Tree
    from lamina.spec.digest import Digest

__all__ = ["volume_folder"]


def volume_folder(engine: "Engine", name: str, *, pile: "Sequence[Digest]", target: str) -> str:
    """Give the data folder of volume `name`; a new one is filled with what `pile` has at `target`.

    As with Docker, so that a database finds its folder with the owner and files its image gave it.
    """
    folder = f"{engine.store.disk.volumes}/{name}"
    data = f"{folder}/_data"
    if os.path.isdir(data):
        return data
    with engine.layers.directories.place() as fresh:
        # Nobody else may enter: a set-user-ID program that a container puts there is root's own.
        os.mkdir(fresh, 0o700)
        os.mkdir(f"{fresh}/_data", 0o755)
        _fill(engine, pile, target, f"{fresh}/_data")
        try:
            os.rename(fresh, folder)
        except OSError:  # another process made the volume meanwhile
            if not os.path.isdir(data):
                raise
    return data


def _fill(engine: "Engine", pile: "Sequence[Digest]", target: str, data: str) -> None:
    from lamina.layer.view import Tree

    with engine.layers.opened(pile) as layers:
        tree = Tree.of(layers)
        top = target.strip("/").encode()
        node = tree.lookup(top)
        if node is None or node.kind.value != "directory":
            return
        _attributes(data, node)
        for path, child in tree.walk(top):
            inside = path[len(top) :].lstrip(b"/")
            if inside:
                _copy(tree, child, os.path.join(os.fsencode(data), inside))
        _attributes(data, node)


def _copy(tree: "Tree", node: "Node", path: bytes) -> None:
    kind = node.kind.value
    if kind == "directory":
        os.mkdir(path)
    elif kind == "symlink":
        os.symlink(node.target, path)
        with suppress(PermissionError):
            os.lchown(path, node.uid, node.gid)
        return
    elif kind == "file":
        with open(path, "xb") as file, tree.open_file(node) as body:
            while piece := body.read(1 << 20):
                file.write(piece)
    else:
        return
    _attributes(os.fsdecode(path), node)


def _attributes(path: str, node: "Node") -> None:
    with suppress(PermissionError):
        os.chown(path, node.uid, node.gid)
    os.chmod(path, node.mode)
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns))
