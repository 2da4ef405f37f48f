"""`lamina hub scrub`: read every blob of this machine's hub again, and bring anew what is not well."""

from __future__ import annotations

from lamina.cli.flags import BYTES, LIST, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import PLACES, opened, settings_of
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.scrub import Finding, Scrubbed, Scrubber
    from lamina.remote.blobs import BlobReader
    from lamina.spec.digest import Digest

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub scrub",
    usage="lamina hub scrub [OPTIONS]",
    summary="Read every blob again, and say which are damaged or missing",
    description="Read every blob again, and say which are damaged or missing.\n"
    "The hub may run meanwhile. What is not well is not served: the next push brings it anew.",
    flags=(
        *PLACES,
        JSON,
        Flag("rate", kind=BYTES, help="Bytes to read in a second (default: as quick as it goes)"),
        Flag(
            "repair-from",
            kind=LIST,
            value="HOST[:PORT]",
            help="Bring what is not well from a registry with the same repositories",
        ),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Read and repair; 1 where blobs are not well in the end, which are named."""
    with opened(settings_of(arguments, context)) as (database, storage):
        from lamina.hub.scrub import Scrubber

        scrubber = Scrubber(database, storage, clock=context.now)
        done = scrubber.run(rate=arguments.number("rate"))
        mended = [
            digest
            for registry in arguments.texts("repair-from")
            for digest in _repair(scrubber, registry, context)
        ]
        left = scrubber.findings()
    _tell(done, mended, left, arguments, context)
    return 1 if left else 0


def _repair(scrubber: Scrubber, registry: str, context: Context) -> tuple[str, ...]:
    from lamina.remote.client import Client
    from lamina.remote.repository import Repository
    from lamina.spec.descriptor import Descriptor

    host = registry.partition("://")[2] or registry
    with Client(context.settings) as client:

        def fetch(name: str, digest: Digest, size: int) -> BlobReader:
            found = Descriptor("application/octet-stream", digest, size)
            return Repository(client, host.rstrip("/"), name).blob(found)

        return scrubber.repair(fetch)


def _tell(
    done: Scrubbed,
    mended: list[str],
    left: tuple[Finding, ...],
    arguments: Arguments,
    context: Context,
) -> None:
    if arguments.flag("json"):
        rows = [
            {
                "digest": each.blob.digest, "size": each.blob.size, "damage": each.blob.damage,
                "repositories": list(each.repositories),
            }
            for each in left
        ]  # fmt: skip
        show_json(
            context, {"blobs": done.blobs, "size": done.size, "mended": mended, "damaged": rows}
        )
        return
    context.print(f"{done.blobs} blobs read ({human_size(done.size)})")
    for digest in mended:
        context.print(f"mended   {digest}")
    for each in left:
        places = ", ".join(each.repositories) or "no repository"
        context.print(f"{each.blob.damage:<9}{each.blob.digest}  in {places}")
    if left:
        context.say("Push these images again, or name a registry that has them: --repair-from")
