"""References: `registry/repository:tag@digest`, by the grammar of the distribution project.

A person writes `mysql`; the complete name is `docker.io/library/mysql:latest`.
"""

import re
from dataclasses import dataclass, replace

from lamina.errors import Invalid
from lamina.spec.digest import Digest, DigestInvalid

__all__ = ["Reference", "ReferenceInvalid"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BARE_ID = re.compile(r"[0-9a-f]{64}")
_NAME_LIMIT = 255
_DEFAULT = "docker.io"
_DEFAULT_TAG = "latest"


class ReferenceInvalid(Invalid):
    """The text does not name an image."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A complete image name. `str()` is canonical, `familiar` is what people type and read."""

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, *, default_tag: str = _DEFAULT_TAG) -> "Reference":
        """Complete what a person wrote: registry, `library/` and tag are filled in.

        A name with a digest and no tag gets no tag. Raises: ReferenceInvalid.
        """
        name, digest = _split_digest(text)
        if _BARE_ID.fullmatch(name):
            raise ReferenceInvalid(
                f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings"
            )
        registry, path = _split_registry(name)
        path, tag = _split_tag(path, text)
        if path != path.lower():
            raise ReferenceInvalid(
                f"invalid reference format: repository name ({path}) must be lowercase"
            )
        if not _PATH.fullmatch(path) or not _DOMAIN.fullmatch(registry):
            raise ReferenceInvalid(
                f"invalid reference format: {text!r}",
                hint="a name looks like registry/repository:tag, for example 127.0.0.1:5000/me/app:v1",
            )
        if registry == _DEFAULT and "/" not in path:
            path = f"library/{path}"
        if len(path) > _NAME_LIMIT:
            raise ReferenceInvalid(
                f"repository name must not be more than {_NAME_LIMIT} characters"
            )
        if not tag and digest is None:
            tag = default_tag
        return cls(registry, path, tag, digest)

    def __str__(self) -> str:
        return (
            self.name
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )

    @property
    def name(self) -> str:
        """`registry/repository`, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar_name(self) -> str:
        """The name as people read it: without `docker.io/` and `library/`, where that is clear."""
        if self.registry != _DEFAULT:
            return self.name
        first, _, rest = self.repository.partition("/")
        if first == "library" and "/" not in rest:
            return rest
        return self.name if _split_registry(self.repository)[0] != _DEFAULT else self.repository

    @property
    def familiar(self) -> str:
        """The whole reference as people read it."""
        return self.familiar_name + str(self)[len(self.name) :]

    def with_tag(self, tag: str) -> "Reference":
        """Give the same repository at `tag`. Raises: ReferenceInvalid."""
        if not _TAG.fullmatch(tag):
            raise ReferenceInvalid(
                f"invalid tag {tag!r}",
                hint="use letters, digits, '.', '_', '-', at most 128 of them",
            )
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> "Reference":
        """Give the same repository at `digest`, without a tag."""
        return replace(self, tag="", digest=digest)


def _split_digest(text: str) -> tuple[str, Digest | None]:
    name, at, digest = text.partition("@")
    if not name:
        raise ReferenceInvalid(
            f"invalid reference format: {text!r}", hint="name an image, such as debian:12"
        )
    if not at:
        return name, None
    try:
        return name, Digest.parse(digest)
    except DigestInvalid as error:
        raise ReferenceInvalid(f"invalid reference format: {error}") from error


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = slash and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    if not is_domain:
        return _DEFAULT, name
    return (_DEFAULT if first == "index.docker.io" else first), rest


def _split_tag(path: str, text: str) -> tuple[str, str]:
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ReferenceInvalid(
            f"invalid reference format: {text!r}",
            hint="a tag has letters, digits, '.', '_', '-', at most 128 of them",
        )
    return path, tag
