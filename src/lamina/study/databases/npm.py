"""JavaScript's packages: `node_modules/NAME/package.json`. Spec: npm's package.json."""

from lamina.errors import Invalid
from lamina.spec.wire import decode
from lamina.study.installed import Installed, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["Npm"]

_FOLDER = b"node_modules"


class Npm:
    """The packages in each node_modules, also in those of other packages."""

    kind = "npm"

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give each package.json one folder below node_modules, or two below a scope's."""
        for place in places.get(_FOLDER, ()):
            for name, node in tree.listdir(place):
                if node.kind != "directory" or name.startswith(b"."):
                    continue
                here = place + b"/" + name
                found = [here]
                if name.startswith(b"@"):
                    found = [here + b"/" + one for one, _ in tree.listdir(here)]
                for package in found:
                    if tree.lookup(package + b"/package.json") is not None:
                        yield package + b"/package.json"

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read name, version and licence; what is not JSON, or has no name, is no package."""
        del record
        try:
            document = decode(data)
        except Invalid:
            return
        name, version = document.get("name"), document.get("version")
        if isinstance(name, str) and name and isinstance(version, str):
            licence = document.get("license")
            yield Installed(name, version, "", licence if isinstance(licence, str) else "")

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Go up to the nearest folder in a node_modules."""
        for path in names:
            parts = path.split(b"/")
            for depth in range(len(parts) - 1, 0, -1):
                if parts[depth - 1] == _FOLDER:
                    end = depth + (2 if parts[depth].startswith(b"@") else 1)
                    record = b"/".join(parts[:end]) + b"/package.json"
                    yield from self.packages(record, read(tree, record))
                    break
