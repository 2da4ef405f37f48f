"""The life of each path of a stack: which layer added, changed, removed it. Spec: image-spec layer.md."""

from lamina.layer.entry import Kind
from lamina.layer.sealed import SealedLayer
from lamina.study.runs import runs
from lamina.values import StrEnum, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.layer.node import Layer, Node
    from lamina.study.runs import Run

__all__ = [
    "Aspect",
    "Change",
    "Event",
    "changes",
    "differences",
    "hidden",
    "life",
    "lives",
    "sweep",
    "touches",
]

_PIECE = 1024 * 1024
_SHA256 = 32  # bytes


class Change(StrEnum):
    """What a layer does to a path."""

    ADDED = "added"
    CHANGED = "changed"
    REPEATED = "repeated"
    """It is in the layer once more, as it was: its bytes are there twice."""
    REMOVED = "removed"


class Aspect(StrEnum):
    """What of a path a layer changed."""

    KIND = "kind"
    CONTENT = "content"
    TARGET = "target"
    DEVICE = "device"
    EMPTIED = "emptied"
    """A directory of which nothing that was in it is seen any more."""
    MODE = "mode"
    OWNER = "owner"
    ATTRIBUTES = "attributes"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Event:
    """What one layer, `number` from 1 at the bottom, does to a path.

    `node` is what the layer has there (None: nothing any more), `before` what was seen there until
    then. `by` is the path that takes it away: its own whiteout, or that of a directory above, or
    what stands in that one's place; an opaque directory is its own name.
    """

    number: int
    change: Change
    node: "Node | None"
    before: "Node | None"
    aspects: tuple[Aspect, ...] = ()
    by: bytes = b""


@dataclass(frozen=True, slots=True)
class _Cut:
    """All that lower layers have below some directory goes in layer `number`."""

    number: int
    by: bytes


if TYPE_CHECKING:
    from collections.abc import Callable

    _Row = tuple[bytes, list[tuple[int, Node]], list[_Cut]]
    _Listing = Callable[[bytes, list[tuple[int, Node]], list[_Cut]], Iterator[_Row]]


def life(layers: "Sequence[Layer]", path: bytes) -> tuple[Event, ...]:
    """Give what each of `layers`, lowest first, does to `path` (normal; the root is empty).

    Layers that do not touch it are left out. Reads a few kilobytes of each layer, and content where
    two versions are of one size. Raises: Corrupt.
    """
    found, cuts = _found(layers, path)
    return _events(found if path else _listed(found), cuts)


def lives(
    layers: "Sequence[Layer]", path: bytes = b""
) -> "Iterator[tuple[bytes, tuple[Event, ...]]]":
    """Give every path at and below `path` that any layer ever had, with its life.

    A directory comes before what is in it, names are sorted. Directories that no layer changes have
    one event alone. Raises: Corrupt.
    """
    for full, found, cuts in _walk(layers, path, _children):
        yield full, _events(found, cuts)


def sweep(
    layers: "Sequence[Layer]", path: bytes = b""
) -> "Iterator[Run | tuple[bytes, tuple[Event, ...]]]":
    """Give what `lives` gives, in its order, and what one sealed layer alone has as runs.

    Each path of a run has one event: it was added. For who looks at everything: several times as quick,
    and what a directory takes in memory has a bound. Raises: Corrupt.
    """
    found, cuts = _found(layers, path)
    if not found:
        return
    yield path, _events(found if path else _listed(found), cuts)
    if _is_plain(found, cuts):
        yield from runs(*found[0], path)
        return
    stack = [_children(path, found, cuts)]
    while stack:
        for child, nodes, above in stack[-1]:
            yield child, _events(nodes, above)
            if _is_plain(nodes, above):
                yield from runs(*nodes[0], child)
            elif any(node.kind is Kind.DIRECTORY for _, node in nodes):
                stack.append(_children(child, nodes, above))
                break
        else:
            stack.pop()


def _is_plain(found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> bool:
    """Tell whether one sealed layer alone has a directory, and nothing takes it away."""
    if len(found) != 1 or cuts:
        return False
    node = found[0][1]
    return node.kind is Kind.DIRECTORY and isinstance(node.layer, SealedLayer)


def changes(
    layers: "Sequence[Layer]", path: bytes = b""
) -> "Iterator[tuple[bytes, tuple[Event, ...]]]":
    """Give those of `lives` with more than one event; what one layer alone has is not looked at.

    That is most of an image: this is many times quicker. Raises: Corrupt.
    """
    for full, found, cuts in _walk(layers, path, _touched):
        events = _events(found, cuts)
        if len(events) > 1:
            yield full, events


def touches(layers: "Sequence[Layer]", number: int) -> "Iterator[tuple[bytes, Event, int]]":
    """Give every path that layer `number` adds, changes, repeats or removes, with what it does there.

    The third is the later layer that replaces it or takes it away; 0 while it is seen, and for what
    is gone. Sorted as `lives`. A directory that is in the layer for what is in it alone is left out.
    Only directories that the layer touches are looked into. Raises: Corrupt.
    """

    def listing(path: bytes, found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> "Iterator[_Row]":
        return (row for row in _children(path, found, cuts) if _is_in(row, number))

    for full, found, cuts in _walk(layers, b"", listing):
        if len(found) == 1 and not cuts and found[0][0] == number:  # most paths
            yield full, Event(found[0][0], Change.ADDED, found[0][1], None), 0
            continue
        nodes = [(at, node) for at, node in found if at <= number][-2:]
        # What was there before the last version before this layer's is another layer's story.
        since = nodes[0][0] if len(nodes) > 1 else 0
        events = _events(nodes, [cut for cut in cuts if since < cut.number <= number])
        if events and events[-1].number == number:
            yield full, events[-1], _hidden_by(events[-1], found, cuts)


def hidden(layers: "Sequence[Layer]") -> "Iterator[tuple[bytes, int, Node]]":
    """Give each file of a layer that a later one has something else, or nothing, at the path of.

    With its path and its layer's number. Reads no content, so why it is so is not told. Raises: Corrupt.
    """
    for full, found, cuts in _walk(layers, b"", _touched):
        last = max((*(at for at, _ in found), *(cut.number for cut in cuts)))
        for number, node in found:
            if number < last and node.kind is Kind.FILE:
                yield full, number, node


def _is_in(row: "_Row", number: int) -> bool:
    _, found, cuts = row
    if len(found) == 1 and not cuts:
        return found[0][0] == number
    return any(at == number for at, _ in found) or any(cut.number == number for cut in cuts)


def _hidden_by(event: Event, found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> int:
    """Give the first later layer that has something else there, or nothing; 0 if none."""
    node = event.node
    if node is None:
        return 0
    goes_on = {
        at for at, other in found if node.kind is Kind.DIRECTORY and other.kind is Kind.DIRECTORY
    }
    later = {at for at, _ in found} | {cut.number for cut in cuts}
    return min((at for at in later - goes_on if at > event.number), default=0)


def _found(layers: "Sequence[Layer]", path: bytes) -> "tuple[list[tuple[int, Node]], list[_Cut]]":
    """Give what each layer has at `path`, and where what was there before goes."""
    found: list[tuple[int, Node]] = []
    cuts: list[_Cut] = []
    for number, layer in enumerate(layers, 1):
        node, by = _look(layer, path)
        if by is not None:
            cuts.append(_Cut(number, by))
        if node is not None:
            found.append((number, node))
    return found, cuts


def _listed(roots: "list[tuple[int, Node]]") -> "list[tuple[int, Node]]":
    """Leave out the roots of layers whose tars say nothing of theirs: they tell nothing new."""
    return [(number, node) for number, node in roots if not node.layer.implied_root] or roots[:1]


def _walk(layers: "Sequence[Layer]", path: bytes, listing: "_Listing") -> "Iterator[_Row]":
    """Walk at and below `path`. No recursion: trees are deep."""
    found, cuts = _found(layers, path)
    if not found:
        return
    yield path, found if path else _listed(found), cuts
    stack = [listing(path, found, cuts)]
    while stack:
        for child, nodes, above in stack[-1]:
            yield child, nodes, above
            if any(node.kind is Kind.DIRECTORY for _, node in nodes):
                stack.append(listing(child, nodes, above))
                break
        else:
            stack.pop()


def _touched(path: bytes, found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> "Iterator[_Row]":
    """Give those of `_children` that a second layer has, or takes away."""
    if len(found) > 1 or cuts:
        for row in _children(path, found, cuts):
            if len(row[1]) > 1 or row[2]:
                yield row


def _children(path: bytes, found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> "Iterator[_Row]":
    """Give each name that any layer has in a directory, what they have there, and what takes it away."""
    prefix = path + b"/" if path else b""
    names: dict[bytes, list[tuple[int, Node]]] = {}
    gone: dict[bytes, list[_Cut]] = {}
    all_go = list(cuts)
    for number, node in found:
        if node.kind is not Kind.DIRECTORY:
            all_go.append(_Cut(number, path))
            continue
        if node.opaque and len(found) + len(cuts) > 1:
            all_go.append(_Cut(number, path))
        for name, child in node.layer.listdir(node):
            if child.kind is Kind.CHARACTER and child.is_whiteout:
                gone.setdefault(name, []).append(_Cut(number, prefix + name))
            else:
                names.setdefault(name, []).append((number, child))
    for name in sorted(names):
        own = gone.get(name)
        yield prefix + name, names[name], all_go if own is None else [*all_go, *own]


def _look(layer: "Layer", path: bytes) -> "tuple[Node | None, bytes | None]":
    """Give what one layer has at `path`, and the path by which it takes away what is below."""
    node: Node = layer.root
    trail = b""
    emptied: bytes | None = None
    for name in path.split(b"/") if path else ():
        if node.kind is not Kind.DIRECTORY:
            return None, trail if emptied is None else emptied
        if node.opaque and emptied is None:  # the outermost takes away what is in the others
            emptied = trail
        trail = trail + b"/" + name if trail else name
        child = layer.child(node, name)
        if child is None:
            return None, emptied
        if child.is_whiteout:
            return None, trail if emptied is None else emptied
        node = child
    return node, emptied


def _events(found: "list[tuple[int, Node]]", cuts: list[_Cut]) -> tuple[Event, ...]:
    """Tell the story of one path, from what the layers have there and what takes it away."""
    if len(found) == 1 and not cuts:  # most paths of most images
        return (Event(found[0][0], Change.ADDED, found[0][1], None),)
    nodes = dict(found)
    going = {cut.number: cut.by for cut in sorted(cuts, key=lambda cut: len(cut.by), reverse=True)}
    events: list[Event] = []
    now: Node | None = None
    for number in sorted(nodes.keys() | going.keys()):
        node = nodes.get(number)
        if node is None:
            if now is not None:
                events.append(Event(number, Change.REMOVED, None, now, by=going[number]))
            now = None
            continue
        if now is None:
            events.append(Event(number, Change.ADDED, node, None))
        else:
            aspects = differences(now, node)
            # A directory is in every layer that has something in it.
            if aspects:
                events.append(Event(number, Change.CHANGED, node, now, aspects))
            elif node.kind is not Kind.DIRECTORY:
                events.append(Event(number, Change.REPEATED, node, now))
        now = node
    return tuple(events)


def differences(before: "Node", after: "Node") -> tuple[Aspect, ...]:
    """Say in what two versions of a path differ. Content is read only where the sizes are the same."""
    found = [*_kind_or_content(before, after)]
    if before.mode != after.mode:
        found.append(Aspect.MODE)
    if (before.uid, before.gid) != (after.uid, after.gid):
        found.append(Aspect.OWNER)
    if (before.has_xattrs or after.has_xattrs) and before.xattrs != after.xattrs:
        found.append(Aspect.ATTRIBUTES)
    if before.mtime_ns != after.mtime_ns:
        found.append(Aspect.TIME)
    return tuple(found)


def _kind_or_content(before: "Node", after: "Node") -> "Iterator[Aspect]":
    """Give what is new of what there is, rather than of how it is marked."""
    kind = before.kind
    if kind is not after.kind:
        yield Aspect.KIND
    elif kind is Kind.FILE:
        if not _is_same_content(before, after):
            yield Aspect.CONTENT
    elif kind is Kind.SYMLINK:
        if before.target != after.target:
            yield Aspect.TARGET
    elif kind is Kind.DIRECTORY:
        if after.opaque:
            yield Aspect.EMPTIED
    elif before.device_number != after.device_number:
        yield Aspect.DEVICE


def _sha256(node: "Node") -> bytes:
    import hashlib

    total = hashlib.sha256()
    for piece in node.layer.pieces(node):
        total.update(piece)
    return total.digest()


def _is_same_content(before: "Node", after: "Node") -> bool:
    if before.size != after.size:
        return False
    if before.layer is after.layer and before.nid == after.nid:
        return True
    known = before.layer.digest(before), after.layer.digest(after)
    if type(before.layer) is type(after.layer) and None not in known:
        return known[0] == known[1]
    if None in known and _SHA256 in map(len, filter(None, known)):  # one of them is elsewhere
        here, digest = (before, known[1]) if known[0] is None else (after, known[0])
        return _sha256(here) == digest
    return all(
        before.layer.read(before, at, _PIECE) == after.layer.read(after, at, _PIECE)
        for at in range(0, before.size, _PIECE)
    )
