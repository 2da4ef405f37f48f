"""The storage folder of docker-registry (CNCF distribution), for reading.

    docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/HEX/link
    docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link
    docker/registry/v2/blobs/sha256/AB/HEX/data

A link's file holds a digest. Manifests lie among the blobs; their media types are nowhere but in them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.errors import Invalid
from lamina.spec.digest import Digest, DigestInvalid

__all__ = ["DistributionFolder", "FoundTag"]

_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundTag:
    """A tag and when it was last pushed, in epoch seconds."""

    name: str
    digest: Digest
    pushed_at: float


class DistributionFolder:
    """One such folder. Nothing in it is ever changed. Raises, when made: Invalid."""

    def __init__(self, root: str) -> None:
        within = (os.path.join(root, "docker", "registry", "v2"), root)
        found = [each for each in within if os.path.isdir(os.path.join(each, "repositories"))]
        if not found:
            raise Invalid(
                f"{root} is no storage folder of docker-registry",
                hint="name the rootdirectory of its configuration, where docker/registry/v2 is",
            )
        self._root = found[0]

    def repositories(self) -> Iterator[str]:
        """Give the names of repositories that have manifests, in order."""
        top = os.path.join(self._root, "repositories")
        for folder, names, _ in os.walk(top):
            if "_manifests" in names:
                yield os.path.relpath(folder, top)
            names[:] = sorted(name for name in names if not name.startswith("_"))

    def revisions(self, repository: str) -> tuple[Digest, ...]:
        """Give the manifests of a repository, tagged or not, in order."""
        top = self._within(repository, "revisions")
        found = []
        for algorithm in _listed(top):
            for hexadecimal in _listed(os.path.join(top, algorithm)):
                link = os.path.join(top, algorithm, hexadecimal, "link")
                if os.path.exists(link):  # a deleted one has its folder still
                    found.append(_digest(link))
        return tuple(sorted(found))

    def tags(self, repository: str) -> tuple[FoundTag, ...]:
        """Give the tags of a repository, by name."""
        top = self._within(repository, "tags")
        found = []
        for name in sorted(_listed(top)):
            link = os.path.join(top, name, "current", "link")
            if os.path.exists(link):
                found.append(FoundTag(name, _digest(link), os.stat(link).st_mtime))
        return tuple(found)

    def blob(self, digest: Digest) -> str:
        """Give the path of a blob's or manifest's bytes, whether or not they are there."""
        return os.path.join(
            self._root, "blobs", digest.algorithm, digest.hex[:2], digest.hex, "data"
        )

    def manifest(self, digest: Digest) -> bytes:
        """Give a manifest's bytes, unverified. Raises: FileNotFoundError."""
        with open(self.blob(digest), "rb") as file:
            return file.read(_LIMIT + 1)

    def _within(self, repository: str, what: str) -> str:
        return os.path.join(self._root, "repositories", repository, "_manifests", what)


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _digest(link: str) -> Digest:
    """Read a link. Raises: Invalid."""
    with open(link, encoding="ascii", errors="replace") as file:
        text = file.read(200).strip()
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        raise Invalid(f"{link} holds no digest") from error
