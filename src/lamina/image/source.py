"""Where images come from: a `Protocol` with one implementation per kind of place.

Every place answers two questions, so one `receive` serves pull and load alike.
"""

from contextlib import AbstractContextManager

from lamina.errors import NotFound, Unsupported
from lamina.events import DocumentRead
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.stream.verify import Readable
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.events import Witness
    from lamina.spec.digest import Digest
    from lamina.spec.platform import Platform

__all__ = ["ImageSource", "PlatformUnavailable", "choose_manifest", "refuse_artifact"]

_DEEPEST_INDEX = 4


class PlatformUnavailable(NotFound):
    """The index offers no image for the wanted platform."""


class ImageSource(Protocol):
    """A place that holds one image under a name (or one of its platforms)."""

    def manifest(self, digest: "Digest | None") -> tuple[Descriptor, bytes]:
        """Give the named manifest (None) or one of its children, bytes as they are kept.

        The bytes match the descriptor: the implementation verifies. Raises: NotFound, Corrupt.
        """

    def blob(self, descriptor: Descriptor, offset: int = 0) -> AbstractContextManager[Readable]:
        """Open a blob at `offset` bytes. The caller verifies and closes. Raises: NotFound."""

    def referrers(self, digest: "Digest") -> tuple[Descriptor, ...]:
        """List the manifests here that are attached to a manifest: signatures, lists of contents."""

    def stop(self) -> None:
        """Make reads that are under way in other threads fail soon; the source is done with."""


def choose_manifest(
    source: ImageSource, platform: "Platform", *, name: str, witness: "Witness | None" = None
) -> tuple[Descriptor, Manifest]:
    """Resolve the name to one image for `platform`; also give the descriptor of what was named.

    `witness` hears of each document on the way. Nested indexes are followed four deep; attestations (`unknown/unknown`) are never chosen.
    Raises: PlatformUnavailable (the message lists what there is), Unsupported (schema 1).
    """
    top, raw = source.manifest(None)
    document = parse_manifest(raw, top.media_type)
    if witness is not None:
        witness(DocumentRead(document))
    for _ in range(_DEEPEST_INDEX):
        if isinstance(document, Manifest):
            return top, document
        child = _child(document, platform, name)
        descriptor, raw = source.manifest(child.digest)
        document = parse_manifest(raw, descriptor.media_type)
        if witness is not None:
            witness(DocumentRead(document))
    if isinstance(document, Manifest):
        return top, document
    raise Unsupported(f"{name}: indexes are nested more than {_DEEPEST_INDEX} deep")


def refuse_artifact(manifest: Manifest, *, name: str) -> None:
    """Let images pass. Raises: Unsupported (its configuration is no image's)."""
    kind = manifest.config.media_type
    if kind not in MediaType.CONFIGS:
        raise Unsupported(
            f"{name} is an artifact ({manifest.artifact_type or kind}), not a container image",
            hint="artifacts have no file system to pull; use a tool made for its type",
        )


def _child(index: Index, platform: "Platform", name: str) -> Descriptor:
    offered = [row for row in index.manifests if row.platform and row.platform.os != "unknown"]
    best = platform.choose(row.platform for row in offered if row.platform)
    if best is not None:
        return next(row for row in offered if row.platform == best)
    if len(index.manifests) == 1 and index.manifests[0].platform is None:
        return index.manifests[0]
    there = ", ".join(sorted({str(row.platform) for row in offered})) or "nothing that runs"
    raise PlatformUnavailable(
        f"no matching manifest for {platform} in the manifest list entries of {name}",
        hint=f"it offers {there}; choose one with --platform",
    )
