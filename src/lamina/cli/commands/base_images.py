"""`lamina base`: the images here, and at registries, that an image was built on."""

from __future__ import annotations

from lamina.cli.flags import BOOL, INT, LIST, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.units import short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.remote_bases import Looked

__all__ = ["COMMAND", "main"]

_LIMIT = 500
COMMAND = Command(
    name="base",
    usage="lamina base [OPTIONS] IMAGE",
    summary="Show which images an image was built on",
    description=(
        "Show which images here an image was built on, the nearest first: those whose layers are the\n"
        "lowest of its own, whatever they are called. With --at also those of registries and\n"
        "repositories, of which manifests alone are read; what was not looked at is said."
    ),
    flags=(
        Flag("at", kind=LIST, help="Look at this registry, repository or image, too"),
        FORMAT,
        JSON,
        Flag(
            "limit", kind=INT, default=_LIMIT, help="Look at at most this many tags there (0: all)"
        ),
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("quiet", "q", kind=BOOL, help="Only show image IDs"),
    ),
    arity=(1, 1),
)
_LISTING = Listing(
    {
        "Name": "IMAGE",
        "ID": "IMAGE ID",
        "Layers": "LAYERS",
        "Above": "LAYERS ABOVE IT",
        "Digest": "DIGEST",
    },
    ("Name", "ID", "Layers", "Above"),
)
_SHOWN = 10


def main(arguments: Arguments, context: Context) -> int:
    """List them; 1 where something at a registry could not be read."""
    from lamina.engine.base_images import base_images
    from lamina.errors import Invalid

    name = arguments.positional[0]
    if arguments.number("limit") < 0:
        raise Invalid("--limit cannot be negative")
    count = len(context.engine.images.documents(name).config.diff_ids)
    found = [
        (one.layers, 0, one.names, str(one.id), "") for one in base_images(context.engine, name)
    ]
    looked = _look(arguments, context, name) if arguments.texts("at") else None
    found += [
        (base.layers, 1, base.names, str(base.id), str(base.digest))
        for base in (looked.bases if looked else ())
    ]
    whole = arguments.flag("no-trunc")
    rows = [
        _row(names, ident, digest, layers=layers, above=count - layers, whole=whole)
        for layers, _, names, ident, digest in sorted(found, key=lambda row: (-row[0], *row[1:]))
    ]
    show(context, _LISTING, rows, arguments)
    return _tell(looked, context) if looked else 0


def _row(
    names: tuple[str, ...], ident: str, digest: str, *, layers: int, above: int, whole: bool
) -> Row:
    shown = ", ".join(names if whole else names[:_SHOWN])
    more = 0 if whole else len(names) - _SHOWN
    return Row(
        {
            "Name": (shown + (f" and {more} more" if more > 0 else "")) or "<none>",
            "ID": ident if whole else short_id(ident),
            "Layers": str(layers),
            "Above": str(above),
            "Digest": digest,
        },
        {
            "names": list(names),
            "id": ident,
            "layers": layers,
            "above": above,
            "here": not digest,
            "digest": digest or None,
        },
    )


def _look(arguments: Arguments, context: Context, name: str) -> Looked:
    """Ask the registries; a terminal on stderr sees how far that is."""
    from lamina.engine.remote_bases import remote_bases

    def told(done: int, total: int) -> None:
        context.err.write(f"\rlooked at {done} of {total} tags\x1b[K")
        context.err.flush()

    watched = context.err.isatty()
    try:
        return remote_bases(
            context.engine,
            name,
            arguments.texts("at"),
            limit=arguments.number("limit"),
            told=told if watched else None,
        )
    finally:
        if watched:
            context.err.write("\r\x1b[K")


def _tell(looked: Looked, context: Context) -> int:
    """Say what was not looked at; give the exit code."""
    for line in looked.failed[:_SHOWN]:
        context.say(f"could not be read: {line}")
    if len(looked.failed) > _SHOWN:
        context.say(f"could not be read: {len(looked.failed) - _SHOWN} more")
    if looked.left:
        total = looked.tags + looked.left
        context.say(f"looked at {looked.tags} of {total} tags; --limit says how many")
    if looked.more:
        context.say("the registry has more repositories; name one with --at")
    return 1 if looked.failed else 0
