"""Alpine's packages: the file `installed` of apk. Format: apk's own, a letter and a colon before each value."""

from lamina.study.installed import Installed, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["Apk"]

_PLACES = (b"lib/apk/db/installed", b"usr/lib/apk/db/installed")


class Apk:
    """The packages that apk has installed."""

    kind = "apk"

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give the database, in its old place or its new one."""
        del places
        for place in _PLACES:
            if read(tree, place):
                yield place
                return

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read paragraphs."""
        del record
        for paragraph in data.decode("utf-8", "replace").split("\n\n"):
            fields = {
                line[0]: line[2:] for line in reversed(paragraph.split("\n")) if line[1:2] == ":"
            }
            if fields.get("P"):
                yield Installed(
                    fields["P"], fields.get("V", ""), fields.get("A", ""), fields.get("L", "")
                )

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Look the file up among each package's folders (F:) and the files in them (R:)."""
        wanted = [name.rpartition(b"/") for name in names]
        for record in self.records(tree, {}):
            for paragraph in read(tree, record).split(b"\n\n"):
                for folder, _, name in wanted:
                    if b"\nR:" + name + b"\n" in paragraph + b"\n" and _has(
                        paragraph, folder, name
                    ):
                        yield from self.packages(record, paragraph)


def _has(paragraph: bytes, folder: bytes, name: bytes) -> bool:
    here = b""
    for line in paragraph.split(b"\n"):
        if line.startswith(b"F:"):
            here = line[2:]
        elif line == b"R:" + name and here == folder:
            return True
    return False
