"""References: `registry/repository:tag@digest`, by the grammar of the distribution project.

A person writes `mysql`; the complete name is `docker.io/library/mysql:latest`.
"""

from lamina.errors import Invalid
from lamina.spec.digest import Digest, DigestInvalid
from lamina.values import dataclass, replace

__all__ = ["Reference", "ReferenceInvalid"]

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz" + _DIGITS
_ALPHANUMERIC = _LOWER + _LOWER[:26].upper()
_ID_LENGTH = 64
_TAG_LIMIT = 128
_PORT_LIMIT = 5  # digits
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
        scheme, slashes, rest = text.partition("://")
        if slashes:
            raise ReferenceInvalid(
                f"invalid reference format: {text!r}", hint=f"leave out {scheme}://: write {rest}"
            )
        name, digest = _split_digest(text)
        if len(name) == _ID_LENGTH and not name.strip("abcdef" + _DIGITS):
            raise ReferenceInvalid(
                f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings"
            )
        registry, path = _split_registry(name)
        path, tag = _split_tag(path, text)
        if path != path.lower():
            raise ReferenceInvalid(
                f"invalid reference format: repository name ({path}) must be lowercase"
            )
        if not (all(map(_is_component, path.split("/"))) and _is_domain(registry)):
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
        if not _is_tag(tag):
            raise ReferenceInvalid(
                f"invalid tag {tag!r}",
                hint="use letters, digits, '.', '_', '-', at most 128 of them",
            )
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> "Reference":
        """Give the same repository at `digest`, without a tag."""
        return replace(self, tag="", digest=digest)


# The grammar without regular expressions: importing `re` costs more than all else of a short command.
# text.strip(letters) is empty where text has no other letter.


def _is_component(text: str) -> bool:
    """Tell whether `text` is lower case and digits, parted by `.`, `_`, `__` or any number of `-`."""
    while "--" in text:
        text = text.replace("--", "-")
    words = text.replace("__", "-").replace("_", "-").replace(".", "-").split("-")
    return all(word and not word.strip(_LOWER) for word in words)


def _is_domain(text: str) -> bool:
    """Tell whether `text` is a host name, or an address of IPv6 in brackets, maybe with a port."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        colon, port = port[:1], port[1:]
        good = bool(address and bracket) and not address.strip(":abcdefABCDEF" + _DIGITS)
    else:
        host, colon, port = text.partition(":")
        good = all(map(_is_label, host.split(".")))
    if not colon:
        return good
    return good and colon == ":" and 0 < len(port) <= _PORT_LIMIT and not port.strip(_DIGITS)


def _is_label(text: str) -> bool:
    return bool(text) and "-" not in text[0] + text[-1] and not text.strip(_ALPHANUMERIC + "-")


def _is_tag(text: str) -> bool:
    word = _ALPHANUMERIC + "_"
    if not 0 < len(text) <= _TAG_LIMIT or text[0] not in word:
        return False
    return not text.strip(word + ".-")


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
    if colon and not _is_tag(tag):
        raise ReferenceInvalid(
            f"invalid reference format: {text!r}",
            hint="a tag has letters, digits, '.', '_', '-', at most 128 of them",
        )
    return path, tag
