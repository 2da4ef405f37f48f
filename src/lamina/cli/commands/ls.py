"""`lamina ls`: the files of an image or container, without running, mounting or unpacking it."""

from __future__ import annotations

import os

from lamina.cli.file_names import columns, quoted
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.image_paths import ImagePath, PathMissing, TooManyLinks, Trees
from lamina.cli.studying import REMOTE
from lamina.errors import Corrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lamina.cli.context import Context
    from lamina.cli.file_rows import FileRow, LongForm, Owners
    from lamina.cli.flags import Arguments
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.view import Tree

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="ls",
    usage="lamina ls [OPTIONS] IMAGE|CONTAINER[:/PATH] [IMAGE|CONTAINER[:/PATH]...]",
    summary="List files of an image or container without running it",
    description=(
        "List files of an image or container without running it.\n"
        "Nothing is mounted or unpacked. A container's name wins over an image's; its files are\n"
        "shown as they are now, without what is mounted into it.\n"
        "With --remote, or as docker://NAME, an image is read at its registry, without pulling it.\n"
        "With --layer: what one layer adds and changes, and what it removes, as .wh.NAME."
    ),
    flags=(
        Flag("all", "a", kind=BOOL, help="Show names that begin with a dot, . and .. too"),
        Flag("almost-all", "A", kind=BOOL, help="Show names that begin with a dot"),
        Flag("directory", "d", kind=BOOL, help="Show directories themselves, not what is in them"),
        Flag("full-time", kind=BOOL, help="Like -l, with times to the nanosecond"),
        Flag("human-readable", "h", kind=BOOL, help="With -l, sizes like 1.2K and 34M"),
        Flag("json", kind=BOOL, help="Print one JSON array with exact numbers"),
        Flag("layer", help="Show one layer: its number from the bottom, or its diff ID or digest"),
        Flag("long", "l", kind=BOOL, help="Show mode, owner, size and time of each file"),
        Flag("numeric-uid-gid", "n", kind=BOOL, help="Like -l, with owners as numbers"),
        Flag("one", "1", kind=BOOL, help="One name a line, as always where no terminal reads"),
        REMOTE[0],
        Flag("recursive", "R", kind=BOOL, help="Show what is in directories below, too"),
        REMOTE[1],
        Flag("reverse", "r", kind=BOOL, help="Sort the other way round"),
        Flag("size", "S", kind=BOOL, help="Sort by size, largest first"),
        Flag("time", "t", kind=BOOL, help="Sort by time, newest first"),
    ),
    arity=(1, None),
)
_MISSING = 2  # ls's code for a file named on the command line that is not there


def main(arguments: Arguments, context: Context) -> int:
    """List files first and then directories, as ls does; 2 where a path is missing, 1 for damage."""
    places = [ImagePath(word) for word in arguments.positional]
    with Trees(context, arguments) as trees:
        listing = _List(arguments, context, trees)
        try:
            code = listing.run(places)
        except Corrupt:  # an index, where it was first looked at
            if listing.has_begun:
                raise
            helped = [trees.salvage(name) for name in {place.name: 0 for place in places}]
            if not any(helped):
                raise
            code = _List(arguments, context, trees).run(places)
        return max(code, trees.code)


class _Found:
    """What one word means: the tree, the path in it, and what is there."""

    __slots__ = ("layer", "node", "path", "place", "tree")

    def __init__(
        self, place: ImagePath, tree: Tree, path: bytes, node: Node, layer: SealedLayer | None
    ) -> None:
        self.place = place
        self.tree = tree
        self.path = path
        self.node = node
        self.layer = layer


class _List:
    """One run of the command."""

    def __init__(self, arguments: Arguments, context: Context, trees: Trees) -> None:
        self._arguments = arguments
        self._context = context
        self._trees = trees
        self._long = any(arguments.flag(n) for n in ("long", "full-time", "numeric-uid-gid"))
        self._terminal = context.is_terminal
        self._unicode = context.unicode
        self._several = False
        self._begun = False
        self.has_begun = False
        self._known_owners: dict[Tree, Owners] = {}
        self._documents: list[dict[str, object]] = []

    def run(self, places: Sequence[ImagePath]) -> int:
        from lamina.layer.entry import Kind

        code = 0
        found: list[_Found] = []
        for place in places:
            try:
                found.append(self._find(place))
            except PathMissing as error:
                code = _MISSING
                self._context.say(f"lamina: {error.message}")
                if error.hint:
                    self._context.say(f"hint: {error.hint}")
        self._several = len({one.place.name for one in found}) > 1
        whole = self._arguments.flag("directory")
        files = [one for one in found if whole or one.node.kind is not Kind.DIRECTORY]
        folders = [one for one in found if one not in files]
        if files:
            self._show_files(files)
        headed = len(places) > 1 or self._arguments.flag("recursive")
        for one in folders:
            self._show_folder(one, headed=headed)
        if self._arguments.flag("json"):
            from lamina.cli.formats import show_json

            show_json(self._context, self._documents)
        return code

    def _find(self, place: ImagePath) -> _Found:
        wanted = self._arguments.text("layer")
        layer = self._trees.layer(place.name, wanted) if wanted else None
        follow = not (self._long or self._arguments.flag("directory"))
        if layer is None:
            try:
                tree, path, node = self._trees.find(place, follow=follow)
            except PathMissing as error:
                if not follow or isinstance(error, TooManyLinks):
                    raise
                tree, path, node = self._trees.find(place, follow=False)  # a link that dangles
            return _Found(place, tree, path, node, None)
        path = b"/".join(part for part in place.raw.split(b"/") if part not in (b"", b"."))
        below = layer.lookup(path)
        if below is None:
            number = self._arguments.text("layer")
            raise PathMissing(
                f"{place.text}: layer {number} says nothing of it",
                hint="without --layer, the files of all layers are shown",
            )
        return _Found(place, self._trees.of(place.name), path, below, layer)

    def _show_files(self, files: Sequence[_Found]) -> None:
        from lamina.cli.file_rows import FileRow

        for name in dict.fromkeys(one.place.name for one in files):
            group = [one for one in files if one.place.name == name]
            rows = [
                FileRow(
                    os.fsencode(self._shown(one.place)), one.node, whiteout=one.node.is_whiteout
                )
                for one in group
            ]
            self._print(rows, [b"/" + one.path for one in group], group[0].tree)
        self._begun = True

    def _shown(self, place: ImagePath) -> str:
        return place.text if self._several else place.path

    def _show_folder(self, one: _Found, *, headed: bool) -> None:
        """Show what is in one directory, and below it with -R."""
        from lamina.layer.entry import Kind

        start = os.fsencode(self._shown(one.place)).rstrip(b"/") or b"/"
        stack = [(start, one.path, one.node)]
        while stack:
            shown, path, node = stack.pop()
            rows = self._rows(one, path, node)
            if headed and not self._arguments.flag("json"):
                self._write(b"\n" * self._begun + self._quoted(shown) + b":\n")
            self._begun = True
            if self._long and not self._arguments.flag("json"):
                self._write(self._form(one.tree).total(rows).encode() + b"\n")
            self._print(rows, [b"/" + _joined(path, row.name) for row in rows], one.tree)
            if self._arguments.flag("recursive"):
                below = [
                    (shown.rstrip(b"/") + b"/" + row.name, _joined(path, row.name), row.node)
                    for row in rows
                    if row.node.kind is Kind.DIRECTORY and row.name not in (b".", b"..")
                ]
                stack += reversed(below)

    def _rows(self, one: _Found, path: bytes, node: Node) -> list[FileRow]:
        from lamina.cli.file_rows import FileRow

        if one.layer is not None:
            rows = _changeset(one.layer, node)
        else:
            rows = [FileRow(name, child) for name, child in one.tree.listdir(path)]
        flag = self._arguments.flag
        if not (flag("all") or flag("almost-all")):
            rows = [row for row in rows if row.whiteout or not row.name.startswith(b".")]
        if flag("all") and not flag("json"):
            above = one.tree.lookup(path.rpartition(b"/")[0]) or node
            rows = [FileRow(b".", node), FileRow(b"..", above), *rows]
        key = self._key()
        if key is not None:
            rows.sort(key=key)
        if flag("reverse"):
            rows.reverse()
        return rows

    def _key(self) -> Callable[[FileRow], int] | None:
        if self._arguments.flag("size"):
            return lambda row: -row.node.size
        if self._arguments.flag("time"):
            return lambda row: -row.node.mtime_ns
        return None

    def _print(self, rows: Sequence[FileRow], paths: Sequence[bytes], tree: Tree) -> None:
        from lamina.cli.file_rows import document

        if self._arguments.flag("json"):
            owners = self._owners(tree)
            self._documents += [
                document(row, path, owners) for row, path in zip(rows, paths, strict=True)
            ]
        elif self._long:
            lines = zip(self._form(tree).lines(rows), rows, strict=True)
            self._write(b"".join(before.encode() + self._long_name(row) for before, row in lines))
        elif self._terminal and not self._arguments.flag("one"):
            names = [quoted(row.name, unicode=self._unicode) for row in rows]
            lines_of_names = columns(names, self._context.size()[0])
            self._write("".join(f"{line}\n" for line in lines_of_names).encode())
        else:
            self._write(b"".join(self._quoted(row.name) + b"\n" for row in rows))

    def _long_name(self, row: FileRow) -> bytes:
        name = self._quoted(row.name)
        if row.node.kind.value == "symlink":
            name += b" -> " + self._quoted(row.node.target)
        return name + b"\n"

    def _owners(self, tree: Tree) -> Owners:
        from lamina.cli.file_rows import Owners

        if tree not in self._known_owners:
            self._known_owners[tree] = Owners(tree)
        return self._known_owners[tree]

    def _form(self, tree: Tree) -> LongForm:
        from lamina.cli.file_rows import LongForm

        return LongForm(
            self._owners(tree),
            self._context.now(),
            sizes_for_people=self._arguments.flag("human-readable"),
            numeric=self._arguments.flag("numeric-uid-gid"),
            full_time=self._arguments.flag("full-time"),
        )

    def _quoted(self, name: bytes) -> bytes:
        """Make a name safe for a terminal; a program gets its bytes as they are."""
        return quoted(name, unicode=self._unicode).encode() if self._terminal else name

    def _write(self, data: bytes) -> None:
        self.has_begun = True
        self._context.binary_out.write(data)


def _changeset(layer: SealedLayer, directory: Node) -> list[FileRow]:
    """List what one layer says of a directory, under the names its tar has."""
    from lamina.cli.file_rows import FileRow

    rows = [
        FileRow(b".wh." + name, child, whiteout=True) if child.is_whiteout else FileRow(name, child)
        for name, child in layer.listdir(directory)
    ]
    if directory.opaque:
        rows.append(FileRow(b".wh..wh..opq", directory, whiteout=True))
    rows.sort(key=lambda row: row.name)
    return rows


def _joined(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
