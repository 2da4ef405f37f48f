"""Paths that one layer alone has, many at a time: most of most images."""

from lamina.layer.entry import Kind
from lamina.layer.listing import FORMS, Listed, listing
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer, SealedLayerCorrupt
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.node import Layer

__all__ = ["Run", "layer_runs", "runs"]

_DIRECTORY, _CHARACTER = FORMS[Kind.DIRECTORY], FORMS[Kind.CHARACTER]
_KIND_OF = {form: kind for kind, form in FORMS.items()}


@dataclass(slots=True)
class Run:
    """Paths that follow each other in one directory of layer `number`, added there and seen since.

    `prefix` is the directory with its slash, empty for the root. Only the last may be a directory: what
    is in it follows.
    """

    number: int
    layer: SealedLayer
    prefix: bytes
    listed: "Listed"

    def nodes(self) -> "Iterator[tuple[bytes, Node]]":
        """Give each path with its node: for whoever takes the long way."""
        listed = self.listed
        for at in range(len(listed.names)):
            yield self.prefix + listed.names[at], self.node(at)

    def node(self, at: int) -> Node:
        """Give one of the nodes."""
        return Node(self.layer, self.listed.nids[at], _KIND_OF[self.listed.forms[at]])


def layer_runs(layer: "Layer") -> "Iterator[Run] | None":
    """Give the names of all that a layer has, whiteouts left out; None of one that is not sealed."""
    if not isinstance(layer, SealedLayer):
        return None
    return runs(1, layer.root, b"", inodes=False)


def runs(number: int, directory: Node, path: bytes, *, inodes: bool = True) -> "Iterator[Run]":
    """Give all that is below a directory of layer `number`, which has to be a sealed one.

    Without `inodes` runs have no fields. Sorted, a directory before what is in it. No recursion: trees are deep. Raises: Corrupt.
    """
    layer = directory.layer
    assert isinstance(layer, SealedLayer)  # noqa: S101 - asked by the callers
    seen = {directory.nid}
    stack = [_in(number, layer, directory, path + b"/" if path else b"", inodes=inodes)]
    while stack:
        for run in stack[-1]:
            yield run
            listed = run.listed
            if listed.forms[-1] == _DIRECTORY:
                nid = listed.nids[-1]
                if nid in seen:
                    raise SealedLayerCorrupt(layer.path, f"directory {nid} stands in two places")
                seen.add(nid)
                below = run.prefix + listed.names[-1] + b"/"
                stack.append(_in(number, layer, run.node(-1), below, inodes=inodes))
                break
        else:
            stack.pop()


def _in(
    number: int, layer: SealedLayer, directory: Node, prefix: bytes, *, inodes: bool
) -> "Iterator[Run]":
    """Give what is in one directory, up to and with each directory in it."""
    for listed in listing(layer, directory, inodes=inodes):
        if _CHARACTER in listed.forms:
            listed = _without_whiteouts(layer, listed)  # noqa: PLW2901 - what is gone is not there
        start = 0
        if _DIRECTORY in listed.forms:
            for at, form in enumerate(listed.forms):
                if form == _DIRECTORY:
                    yield Run(number, layer, prefix, listed.part(start, at + 1))
                    start = at + 1
        if start == 0:
            if listed.names:
                yield Run(number, layer, prefix, listed)
        elif start < len(listed.names):
            yield Run(number, layer, prefix, listed.part(start, len(listed.names)))


def _without_whiteouts(layer: SealedLayer, found: "Listed") -> "Listed":
    stay = [
        at
        for at, (nid, form) in enumerate(zip(found.nids, found.forms, strict=True))
        if form != _CHARACTER or not Node(layer, nid, Kind.CHARACTER).is_whiteout
    ]
    return Listed(
        [found.names[at] for at in stay],
        [found.nids[at] for at in stay],
        [found.forms[at] for at in stay],
        [found.fields[at] for at in stay] if found.fields else [],
    )
