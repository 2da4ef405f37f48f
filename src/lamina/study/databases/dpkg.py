"""Debian's packages: /var/lib/dpkg/status, or a file for each in status.d, as distroless images have it.

Format: deb822(5), dpkg-query(1).
"""

from lamina.study.installed import Installed, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["Dpkg", "stanzas"]

_STATUS = b"var/lib/dpkg/status"
_SINGLE = b"var/lib/dpkg/status.d"
_INFO = b"var/lib/dpkg/info"


class Dpkg:
    """The packages that dpkg has installed; what was removed and left its settings is none."""

    kind = "deb"

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give the status file, or those of single packages."""
        del places
        if tree.lookup(_STATUS) is not None:
            yield _STATUS
        for name, _ in tree.listdir(_SINGLE):
            if not name.endswith(b".md5sums"):
                yield _SINGLE + b"/" + name

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read stanzas; in status.d they say nothing of a status."""
        for fields in stanzas(data):
            status = fields.get("Status", "" if record == _STATUS else "install ok installed")
            if fields.get("Package") and status.endswith(" installed"):
                yield Installed(
                    fields["Package"], fields.get("Version", ""), fields.get("Architecture", "")
                )

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Look the file up in each package's list."""
        lines = [b"\n/" + name + b"\n" for name in names]
        found = set()
        for name, node in tree.listdir(_INFO):
            if name.endswith(b".list"):
                data = b"\n" + node.layer.read(node) if node.kind == "file" else b""
                if any(line in data for line in lines):
                    found.add(name.removesuffix(b".list").decode("utf-8", "replace"))
        if found:
            for one in self.packages(_STATUS, read(tree, _STATUS)):
                if one.name in found or f"{one.name}:{one.architecture}" in found:
                    yield one
        sums = [b"  " + name + b"\n" for name in names]
        for name, node in tree.listdir(_SINGLE):
            if name.endswith(b".md5sums") and node.kind == "file":
                data = node.layer.read(node) + b"\n"
                if any(line in data for line in sums):
                    record = _SINGLE + b"/" + name.removesuffix(b".md5sums")
                    yield from self.packages(record, read(tree, record))


def stanzas(data: bytes) -> "Iterator[dict[str, str]]":
    """Read paragraphs of `Field: value` lines; further lines of a value are left out."""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif not line[0].isspace():
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name, value.strip())
    if fields:
        yield fields
