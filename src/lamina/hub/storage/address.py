"""Where a hub's blobs lie, as a person writes it; read without loading a client."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from lamina.errors import Invalid

__all__ = ["S3Address"]

_PARAMETERS = ("endpoint", "region", "redirect", "public-endpoint", "style")
_STYLES = ("auto", "path", "virtual")
_LONGEST_LINK_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where blobs lie: `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&redirect=SECONDS&…]`.

    `redirect_s` above 0 sends clients to the storage for blobs, by links that work so long, made
    for `public_endpoint` where clients know the storage by another address than we do.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    redirect_s: int = 0
    public_endpoint: str = ""
    style: str = "auto"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raises: Invalid."""
        hint = "write it as s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME&redirect=600"
        parts = urlsplit(text)
        if parts.scheme != "s3" or not parts.hostname:
            raise Invalid("the storage's address cannot be read", hint=hint)
        if parts.username or parts.password:
            raise Invalid(
                "the storage's address must not hold keys",
                hint="put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a file",
            )
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = [name for name in given if name not in _PARAMETERS]
        if unknown:
            raise Invalid(
                f"the storage's address has an unknown parameter {unknown[0]!r}",
                hint=f"known are {', '.join(_PARAMETERS)}",
            )
        redirect = given.get("redirect", "0")
        if not redirect.isascii() or not redirect.isdigit() or int(redirect) > _LONGEST_LINK_S:
            raise Invalid(
                f"redirect={redirect} is no number of seconds up to a week", hint="try redirect=600"
            )
        style = given.get("style", "path" if given.get("endpoint") else "auto")
        if style not in _STYLES:
            raise Invalid(f"style={style} is not known", hint=f"known are {', '.join(_STYLES)}")
        prefix = parts.path.strip("/")
        return cls(
            bucket=parts.netloc,
            prefix=f"{prefix}/" if prefix else "",
            endpoint=given.get("endpoint", ""),
            region=given.get("region", ""),
            redirect_s=int(redirect),
            public_endpoint=given.get("public-endpoint", ""),
            style=style,
        )

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")
