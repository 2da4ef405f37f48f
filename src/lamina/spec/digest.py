"""Digests: names of bytes. Spec: image-spec descriptor.md, "Digests"."""

import hashlib
import re
from typing import TYPE_CHECKING

from lamina.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Digest", "DigestInvalid", "chain_id"]

_FORM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}


class DigestInvalid(Invalid):
    """The text is not a digest, or of an algorithm nobody here can check."""


class Digest(str):
    """The name of bytes, `sha256:<64 hex>` or `sha512:<128 hex>`; a checked `str`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Digest":
        """Check `text`, which may come from anyone's document. Raises: DigestInvalid."""
        if not isinstance(text, str) or not _FORM.fullmatch(text):
            raise DigestInvalid(f"invalid digest {text!r}", hint="a digest looks like sha256:<hex>")
        algorithm, _, value = text.partition(":")
        form = _HEX.get(algorithm)
        if form is None:
            raise DigestInvalid(f"unsupported digest algorithm {algorithm!r}")
        if not form.fullmatch(value):
            raise DigestInvalid(f"invalid {algorithm} digest {text!r}")
        return cls(text)

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        """Name `data` by SHA-256."""
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

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
