"""Digests: names of bytes. Spec: image-spec descriptor.md, "Digests"."""

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Digest", "DigestInvalid", "chain_id"]

_FORM = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+"
_LENGTHS = {"sha256": 64, "sha512": 128}
_HEX = "0123456789abcdef"
_SHORT = 64 * 1024  # beyond, libcrypto is worth its loading


class DigestInvalid(Invalid):
    """The text is not a digest, or of an algorithm nobody here can check."""


class Digest(str):
    """The name of bytes, `sha256:<64 hex>` or `sha512:<128 hex>`; a checked `str`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Digest":
        """Check `text`, which may come from anyone's document. Raises: DigestInvalid."""
        if not isinstance(text, str):
            raise DigestInvalid(f"invalid digest {text!r}", hint="a digest looks like sha256:<hex>")
        algorithm, _, value = text.partition(":")
        if len(value) != _LENGTHS.get(algorithm) or value.strip(_HEX):
            raise _refusal(text)
        return cls(text)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> "Digest":
        """Name `data`."""
        if algorithm == "sha256" and len(data) <= _SHORT:
            return cls("sha256:" + _short_sha256(data))
        import hashlib

        return cls(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The part before the colon."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first 12 hex characters, as people see ids."""
        return self.partition(":")[2][:12]


def _refusal(text: str) -> DigestInvalid:
    """Say what is wrong with `text`."""
    import re

    if not re.fullmatch(_FORM, text):
        return DigestInvalid(f"invalid digest {text!r}", hint="a digest looks like sha256:<hex>")
    algorithm = text.partition(":")[0]
    if algorithm not in _LENGTHS:
        return DigestInvalid(f"unsupported digest algorithm {algorithm!r}")
    return DigestInvalid(f"invalid {algorithm} digest {text!r}")


def _short_sha256(data: bytes) -> str:
    """Hash a document: by the interpreter's own module, as `hashlib` takes 5 ms to load libcrypto."""
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]  # Python 3.11
    except ImportError:
        try:
            from _sha2 import sha256  # type: ignore[import-not-found]
        except ImportError:  # built without
            from hashlib import sha256
    digest: str = sha256(data).hexdigest()
    return digest


def chain_id(diff_ids: "Iterable[Digest]") -> Digest:
    """Name a pile of layers, lowest first. Spec: image-spec config.md, "Layer ChainID".

    Raises: Invalid (no layer at all: an empty pile has no name).
    """
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    if chain is None:
        raise Invalid("an image without layers has no chain ID")
    return chain
