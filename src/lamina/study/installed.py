"""One package as its manager's database has it, and what a database has to offer."""

from lamina.values import NamedTuple, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["PLACES", "Database", "Installed", "read"]

PLACES = (b"site-packages", b"dist-packages", b"node_modules")
"""Names of the folders that packages of languages lie in, wherever those are."""

_LIMIT = 64 * 1024 * 1024


class Installed(NamedTuple):
    """A package: `licence` as its manager spells it, empty where it says nothing."""

    name: str
    version: str
    architecture: str = ""
    licence: str = ""


class Database(Protocol):
    """What one package manager keeps in an image. `kind` is the type in package URLs."""

    kind: str

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give the paths of its files in `tree`. `places` are the folders named as in `PLACES`."""

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read one of those files. Raises: Invalid (it is not as the manager writes it)."""

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Give the packages that brought a file; `names` are the paths it may be listed under."""


def read(tree: "Tree", path: bytes) -> bytes:
    """Give the content of a file that may not be there, or be none: then it is empty."""
    from lamina.layer.entry import Kind

    node = tree.lookup(path)
    if node is None or node.kind is not Kind.FILE:
        return b""
    return node.layer.read(node, 0, _LIMIT)
