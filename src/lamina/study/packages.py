"""The packages of an image, which layer brought each, and which package brought a file."""

from lamina.errors import Invalid
from lamina.layer.entry import Kind
from lamina.layer.view import Tree
from lamina.study.databases.apk import Apk
from lamina.study.databases.dpkg import Dpkg
from lamina.study.databases.npm import Npm
from lamina.study.databases.python import Python
from lamina.study.databases.rpm import Rpm
from lamina.study.installed import PLACES, Installed
from lamina.study.lives import life
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lamina.layer.node import Layer
    from lamina.study.installed import Database

__all__ = ["Package", "owners", "packages"]

_DATABASES: "tuple[Database, ...]" = (Dpkg(), Apk(), Rpm(), Python(), Npm())


@dataclass(frozen=True, slots=True)
class Package:
    """One package of one version.

    `kind` is `deb`, `apk`, `rpm`, `pypi` or `npm`. `number` is the layer since which it is there in
    this version, 0 where nobody asked; `record` the path of what says that it is.
    """

    kind: str
    name: str
    version: str
    architecture: str
    licence: str
    number: int
    record: bytes


def packages(
    layers: "Sequence[Layer]",
    *,
    numbered: bool = True,
    folders: "Iterable[bytes] | None" = None,
) -> tuple[Package, ...]:
    """Give every package that the union of `layers` has, by kind, name, version and record.

    Where they are not to be `numbered` each record is read once, as it is seen at the top.
    `folders` are those that `study.places` finds, where they are known. Costs a walk through the directories, and reading each layer's version of each database. A
    database that cannot be read is as one that is not there. Raises: Corrupt.
    """
    tree = Tree.of(layers)
    places = _places((folder for folder, _ in tree.folders()) if folders is None else folders)
    found: list[Package] = []
    for database in _DATABASES:
        for record in database.records(tree, places):
            if numbered:
                since = _since(layers, database, record)
            else:
                since = dict.fromkeys(_now(tree, database, record), 0)
            found += [
                Package(database.kind, *one, number=number, record=record)
                for one, number in since.items()
            ]
    return tuple(sorted(found, key=lambda one: (one.kind, one.name, one.version, one.record)))


def owners(tree: Tree, path: bytes) -> tuple[Package, ...]:
    """Give the packages that brought `path` (normal), those of the system first. `number` is 0.

    A path below a directory that a symlink in the root stands for (/bin, /lib) is looked for under
    both names, as managers list what they were told.
    """
    names = (path, *_aliases(tree, path))
    found = []
    for database in _DATABASES:
        try:
            for one in database.owners(tree, names):
                package = Package(database.kind, *one, number=0, record=b"")
                if package not in found:
                    found.append(package)
        except Invalid:  # a damaged database owns nothing
            continue
    return tuple(found)


def _since(layers: "Sequence[Layer]", database: "Database", record: bytes) -> dict[Installed, int]:
    """Give the packages of a record, each with the layer since which it is there without a break."""
    since: dict[Installed, int] = {}
    for event in life(layers, record):
        now: tuple[Installed, ...] = ()
        if event.node is not None and event.node.kind is Kind.FILE:
            now = _read(database, record, event.node.layer.read(event.node))
        since = {one: since.get(one, event.number) for one in now}
    return since


def _now(tree: Tree, database: "Database", record: bytes) -> tuple[Installed, ...]:
    """Give the packages of a record as it is seen; nothing where it is no file."""
    node = tree.lookup(record)
    if node is None or node.kind is not Kind.FILE:
        return ()
    return _read(database, record, node.layer.read(node))


def _read(database: "Database", record: bytes, data: bytes) -> tuple[Installed, ...]:
    try:
        return tuple(database.packages(record, data))
    except Invalid:
        return ()


def _places(folders: "Iterable[bytes]") -> dict[bytes, list[bytes]]:
    """Find the folders that packages of languages lie in; each by the path it has, not by links."""
    found: dict[bytes, list[bytes]] = {}
    for folder in folders:
        name = folder.rpartition(b"/")[2]
        if name in PLACES:
            found.setdefault(name, []).append(folder)
    for rows in found.values():
        rows.sort()
    return found


def _aliases(tree: Tree, path: bytes) -> "Iterator[bytes]":
    """Give the other names of `path` through symlinks in the root, as /bin is /usr/bin."""
    for name, node in tree.listdir(b""):
        if node.kind is Kind.SYMLINK:
            target = node.target.strip(b"/") + b"/"
            if path.startswith(target):
                yield name + b"/" + path.removeprefix(target)
