"""An upper directory over layers, as overlayfs shows it: marks followed to what lies below.

Marks: the kernel's Documentation/filesystems/overlayfs.rst and fs/overlayfs/namei.c. With
`redirect_dir` a directory that a container moves stays where it is in the layers; in the upper one
stands an empty directory that says from where (`redirect`). With `metacopy` a file of which only
the owner, mode, time or attributes changed is there without content (`metacopy`), and when it was
moved or linked, says where that is. A redirect begins with `/`: a path of the layers from their
root; or it is a name in what lies below the directory that has it. Nothing but the layers of this
union is ever looked at, by names alone: no symlink is followed, `..` is refused, what a whiteout of
a higher layer hides stays hidden.
"""

from lamina.errors import Corrupt
from lamina.layer.entry import Kind
from lamina.layer.upper import is_whiteout
from lamina.layer.view import merged_child, merged_children
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from lamina.layer.node import Node
    from lamina.layer.upper import Marks, Upper
    from lamina.layer.view import Tree

__all__ = ["Member", "Union", "UpperCorrupt"]

_Pile = tuple["Node", ...]


class UpperCorrupt(Corrupt):
    """A container's writable layer has marks that lead nowhere; its programs see errors as well."""

    def __init__(self, path: bytes, what: str) -> None:
        super().__init__(
            f"the container's layer is damaged at /{path.decode(errors='replace')}: {what}",
            hint="copy out what you need with `lamina cp` and remove the container",
        )


class Member(NamedTuple):
    """What the union has under one name.

    `status` is that of the upper directory's own. Where it is None only layers have it: `shown`.
    """

    status: "os.stat_result | None"
    shown: _Pile


class Union:
    """Follow what the marks of an upper directory say, in the tree of the layers below it.

    `plain`: the directory is no upper one; devices in it are not whiteouts.
    """

    def __init__(self, upper: "Upper", tree: "Tree", *, plain: bool = False) -> None:
        self._upper = upper
        self._tree = tree
        self._plain = plain

    def directory(self, path: bytes, around: _Pile) -> _Pile:
        """Give the layers' directories that show through the upper directory's own at `path`.

        `around` are those that show through its parent. None: all that is in it is the container's.
        """
        marks = self._upper.marks(path)
        if marks.opaque:
            return ()
        pile = self._below(path, around, marks)
        return pile if pile and pile[0].kind is Kind.DIRECTORY else ()

    def content(self, path: bytes, around: _Pile) -> "Node | None":
        """Give the layers' file whose content an upper file shows; None if it has its own.

        `around` as for `directory`. Raises: UpperCorrupt (there is no such file).
        """
        marks = self._upper.marks(path)
        if not marks.metacopy:
            return None
        pile = self._below(path, around, marks)
        if not pile or pile[0].kind is not Kind.FILE:
            raise UpperCorrupt(path, "no layer has the file that its content is in")
        return pile[0]

    def _below(self, path: bytes, around: _Pile, marks: "Marks") -> _Pile:
        place = marks.redirect
        if place is None:
            return merged_child(around, path.rpartition(b"/")[2])
        absolute = place.startswith(b"/")
        parts = place[absolute:].split(b"/")
        if not all(parts) or b"." in parts or b".." in parts or (len(parts) > 1 and not absolute):
            raise UpperCorrupt(path, f"it leads to {place!r}")
        return self._tree.pile(place[1:]) if absolute else merged_child(around, place)

    def members(self, path: bytes, shown: _Pile, *, in_upper: bool) -> dict[bytes, Member]:
        """Give what the union has in the directory `path`, unsorted.

        `shown` are the layers' directories that show through it, `in_upper` says whether the upper
        directory has it too.
        """
        found = {name: Member(None, pile) for name, pile in merged_children(shown)}
        prefix = path + b"/" if path else b""
        for name in self._upper.names(path) if in_upper else ():
            found.pop(name, None)
            status = self._upper.status(prefix + name)
            if status is not None and (self._plain or not is_whiteout(status)):
                found[name] = Member(status, ())
        return found
