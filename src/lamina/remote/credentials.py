"""Who somebody is to a registry, as a value."""

from binascii import a2b_base64, b2a_base64

from lamina.values import dataclass, field

__all__ = ["IDENTITY_USER", "Credentials"]

IDENTITY_USER = "<token>"
"""The user name under which credential helpers keep an identity token instead of a password."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and password, or an identity token to trade for access, or a registry token as it is.

    `repr` shows no secret: tracebacks and logs travel.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @classmethod
    def from_basic(cls, text: str) -> "Credentials | None":
        """Read the base64 of `user:password`; None when it is no such thing.

        The user ends at the first colon; docker writes trailing NULs at times.
        """
        try:
            plain = a2b_base64(text.strip()).decode()
        except ValueError:
            return None
        username, colon, password = plain.partition(":")
        return cls(username, password.rstrip("\0")) if colon and username else None

    @property
    def basic(self) -> str:
        """The base64 of `user:password`."""
        return b2a_base64(f"{self.username}:{self.password}".encode(), newline=False).decode()

    @property
    def has_password(self) -> bool:
        """Whether Basic can be answered."""
        return bool(self.username and not self.identity_token)
