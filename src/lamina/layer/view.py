"""The union of layers as one tree, read without mounting anything."""

from collections.abc import Iterator, Sequence

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.layer.entry import Kind
from lamina.layer.node import Layer, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = [
    "NotDirectory",
    "PathUnknown",
    "SymlinkLoop",
    "Tree",
    "merged_child",
    "merged_children",
]

_HOPS = 40
_LINKS = 2  # of a directory without directories in it: its name and its `.`
_CACHE_LIMIT = 4096


class PathUnknown(NotFound):
    """The image has no such path."""


class NotDirectory(PathUnknown):
    """Something that is no directory stands where the path goes through one."""


class SymlinkLoop(Invalid):
    """Symlinks lead round and round."""


class Tree:
    """What a container on these layers would see, with whiteouts and opaque directories applied.

    >>> with engine.images.tree("debian:12") as tree:               # doctest: +SKIP
    ...     path, node = tree.resolve(b"bin/sh")                    # symlinks followed inside
    ...     tree.read(b"etc/os-release"), tree.listdir(b"etc")
    ...     sum(node.size for _, node in tree.walk(b"usr") if node.kind is Kind.FILE)

    A node knows the layer it comes from (`node.layer`, one of `tree.layers`). Paths are bytes,
    relative and normal; the root is empty. `resolve`, `read` and `open_file` follow symlinks, the
    others do not. Looking up a path reads a few kilobytes per layer; what is read of an index is
    checked first. Whoever opened the layers closes them. One thread at a time.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._root = _roots(self.layers)
        self._known: dict[bytes, tuple[Node, ...]] = {b"": self._root}

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> "Tree":
        """Lay `layers`, lowest first, over each other."""
        return cls(layers)

    def lookup(self, path: bytes) -> Node | None:
        """Find `path`, following no symlink. An empty tree has not even a root."""
        pile = self.pile(path)
        return pile[0] if pile else None

    def pile(self, path: bytes) -> tuple[Node, ...]:
        """Give the nodes that make up `path`, topmost first: one, or the merged directories."""
        known = self._known.get(path)
        if known is not None:
            return known
        head, _, name = path.rpartition(b"/")
        pile = self._child(self.pile_of_directory(head), name)
        if pile and pile[0].kind is Kind.DIRECTORY:
            if len(self._known) >= _CACHE_LIMIT:
                self._known.clear()
                self._known[b""] = self._root
            self._known[path] = pile
        return pile

    def pile_of_directory(self, path: bytes) -> tuple[Node, ...]:
        """Give the merged directories at `path`, topmost first; none if it is not a directory."""
        todo = []
        while path not in self._known:
            head, _, name = path.rpartition(b"/")
            todo.append((path, name))
            path = head
        pile = self._known[path]
        for full, name in reversed(todo):
            pile = self._child(pile, name)
            if not pile or pile[0].kind is not Kind.DIRECTORY:
                return ()
            if len(self._known) < _CACHE_LIMIT:
                self._known[full] = pile
        return pile

    def listdir(self, path: bytes) -> list[tuple[bytes, Node]]:
        """Give the names in the directory `path`, sorted, with their nodes; none if it is not one."""
        merged = self._children(self.pile_of_directory(path))
        # Whoever lists a directory often lists those in it next.
        prefix = path + b"/" if path else b""
        below = {prefix + n: pile for n, pile in merged if pile[0].kind is Kind.DIRECTORY}
        if len(self._known) + len(below) > _CACHE_LIMIT:
            self._known = {b"": self._root}
        if len(below) < _CACHE_LIMIT:
            self._known.update(below)
        return [(name, pile[0]) for name, pile in merged]

    def walk(self, path: bytes = b"") -> Iterator[tuple[bytes, Node]]:
        """Give `path` and everything below it, a directory before its children, sorted.

        Raises: Corrupt (a directory that stands in two places: it may be inside itself).
        """
        first = self.pile(path)
        if not first:
            return
        yield path, first[0]
        if first[0].kind is not Kind.DIRECTORY:
            return
        seen = {(node.layer.path, node.nid) for node in first}
        quick, rows = self._rows(path, first)
        yield from quick
        stack = [(path + b"/" if path else b"", iter(rows))]
        while stack:
            prefix, children = stack[-1]
            for name, pile in children:
                here = prefix + name
                yield here, pile[0]
                if pile[0].kind is Kind.DIRECTORY:
                    parts = {(part.layer.path, part.nid) for part in pile}
                    if parts & seen:
                        raise Corrupt(f"directory {_shown(here)} stands in two places")
                    seen |= parts
                    quick, rows = self._rows(here, pile)
                    yield from quick
                    if rows:
                        stack.append((here + b"/", iter(rows)))
                        break
            else:
                stack.pop()

    def folders(self) -> Iterator[tuple[bytes, tuple[Node, ...]]]:
        """Give every directory with its pile, the root first, each before those in it.

        Directories without any in them are most, and are not listed: their counts of links say so.
        """
        pending = [(b"", self._root)] if self._root else []
        while pending:
            path, pile = pending.pop()
            yield path, pile
            if all(node.nlink == _LINKS for node in pile):
                continue
            prefix = path + b"/" if path else b""
            pending += [
                (prefix + name, below)
                for name, below in self._children(pile)
                if below[0].kind is Kind.DIRECTORY
            ]

    def children(self, pile: tuple[Node, ...]) -> list[tuple[bytes, Node]]:
        """Give the names in a directory that `folders` gave, sorted, with their nodes."""
        return [(name, below[0]) for name, below in self._children(pile)]

    def _rows(
        self, path: bytes, pile: tuple[Node, ...]
    ) -> tuple[list[tuple[bytes, Node]], list[tuple[bytes, tuple[Node, ...]]]]:
        """Give what is in a directory: as paths with nodes, if all are files of one layer.

        That is what most directories are, and a walk has nothing to do for it. Else as `_children`.
        """
        if not self._is_plain(pile):
            return [], self._children(pile)
        found = pile[0].layer.listdir(pile[0])
        kinds = [node.kind for _, node in found]
        if Kind.DIRECTORY not in kinds and Kind.CHARACTER not in kinds:
            prefix = path + b"/" if path else b""
            return [(prefix + name, node) for name, node in found], []
        return [], [
            (name, (node,))
            for name, node in found
            if node.kind is not Kind.CHARACTER or not node.is_whiteout
        ]

    def _is_plain(self, pile: tuple[Node, ...]) -> bool:
        return len(pile) == 1

    def resolve(self, path: bytes, *, follow_last: bool = True) -> tuple[bytes, Node]:
        """Find `path` as a process inside would, following symlinks within the root.

        Raises: PathUnknown, NotDirectory (which is one), SymlinkLoop.
        """
        bare = path.strip(b"/")
        plain = self.lookup(
            bare
        )  # most paths go through no symlink: it is there, or it is not plain
        if plain is not None and not (follow_last and plain.kind is Kind.SYMLINK):
            return bare, plain
        return self._follow(path, follow_last=follow_last)

    def _follow(self, path: bytes, *, follow_last: bool) -> tuple[bytes, Node]:
        """Go along `path` name by name."""
        trail: list[bytes] = []
        todo = path.split(b"/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                del trail[-1:]
                continue
            node = self.lookup(b"/".join([*trail, part]))
            if node is None:
                raise PathUnknown(f"no such file or directory: {_shown(path)}")
            if node.kind is Kind.SYMLINK and (follow_last or any(todo)):
                hops += 1
                if hops > _HOPS:
                    raise SymlinkLoop(f"too many levels of symbolic links: {_shown(path)}")
                target = node.target
                if target.startswith(b"/"):
                    trail.clear()
                todo += target.split(b"/")[::-1]
            elif any(todo) and node.kind is not Kind.DIRECTORY:
                raise NotDirectory(f"not a directory: {_shown(b'/'.join([*trail, part]))}")
            else:
                trail.append(part)
        found = b"/".join(trail)
        final = self.lookup(found)
        if final is None:
            raise PathUnknown(f"no such file or directory: {_shown(path)}")
        return found, final

    def read(self, node: "Node | bytes", offset: int = 0, size: int = -1) -> bytes:
        """Give content of a file, by its node or its path (symlinks followed).

        Raises: PathUnknown, Invalid (not a file).
        """
        file = self._file(node)
        return file.layer.read(file, offset, size)

    def open_file(self, node: "Node | bytes") -> "BinaryIO":
        """Give a file's content as a seekable stream. Raises: as `read`."""
        file = self._file(node)
        return file.layer.open_file(file)

    def _child(self, pile: tuple[Node, ...], name: bytes) -> tuple[Node, ...]:
        return merged_child(pile, name)

    def _children(self, pile: tuple[Node, ...]) -> list[tuple[bytes, tuple[Node, ...]]]:
        return merged_children(pile)

    def _file(self, node: "Node | bytes") -> Node:
        if isinstance(node, bytes):
            path, node = self.resolve(node)
            if node.kind is not Kind.FILE:
                raise Invalid(f"not a file: {_shown(path)}")
        elif node.kind is not Kind.FILE:
            raise Invalid(f"not a file but a {node.kind}")
        return node


def _roots(layers: tuple[Layer, ...]) -> tuple[Node, ...]:
    """Lay the layers' roots over each other, topmost first.

    The first has the attributes of the topmost that a tar lists, as far down as there are layers:
    an opaque root hides what lower layers have in theirs, not what theirs is.
    """
    pile: list[Node] = []
    for layer in reversed(layers):
        pile.append(layer.root)
        if pile[-1].opaque:
            break
    listed = next((layer for layer in reversed(layers) if not layer.implied_root), None)
    if listed is not None and layers[-1].implied_root:
        pile[0] = pile[0].dressed_as(listed.root)
    return tuple(pile)


def merged_child(pile: tuple[Node, ...], name: bytes) -> tuple[Node, ...]:
    """Find `name` in merged directories, topmost first."""
    return _stacked(directory.layer.child(directory, name) for directory in pile)


def merged_children(pile: tuple[Node, ...]) -> list[tuple[bytes, tuple[Node, ...]]]:
    """Give the names in merged directories, sorted, each with what makes it up."""
    if len(pile) == 1:
        only = pile[0]
        return [
            (name, (node,))
            for name, node in only.layer.listdir(only)
            if node.kind is not Kind.CHARACTER or not node.is_whiteout
        ]
    found: dict[bytes, tuple[Node, ...]] = {}
    for directory in pile:
        for name, node in directory.layer.listdir(directory):
            above = found.get(name)
            found[name] = (node,) if above is None else (*above, node)
    merged = []
    for name in sorted(found):
        nodes = found[name]
        if len(nodes) > 1 or nodes[0].kind is Kind.CHARACTER:
            nodes = _stacked(iter(nodes))
        if nodes:
            merged.append((name, nodes))
    return merged


def _stacked(nodes: "Iterator[Node | None]") -> tuple[Node, ...]:
    """Lay what the layers have under one name over each other, topmost first."""
    pile: list[Node] = []
    for node in nodes:
        if node is None:
            continue
        if node.is_whiteout:
            break
        if node.kind is not Kind.DIRECTORY:
            if not pile:
                pile.append(node)
            break
        pile.append(node)
        if node.opaque:
            break
    return tuple(pile)


def _shown(path: bytes) -> str:
    return "/" + path.decode("utf-8", "replace").lstrip("/")
