"""What the explorer wants to know of an image after its first screen: sizes, waste, names."""

from __future__ import annotations

from lamina.errors import Corrupt
from lamina.layer.entry import Kind
from lamina.layer.view import Tree
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.cli.explorer.jobs import Turn
    from lamina.engine.study import Study
    from lamina.layer.node import Layer, Node
    from lamina.study.causes import Wasted

__all__ = [
    "FOUND_LIMIT",
    "Did",
    "Found",
    "deeds",
    "directory_sizes",
    "found_names",
    "waste_by_path",
]

FOUND_LIMIT = 5000
"""Paths that a search gives at most: nobody looks at more."""

_GATHERED = 50_000
"""Paths that a search gathers before it stops: then what it looks for is in most names."""
_OFTEN = 2048
_HIDDEN = "hidden later"


@dataclass(frozen=True, slots=True)
class Found:
    """A path that a search found, and the layers that have something there, lowest first."""

    path: bytes
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Did:
    """One thing that a layer did: to how many paths, and the bytes of the files among them."""

    what: str
    count: int
    size: int


def deeds(study: Study, number: int, turn: Turn) -> tuple[Did, ...]:
    """Count what layer `number` added, changed, repeated, removed, and what later ones hide of it.

    A file of several names has its bytes once, and is hidden when the last of them is. Looks into the directories that the layer has. Raises: Corrupt.
    """
    from lamina.study.lives import Change, touches

    sums: dict[str, list[int]] = {str(change): [0, 0] for change in Change} | {_HIDDEN: [0, 0]}
    names: dict[tuple[str, int, int], int] = {}  # of files that have several
    for count, (path, event, hidden_by) in enumerate(touches(study.layers, number)):
        node = event.node if event.node is not None else event.before
        for what in (str(event.change), *([_HIDDEN] if hidden_by else [])):
            if path:
                sums[what][0] += 1
                if node is not None and node.kind is Kind.FILE and _is_whole(what, node, names):
                    sums[what][1] += node.size
        if not count % _OFTEN and turn.is_over:
            return ()
    return tuple(Did(what, *pair) for what, pair in sums.items() if pair[0])


def _is_whole(what: str, node: Node, names: dict[tuple[str, int, int], int]) -> bool:
    """Tell whether the bytes of a file count with this name of it."""
    if node.nlink == 1:
        return True
    key = (what, id(node.layer), node.nid)
    names[key] = names.get(key, 0) + 1
    return names[key] == (node.nlink if what == _HIDDEN else 1)


def directory_sizes(tree: Tree, turn: Turn) -> dict[bytes, int]:
    """Count the bytes of the files below each directory; the root's path is empty.

    A file of several names counts for each directory that has one, as `du` of that directory alone
    would say. Walks all of the tree. Raises: Corrupt.
    """
    sizes: dict[bytes, int] = {b"": 0}
    own: dict[bytes, int] = {b"": 0}
    for count, (path, node) in enumerate(tree.walk()):
        if node.kind is Kind.FILE:
            own[path.rpartition(b"/")[0]] += node.size
        elif node.kind is Kind.DIRECTORY:
            own[path] = 0
        if not count % _OFTEN and turn.is_over:
            return sizes
    # A directory comes before what is in it: backwards, each is whole before it counts above.
    for path in reversed(own):
        size = own[path]
        sizes[path] = size
        if path:
            own[path.rpartition(b"/")[0]] += size
    return sizes


def waste_by_path(files: Iterable[Wasted]) -> dict[bytes, int]:
    """Sum what is wasted, by paths of files and of all directories above them."""
    sums: dict[bytes, int] = {}
    for one in files:
        path = one.path
        while True:
            sums[path] = sums.get(path, 0) + one.size
            if not path:
                break
            path = path.rpartition(b"/")[0]
    return sums


def found_names(study: Study, wanted: str, turn: Turn) -> list[Found]:
    """Find paths by a part of the last name, or by a part of the path where `wanted` has a slash.

    Large and small letters are one unless `wanted` has large ones. Looks at every name of every
    layer, also at what later layers hide, and at those of a damaged layer until the damage. Gives
    `FOUND_LIMIT` paths at most, first those whose name is just that, then those that begin with it.
    """
    text = wanted.encode("utf-8", "surrogateescape")
    exact = text != text.lower()
    whole = b"/" in text
    text = text if exact else text.lower()
    numbers: dict[bytes, list[int]] = {}
    for number, layer in enumerate(study.layers, 1):
        for path in _paths(layer, turn):
            name = b"/" + path if whole else path.rpartition(b"/")[2]
            if text in (name if exact else name.lower()) and path:
                numbers.setdefault(path, []).append(number)
                if len(numbers) > _GATHERED:
                    break
    plain = text.lower().rpartition(b"/")[2]
    paths = sorted(numbers, key=lambda path: (_far(path.rpartition(b"/")[2], plain), path))
    del paths[FOUND_LIMIT:]
    return [Found(path, tuple(numbers[path])) for path in paths]


def _paths(layer: Layer, turn: Turn) -> Iterator[bytes]:
    try:
        for count, (path, _) in enumerate(Tree.of((layer,)).walk()):
            yield path
            if not count % _OFTEN and turn.is_over:
                return
    except Corrupt:
        return


def _far(name: bytes, wanted: bytes) -> int:
    """Tell how far a name is from what was looked for."""
    name = name.lower()
    return 0 if name == wanted else 1 if name.startswith(wanted) else 2
