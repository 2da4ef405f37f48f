"""`lamina inspect`: all there is to know about containers, images and so on, in docker's shapes."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.cli.inspecting import first_of, inspect_all
from lamina.cli.unreadable import ImageLookup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "container_lookup", "main"]

COMMAND = Command(
    name="inspect",
    usage="lamina inspect [OPTIONS] NAME|ID [NAME|ID...]",
    summary="Return low-level information on containers, images, networks and volumes",
    flags=(
        FORMAT_DOCUMENT,
        Flag("size", "s", kind=BOOL, help="Display total file sizes if the type is container"),
        Flag("type", help="Only inspect objects of the given type"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Look each name up among all kinds of things; `--type` asks one of them only."""
    from lamina.errors import Invalid

    images = ImageLookup(context)
    lookups: dict[str, Callable[[str], Mapping[str, object]]] = {
        "container": container_lookup(context, size=arguments.flag("size")),
        "image": images,
        "network": context.engine.networks.inspect,
        "volume": lambda name: context.engine.volumes.get(name).to_json(),
    }
    wanted = arguments.text("type")
    if wanted and wanted not in lookups:
        kinds = ", ".join(f'"{kind}"' for kind in lookups)
        raise Invalid(f'unknown type: "{wanted}": must be one of {kinds}')
    lookup = lookups[wanted] if wanted else lambda name: first_of(lookups, name)
    code = inspect_all(context, arguments.positional, lookup, form=arguments.text("format"))
    return max(code, images.code)


def container_lookup(context: Context, *, size: bool) -> Callable[[str], Mapping[str, object]]:
    """Give what inspects one container, with the bytes of its files when `size`."""

    def lookup(name: str) -> Mapping[str, object]:
        containers = context.engine.containers
        document: Mapping[str, object] = containers.inspect(name)
        if size:
            context.enter_namespace()
            same = {"id": (f"^{document['Id']}$",)}
            for row in containers.list(all=True, filters=same, size=True):
                sizes = {"SizeRw": row.size, "SizeRootFs": row.size + row.image_size}
                document = {**document, **sizes}
        return document

    return lookup
