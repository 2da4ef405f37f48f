"""What a tar leaves for the layers below to say: its unlisted directories, and links into them."""

from collections.abc import Iterator, Sequence

from lamina.layer.entry import EntryInvalid, Kind
from lamina.layer.node import Layer, Node
from lamina.layer.tree import Directory, LayerTree, Shared, clean_xattrs
from lamina.layer.view import Tree, merged_child

__all__ = ["adopt", "bind", "stated", "unlisted"]

_MOST = 64 * 1024
_MOST_PUT_TOGETHER = 16 * 1024 * 1024
_Pile = tuple[Node, ...]


class _Place:
    """The place of a directory in the layers below, looked up only if somebody asks."""

    __slots__ = ("found", "name", "parent")

    def __init__(self, parent: "_Place | None", name: bytes, found: _Pile | None = None) -> None:
        self.parent = parent
        self.name = name
        self.found = found

    def pile(self) -> _Pile:
        """Give what makes up this directory there, topmost first; nothing if it is none."""
        waiting: list[_Place] = []
        place: _Place | None = self
        while place is not None and place.found is None:
            waiting.append(place)
            place = place.parent
        pile = () if place is None or place.found is None else place.found
        for lower in reversed(waiting):
            pile = merged_child(pile, lower.name)
            if pile and pile[0].kind is not Kind.DIRECTORY:
                pile = ()
            lower.found = pile
        return pile


def adopt(root: Directory, below: Tree) -> None:
    """Give directories that the tar does not list what the layers below say of them; not the root.

    Paths are not put together: a nest of thousands of directories costs what it holds.
    """
    stack = [(root, _Place(None, b"", below.pile(b"")))]
    while stack:
        directory, place = stack.pop()
        if not directory.listed and directory is not root and (pile := place.pile()):
            node = pile[0]
            directory.mode, directory.uid, directory.gid = node.mode, node.uid, node.gid
            directory.mtime_ns = node.mtime_ns
            directory.xattrs = clean_xattrs(node.xattrs, Kind.DIRECTORY)
        for name, child in directory.children.items():
            if isinstance(child, Directory):
                stack.append((child, _Place(place, name)))


def unlisted(root: Directory) -> list[bytes] | None:
    """Give the paths of the directories that `adopt` asks about, sorted; None: they take more than 64 KiB."""
    found: list[bytes] = []
    size = put_together = 0
    stack = [(root, b"")]
    while stack:
        directory, prefix = stack.pop()
        for name, child in directory.children.items():
            if isinstance(child, Directory):
                path = prefix + name
                if not child.listed:
                    found.append(path)
                    size += len(path)
                put_together += len(path)
                if size > _MOST or put_together > _MOST_PUT_TOGETHER:
                    return None
                stack.append((child, path + b"/"))
    return sorted(found)


def stated(layers: Sequence[Layer], path: bytes, *, most: int) -> tuple[Node | None, int]:
    """Give the directory whose attributes `adopt` takes for `path`, and how many names were looked up.

    Looks no deeper than at the layer that has it, and ends where `most` names were.
    """
    count = 0
    for layer in reversed(layers):
        node: Node = layer.root
        hides = False
        for name in path.split(b"/"):
            hides |= node.opaque
            count += 1
            child = layer.child(node, name)
            if child is None:
                break
            if child.kind is not Kind.DIRECTORY:
                return None, count
            node = child
        else:
            return node, count
        if hides or count >= most:
            break
    return None, count


def bind(tree: LayerTree, below: Tree) -> Iterator[tuple[Shared, Node]]:
    """Find the targets of the hard links that came before them; give those that lie below.

    As extraction would: what a lower layer has under that name at that moment is meant, and only
    where there is none an entry that comes later. Raises: EntryInvalid (a link to nothing).
    """
    for shared in tree.pending:
        if shared.alias is not None or shared.inode is not None:
            continue
        chain = [shared]
        end, node = _follow(chain, tree, below)
        if node is not None:
            yield end, node
        for link in chain:
            if link is not end:
                link.alias = end.final()


def _follow(chain: list[Shared], tree: LayerTree, below: Tree) -> tuple[Shared, Node | None]:
    """Lengthen `chain` by the links that wait too; give the last, or the entry they wait for."""
    seen = {id(chain[0])}
    while True:
        node = below.lookup(chain[-1].target)
        if node is not None and node.kind is not Kind.DIRECTORY:
            return chain[-1], node
        target = tree.share(chain[-1].target)
        if target is None or id(target) in seen:
            raise _missing(chain[-1], node)
        if target.inode is not None:
            return target, None
        chain.append(target)
        seen.add(id(target))


def _missing(shared: Shared, node: Node | None) -> EntryInvalid:
    what = "a directory" if node is not None else "in neither this layer nor those below"
    return EntryInvalid(
        f"hard link {shared.path.decode(errors='replace')!r} points to "
        f"{shared.target.decode(errors='replace')!r}, which is {what}",
        hint="the layer needs the layers it was built on",
    )
