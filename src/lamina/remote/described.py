"""What an answer says of what it brings, whether that is true, and what comes next. Pure functions."""

from lamina.errors import Invalid
from lamina.remote.errors import ResponseInvalid
from lamina.remote.messages import Response, without_query
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, DigestInvalid
from lamina.spec.wire import decode
from lamina.stream.verify import DigestMismatch, Hasher, SizeMismatch

__all__ = ["check_promise", "described", "media_type_of", "next_page", "parse_digest", "verify"]

_PAGES = ("text/html", "application/xhtml+xml")
_NEXT = r"<([^>]*)>\s*;[^,<]*\brel\s*=\s*\"?next\"?"
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


def next_page(response: Response) -> str:
    """Give the address of the next page of a list, as its Link header has it; empty on the last."""
    header = response.header("Link")
    if not header:
        return ""
    import re  # most lists have one page

    link = re.search(_NEXT, header, re.IGNORECASE)
    return link[1] if link else ""


def check_promise(response: Response, descriptor: Descriptor) -> None:
    """Turn away a mirror that has another blob under the digest. Raises: SizeMismatch."""
    promised = response.header("Content-Length")
    if response.status == 200 and promised.isdigit() and int(promised) != descriptor.size:  # noqa: PLR2004
        if response.stream:
            response.stream.close()
        raise SizeMismatch(f"{descriptor.digest}: a mirror has {promised} bytes")
