"""The nine kinds of failure, from which every error of the package descends.

    LaminaError
    ├── Invalid        what was asked makes no sense: a bad name, flag or document
    ├── NotFound       no such image, container, blob, tag
    ├── AlreadyExists  the name is taken
    ├── InUse          something still depends on it
    ├── Unauthorized   nobody is logged in, or the login was refused
    ├── Denied         the account is known and may not do this
    ├── Unavailable    a registry, disk or kernel service failed; a retry may help
    ├── Corrupt        bytes do not match their digest or their format
    └── Unsupported    understood, and not something that can be done here

Faces (command line, hub) translate a kind once, looked up along the class's MRO.
"""

__all__ = [
    "AlreadyExists",
    "Corrupt",
    "Denied",
    "InUse",
    "Invalid",
    "LaminaError",
    "NotFound",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
]


class LaminaError(Exception):
    """A failure that a person can be told about: what happened, and what to do (`hint`)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class Invalid(LaminaError):
    """What was asked makes no sense; repeating it will not help."""


class NotFound(LaminaError):
    """The thing that was named does not exist."""


class AlreadyExists(LaminaError):
    """The name is taken."""


class InUse(LaminaError):
    """Something still depends on it."""


class Unauthorized(LaminaError):
    """Nobody is logged in, or the login was refused."""


class Denied(LaminaError):
    """The account is known and may not do this."""


class Unavailable(LaminaError):
    """A service failed that may answer later."""


class Corrupt(LaminaError):
    """Bytes do not match their digest, size or format."""


class Unsupported(LaminaError):
    """Understood, and not something that can be done here."""
