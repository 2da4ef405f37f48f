"""Volumes: folders of this machine that outlive containers. A new one begins as the image has it."""

import os
from collections.abc import Mapping
from contextlib import suppress

from lamina.engine.clock import now_text
from lamina.engine.journal import note_volume
from lamina.errors import Invalid
from lamina.spec.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.layer.node import Node
    from lamina.layer.view import Tree
    from lamina.spec.digest import Digest

__all__ = ["METADATA", "check_name", "volume_folder"]

METADATA = "volume.json"
"""The file beside a volume's data: when it was made, its labels and its driver's options."""


def check_name(name: str) -> None:
    """Refuse what Docker would not take as a volume's name. Raises: Invalid."""
    if len(name) == 1:
        raise Invalid(
            "volume name is too short, names should be at least two alphanumeric characters"
        )
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum()):
        raise Invalid(
            f'create {name}: "{name}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host '
            "directory, use absolute path",
            hint="letters, digits, '_', '.' and '-'; a folder of the host begins with '/'",
        )


def volume_folder(
    engine: "Engine",
    name: str,
    *,
    pile: "Sequence[Digest]" = (),
    target: str = "",
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> str:
    """Give the data folder of volume `name`; a new one is filled with what `pile` has at `target`.

    As with Docker, so that a database finds its folder with the owner and files its image gave it.
    Without a `pile`, and where `options` bind a folder of the host, it stays empty.
    """
    folder = f"{engine.store.disk.volumes}/{name}"
    data = f"{folder}/_data"
    if os.path.isdir(data):
        return data
    with engine.layers.directories.place() as fresh:
        # Nobody else may enter: a set-user-ID program that a container puts there is root's own.
        os.mkdir(fresh, 0o700)
        os.mkdir(f"{fresh}/_data", 0o755)
        facts = {
            "created": now_text(),
            "labels": dict(labels or {}),
            "options": dict(options or {}),
        }
        with open(f"{fresh}/{METADATA}", "wb") as file:
            file.write(encode(facts))
        if pile and not options:
            _fill(engine, pile, target, f"{fresh}/_data")
        try:
            os.rename(fresh, folder)
        except OSError:  # another process made the volume meanwhile
            if not os.path.isdir(data):
                raise
            return data
    note_volume(engine, name, "create")
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
    for name, value in node.xattrs:
        with suppress(OSError):  # security.* as a plain user, or a file system without any
            os.setxattr(path, name, value)
    os.chmod(path, node.mode)
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns))
