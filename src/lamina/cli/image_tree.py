"""`lamina images --tree`: what each name has for every platform, and what of it is used."""

from __future__ import annotations

from lamina.cli.flags import FlagInvalid
from lamina.cli.table import render
from lamina.cli.units import human_size, short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.local import ImageSummary

__all__ = ["show_tree"]

_HEADERS = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA")
_APART = ("quiet", "no-trunc", "digests", "format", "json")
_USED = "U"


def show_tree(context: Context, images: Iterable[ImageSummary], arguments: Arguments) -> None:
    """Print a line per name, newest first, and below it one per platform. Raises: FlagInvalid.

    What is not unpacked yet uses the disk by its blobs alone; `U` marks what a container stands on.
    Costs a read of each name's documents.
    """
    for flag in _APART:
        if arguments.changed(flag):
            raise FlagInvalid(f"--{flag} is not supported with --tree")
    used = {str(i) for record in context.engine.containers.records() for i in record.images}
    rows = [row for image in images for row in _rows(context, image, used)]
    context.out.write(render([_HEADERS, *rows]))


def _rows(context: Context, image: ImageSummary, used: set[str]) -> Iterator[tuple[str, ...]]:
    from lamina.engine.variants import variants
    from lamina.errors import NotFound
    from lamina.spec.reference import Reference

    for name in image.names or image.digests or ("",):
        try:
            found = variants(context.engine, name or str(image.id))
        except NotFound:  # removed meanwhile
            continue
        shown = Reference.parse(name).familiar if name else "<untagged>"
        sizes = sum(row.size for row in found), sum(row.content_size for row in found)
        extra = _USED if any(row.id in used for row in found) else ""
        yield _row(shown, str(image.id), *sizes, extra)
        for row in found:
            branch = "└─" if row is found[-1] else "├─"
            extra = _USED if row.id in used else ""
            yield _row(f"{branch} {row.platform}", row.id, row.size, row.content_size, extra)


def _row(name: str, image: str, size: int, content: int, extra: str) -> tuple[str, ...]:
    ident = short_id(image) if image else "-"
    total = human_size(size + content, precision=3)
    return name, ident, total, human_size(content, precision=3), extra
