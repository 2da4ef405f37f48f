"""Python's packages: `*.dist-info/METADATA` and RECORD, `*.egg-info`. Spec: PyPA, "Recording installed projects"."""

from lamina.study.installed import Installed, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["Python"]

_FOLDERS = (b"site-packages", b"dist-packages")


class Python:
    """The distributions in each site-packages and dist-packages."""

    kind = "pypi"

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give METADATA, or what eggs have in its place."""
        for place in (place for name in _FOLDERS for place in places.get(name, ())):
            for name, node in tree.listdir(place):
                here = place + b"/" + name
                if name.endswith(b".dist-info"):
                    yield here + b"/METADATA"
                elif name.endswith(b".egg-info"):
                    yield here if node.kind == "file" else here + b"/PKG-INFO"

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read the head of core metadata."""
        del record
        fields: dict[str, str] = {}
        for line in data.decode("utf-8", "replace").split("\n"):
            if not line.strip():
                break
            name, colon, value = line.partition(":")
            if colon and not line[0].isspace():
                fields.setdefault(name.lower(), value.strip())
        if fields.get("name"):
            licence = fields.get("license-expression") or fields.get("license", "")
            yield Installed(fields["name"], fields.get("version", ""), "", licence)

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Look the file up in the RECORD of each distribution beside it, or of its prefix's."""
        for path in names:
            for place, listed in _places(tree, path):
                for name, _ in tree.listdir(place):
                    if not name.endswith(b".dist-info"):
                        continue
                    record = b"\n" + read(tree, place + b"/" + name + b"/RECORD")
                    quoted = b'"' + listed.replace(b'"', b'""') + b'"'
                    if b"\n" + listed + b"," in record or b"\n" + quoted + b"," in record:
                        here = place + b"/" + name + b"/METADATA"
                        yield from self.packages(here, read(tree, here))


def _places(tree: "Tree", path: bytes) -> "Iterator[tuple[bytes, bytes]]":
    """Give each folder of distributions that may have brought `path`, and the path from there."""
    parts = path.split(b"/")
    for depth, name in enumerate(parts[:-1], 1):
        if name in _FOLDERS:
            yield b"/".join(parts[:depth]), b"/".join(parts[depth:])
    if len(parts) > 1 and parts[-2] in (b"bin", b"sbin"):  # a script: PREFIX/bin beside PREFIX/lib
        prefix = b"/".join(parts[:-2])
        library = prefix + b"/lib" if prefix else b"lib"
        for name, _ in tree.listdir(library):
            for folder in _FOLDERS:
                place = library + b"/" + name + b"/" + folder
                if name.startswith(b"python") and tree.lookup(place) is not None:
                    yield place, b"../../../" + parts[-2] + b"/" + parts[-1]
