"""`lamina images`: what is on this machine, one line per name, newest first."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.units import ago, calendar, human_size, short_id, since_epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.local import ImageSummary

__all__ = ["COMMAND", "main"]

NONE = "<none>"
COMMAND = Command(
    name="images",
    usage="lamina images [OPTIONS] [REPOSITORY[:TAG]]",
    summary="List images",
    flags=(
        Flag("all", "a", kind=BOOL, help="Show all images (default hides intermediate images)"),
        Flag("digests", kind=BOOL, help="Show digests"),
        Flag("filter", "f", kind=FILTER, help="Filter output based on conditions provided"),
        FORMAT,
        JSON,
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("quiet", "q", kind=BOOL, help="Only show image IDs"),
        Flag("tree", kind=BOOL, help="List the platforms of each image below it"),
    ),
    arity=(0, 1),
)
_HEADERS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
_COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
_COLUMNS_WITH_DIGESTS = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")


def main(arguments: Arguments, context: Context) -> int:
    """List. Costs one read of the store's index unless a filter looks into images."""
    images = context.engine.images.list()
    if not arguments.flag("all"):
        parents = {image.parent for image in images if image.parent}
        images = tuple(i for i in images if i.names or i.digests or str(i.id) not in parents)
    filters = arguments.filters()
    if arguments.positional:
        filters = {**filters, "reference": (*filters.get("reference", ()), *arguments.positional)}
    if filters:
        from lamina.cli.image_filters import choose

        images = choose(context, images, filters)
    if arguments.flag("tree"):
        from lamina.cli.image_tree import show_tree

        show_tree(context, images, arguments)
        return 0
    form = arguments.text("format")
    digests = arguments.flag("digests")
    rows = [
        _row(context, image, name, digest, whole=arguments.flag("no-trunc"))
        for image in images
        for name, digest in _names(image, digests=digests or ".Digest" in form)
    ]
    if arguments.flag("quiet") and not form:
        rows = list({str(row.cells["ID"]): row for row in rows}.values())
    show(
        context, Listing(_HEADERS, _COLUMNS_WITH_DIGESTS if digests else _COLUMNS), rows, arguments
    )
    return 0


def _names(image: ImageSummary, *, digests: bool) -> Iterator[tuple[tuple[str, str], str]]:
    """Give ((repository, tag), digest) of every line an image gets."""
    known = [(_familiar(name), digest) for name, _, digest in _digested(image)]
    tagged = [_split(name) for name in image.names]
    for repository, tag in tagged:
        own = [digest for name, digest in known if name == repository] if digests else []
        for digest in own or [NONE]:
            yield (repository, tag), digest
    repositories = {repository for repository, _ in tagged}
    lonely = [(name, digest) for name, digest in known if name not in repositories]
    seen = set()
    for repository, digest in lonely:
        line = (repository, digest if digests else NONE)
        if line not in seen:
            seen.add(line)
            yield (repository, NONE), line[1]
    if not tagged and not lonely:
        yield (NONE, NONE), NONE


def _digested(image: ImageSummary) -> list[tuple[str, str, str]]:
    return [name.partition("@") for name in image.digests]


def _split(name: str) -> tuple[str, str]:
    """Cut a canonical `registry/repository:tag` into its familiar name and its tag."""
    repository, _, tag = name.rpartition(":")
    return _familiar(repository), tag


def _familiar(repository: str) -> str:
    """Shorten as `Reference.familiar_name`, without parsing what the store wrote itself."""
    return repository.removeprefix("docker.io/library/").removeprefix("docker.io/")


def _row(
    context: Context, image: ImageSummary, name: tuple[str, str], digest: str, *, whole: bool
) -> Row:
    repository, tag = name
    created = since_epoch(image.created)
    return Row(
        {
            "Containers": "N/A",
            "CreatedAt": calendar(created) if created else "N/A",
            "CreatedSince": ago(created, context.now()),
            "Digest": digest,
            "ID": str(image.id) if whole else short_id(image.id),
            "Repository": repository,
            "SharedSize": "N/A",
            "Size": human_size(image.size, precision=3),
            "Tag": tag,
            "UniqueSize": "N/A",
            "VirtualSize": human_size(image.size),
        },
        {
            "id": str(image.id),
            "repository": None if repository == NONE else repository,
            "tag": None if tag == NONE else tag,
            "digest": None if digest == NONE else digest,
            "created": image.created,
            "size": image.size,
            "parent": image.parent or None,
        },
    )
