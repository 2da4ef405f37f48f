"""`lamina manifest inspect`: the document behind a name, at its registry, without pulling."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.descriptor import Descriptor

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="manifest inspect",
    usage="lamina manifest inspect [OPTIONS] NAME[:TAG|@DIGEST]",
    summary="Display an image manifest, or manifest list, from its registry",
    flags=(
        Flag(
            "insecure", kind=BOOL, hidden=True
        ),  # docker's; loopback and named ones are plain here
        Flag("raw", kind=BOOL, help="Print the bytes as the registry sent them"),
        Flag("verbose", "v", kind=BOOL, help="Also say the digest, type and size it has there"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print the document; its bytes were checked against their digest."""
    from lamina.engine.lists import Lists, ListUnknown
    from lamina.spec.manifest import parse_manifest
    from lamina.spec.wire import decode, encode_pretty

    name = arguments.positional[0]
    try:  # a list that is being put together here is looked at before it is pushed
        raw = Lists(context.engine).document(name)
        descriptor = parse_manifest(raw).descriptor
    except ListUnknown:
        descriptor, raw = context.engine.images.manifest(name)
    if arguments.flag("raw"):
        context.binary_out.write(raw)
        context.binary_out.flush()
        return 0
    document = decode(raw, what=f"manifest of {name}")
    if arguments.flag("verbose"):
        document = {"Ref": name, "Descriptor": _described(descriptor), "Manifest": document}
    context.print(encode_pretty(document, indent="\t"))
    return 0


def _described(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
