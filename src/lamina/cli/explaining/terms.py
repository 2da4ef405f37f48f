"""The words that a story explains where they first come up, with the glossary's meanings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TERMS", "mentioned"]

TERMS = {
    "registry": "service that keeps repositories",
    "repository": "all that a registry keeps under one name",
    "tag": "movable name in a repository",
    "digest": "name of bytes, `sha256:<hex>`",
    "token": "credential that a registry takes instead of a password, for a while",
    "scope": "what a token is good for, `repository:name:pull`",
    "media type": "what a blob's bytes are",
    "descriptor": "media type, digest and size (and platform, annotations)",
    "blob": "immutable bytes addressed by digest",
    "index": "document listing manifests, usually one per platform",
    "platform": "os/architecture[/variant]",
    "manifest": "document listing one image's config and layers",
    "config": "image configuration document",
    "image ID": "digest of the config",
    "layer": "one changeset as a (compressed) tar blob",
    "changeset": "the entries of one layer: added, modified, removed",
    "layer digest": "digest of the layer blob as stored",
    "diff ID": "digest of the uncompressed layer",
    "chain ID": "name of a pile of diff IDs, order included",
    "pile": "diff IDs of an image, lowest first",
    "sealed layer": "a layer's tar and its EROFS index in one file",
    "whiteout": "entry that removes one path",
    "opaque whiteout": "entry that removes all lower siblings",
    "store": "this machine's blobs and names: an OCI image layout",
    "lower": "read-only layer of a union",
    "upper": "the writable directory of a union",
    "container layer": "the upper directory of a container's snapshot",
    "rootfs": "the stack as a container sees it",
    "bundle": "directory with `config.json` (runtime-spec)",
    "container": "a record, a snapshot and maybe a process",
    "shim": "the small process that is parent of one container's processes",
    "network": "what containers are connected by",
}
"""Term → meaning, word for word those of docs/glossary.md: a test compares them."""


def mentioned(text: str) -> Iterator[str]:
    """Give the terms that `text` uses, in the order in which they come up; of two that begin alike the longer."""
    import re

    words = sorted(TERMS, key=len, reverse=True)
    known = {term.lower(): term for term in TERMS} | {"repositories": "repository"}
    known |= {"registries": "registry", "indexes": "index"}
    plain = "|".join(re.escape(word) for word in (*words, "repositories", "registries", "indexes"))
    for found in re.finditer(rf"(?<![\w/:.-])({plain})s?(?![\w/-]|[.:]\w)", text, re.IGNORECASE):
        yield known[found[1].lower()]
