"""What an answer says of the manifest it brings, and whether that is true. Pure functions."""

from lamina.errors import Invalid
from lamina.remote.errors import ResponseInvalid
from lamina.remote.messages import Response, without_query
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, DigestInvalid
from lamina.spec.wire import decode
from lamina.stream.verify import DigestMismatch, Hasher

__all__ = ["described", "media_type_of", "parse_digest", "verify"]

_PAGES = ("text/html", "application/xhtml+xml")
_VAGUE_TYPES = ("", "text/plain", "application/json", "application/octet-stream")


def described(response: Response) -> Descriptor | None:
    """Read a HEAD response; None when it does not say enough."""
    digest = parse_digest(response.header("Docker-Content-Digest"))
    media_type = response.header("Content-Type").partition(";")[0].strip()
    length = response.header("Content-Length")
    if digest is None or media_type in (*_VAGUE_TYPES, *_PAGES) or not length.isdigit():
        return None
    return Descriptor(media_type, digest, int(length))


def media_type_of(response: Response, raw: bytes) -> str:
    """Give the type the transport said; where that is vague, what the document says or looks like."""
    said = response.header("Content-Type").partition(";")[0].strip().lower()
    if said not in (*_VAGUE_TYPES, *_PAGES):
        return said
    try:
        document = decode(raw, what="manifest")
    except Invalid as error:
        where = without_query(response.url)
        if said in _PAGES:
            raise ResponseInvalid(
                f"{where} gave a web page, not a manifest",
                hint="the address is no registry's, or the network wants a login of its own",
            ) from error
        raise ResponseInvalid(f"{where}: {error}") from error
    own = document.get("mediaType")
    if isinstance(own, str) and own:
        return own
    return MediaType.OCI_INDEX if "manifests" in document else MediaType.OCI_MANIFEST


def parse_digest(text: str) -> Digest | None:
    """Read a digest; None when it is none."""
    try:
        return Digest.parse(text.strip())
    except DigestInvalid:
        return None


def verify(raw: bytes, digest: Digest, what: str) -> None:
    """Check a manifest's bytes. Raises: DigestMismatch."""
    hasher = Hasher(digest.algorithm)
    hasher.update(raw)
    if hasher.digest != digest:
        raise DigestMismatch(
            f"manifest for {what}: expected {digest}, got {hasher.digest}",
            hint="the registry, or a proxy on the way, gave other bytes; try again",
        )
