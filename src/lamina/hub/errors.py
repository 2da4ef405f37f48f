"""What can be wrong with a request to the hub, one class per answer a client can act on."""

from lamina.errors import (
    AlreadyExists,
    Corrupt,
    Denied,
    InUse,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
)

__all__ = [
    "AccessTokenUnknown",
    "AccountDisabled",
    "AccountUnknown",
    "BlobUnknown",
    "CacheUnknown",
    "CacheWritten",
    "ContentReferenced",
    "CredentialsRefused",
    "DeliveryUnknown",
    "DigestDisagrees",
    "FormInvalid",
    "LastAdmin",
    "LastOwner",
    "LimitReached",
    "LinkInvalid",
    "LoginRequired",
    "ManifestBlobUnknown",
    "ManifestInvalid",
    "ManifestTooLarge",
    "ManifestUnknown",
    "MirrorUnknown",
    "NameTaken",
    "NameUnknown",
    "NotEmpty",
    "NotYours",
    "ObjectMissing",
    "OrganisationUnknown",
    "PageInvalid",
    "PushDenied",
    "QuotaExceeded",
    "RangeDisagrees",
    "ReadOnly",
    "RegistrationClosed",
    "RepositoriesRemain",
    "RepositoryNameInvalid",
    "RepositoryTaken",
    "RobotUnknown",
    "RoleUnknown",
    "RuleUnknown",
    "SessionUnknown",
    "SizeDisagrees",
    "TagImmutable",
    "TagInvalid",
    "TeamUnknown",
    "TooManyAttempts",
    "UploadTaken",
    "UploadUnknown",
    "UpstreamFailed",
    "UpstreamLimited",
    "UpstreamLoop",
    "WebhookUnknown",
]


_NAMED = 100
"""So many missing digests an error names; an index may name tens of thousands."""


class AccountUnknown(NotFound):
    """No account has this name."""


class AccessTokenUnknown(NotFound):
    """The account has no such access token."""


class CacheUnknown(NotFound):
    """The namespace stands for no other registry."""


class MirrorUnknown(NotFound):
    """The hub has no such mirroring rule."""


class CacheWritten(Denied):
    """A push to a namespace that stands for another registry."""


class UpstreamFailed(Unavailable):
    """The registry behind a namespace does not answer, or makes no sense, or lets us in no more."""


class UpstreamLoop(UpstreamFailed):
    """The request came from this very hub: a cache stands for itself."""


class UpstreamLimited(Unavailable):
    """The registry behind a namespace takes no more requests for `retry_after_s` seconds."""

    def __init__(self, registry: str, *, retry_after_s: int) -> None:
        super().__init__(
            f"{registry} takes no more requests for now",
            hint=f"its limit holds for {retry_after_s} s; an account there may have a higher one",
        )
        self.retry_after_s = retry_after_s


class WebhookUnknown(NotFound):
    """No such webhook, or none this caller may know of."""


class DeliveryUnknown(NotFound):
    """The webhook has no such delivery, or no longer."""


class NameTaken(AlreadyExists):
    """Another account has this name."""


class RepositoryTaken(AlreadyExists):
    """There is a repository of this name."""


class OrganisationUnknown(NotFound):
    """No organisation has this name."""


class TeamUnknown(NotFound):
    """The organisation has no such team."""


class RoleUnknown(NotFound):
    """The account or team has no such role, or is not a member."""


class RobotUnknown(NotFound):
    """The namespace has no such robot."""


class NotYours(Denied):
    """The namespace belongs to others."""


class NotEmpty(InUse):
    """The organisation has repositories."""


class LastOwner(InUse):
    """An organisation must have an owner, and this is the last."""


class FormInvalid(Invalid):
    """What a person typed cannot be taken; `fields` says what is wrong with which field."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(fields.values()))
        self.fields = fields


class CredentialsRefused(Unauthorized):
    """The name and the password do not belong together, or a token is not ours or too old."""


class AccountDisabled(CredentialsRefused):
    """An admin keeps this account from logging in."""


class SessionUnknown(NotFound):
    """The account has no such session."""


class LinkInvalid(NotFound):
    """A link that works once was used, is too old, or was never made."""

    def __init__(self) -> None:
        super().__init__(
            "this link does not work: it was used, or its time is over", hint="ask for another"
        )


class RegistrationClosed(Denied):
    """The hub's admin decides who gets an account here."""


class LastAdmin(Denied):
    """A hub keeps at least one admin who may log in."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the hub's only admin", hint="make somebody else an admin first"
        )


class RepositoriesRemain(InUse):
    """The account still has repositories: `names`, the first few of them."""

    def __init__(self, account: str, names: tuple[str, ...]) -> None:
        few = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")  # noqa: PLR2004 - enough to know them
        super().__init__(
            f"{account} still has repositories: {few}",
            hint="delete them first, or say that they go along",
        )
        self.names = names


class LoginRequired(Unauthorized):
    """This needs a login, or a token with more rights; `scope` says which."""

    def __init__(self, message: str, *, scope: str = "", insufficient: bool = False) -> None:
        super().__init__(message, hint="log in first")
        self.scope = scope
        self.insufficient = insufficient


class PushDenied(Denied):
    """The account may not change this repository."""


class QuotaExceeded(Denied):
    """There is no room for what is pushed; `size` bytes may be there and `used` are.

    `wanted` more were to come, or, where nobody said how many (`is_open`), at least as many.
    """

    def __init__(
        self, target: str, *, size: int, used: int, wanted: int, is_open: bool = False
    ) -> None:
        least = "at least " if is_open else ""
        more = f", and {least}{_sized(wanted)} more are to come" if wanted else ""
        super().__init__(
            f"{target} has {_sized(used)} of the {_sized(size)} it may have{more}",
            hint="delete tags that nobody needs, or ask who runs the hub for more",
        )
        self.target = target


def _sized(size: int) -> str:
    amount, units = float(size), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while amount >= 1000 and (larger := next(units, "")):  # noqa: PLR2004 - the next unit
        amount, unit = amount / 1000, larger
    return f"{amount:.4g}{unit}"


class TagImmutable(Denied):
    """A rule of the hub says that this tag stays as it is."""


class ReadOnly(Unsupported):
    """The hub gives what it has and takes nothing for now."""

    def __init__(self, words: str) -> None:
        super().__init__(
            f"the hub is read-only: {words}", hint="pulls go on; push again when it is over"
        )


class TooManyAttempts(Unavailable):
    """Too many wrong passwords; try again after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "too many wrong passwords", hint=f"try again in {max(1, retry_after_s // 60)} minutes"
        )
        self.retry_after_s = retry_after_s


class RepositoryNameInvalid(Invalid):
    """The text is not a repository's name."""


class TagInvalid(Invalid):
    """The text is neither a tag nor a digest."""


class PageInvalid(Invalid):
    """`n` is not a number of entries."""


class NameUnknown(NotFound):
    """No such repository, or none this caller may know of."""


class ObjectMissing(NotFound):
    """The storage has no object under that key."""


class RuleUnknown(NotFound):
    """There is no such rule."""


class BlobUnknown(NotFound):
    """No such blob in this repository."""


class UploadUnknown(NotFound):
    """No such upload in this repository: finished, cancelled or given up."""


class UploadTaken(InUse):
    """Another request went on with this upload while this one was sending."""


class ManifestUnknown(NotFound):
    """No such tag or manifest in this repository."""


class ManifestInvalid(Invalid):
    """The document is not a manifest we can keep."""


class ManifestTooLarge(ManifestInvalid):
    """The document is larger than anyone must take."""


class ManifestBlobUnknown(ManifestInvalid):
    """The manifest names content that was not pushed to this repository.

    `digests` are the first of what is missing; the message says how many there are.
    """

    def __init__(self, digests: tuple[str, ...]) -> None:
        more = len(digests) - 1
        others = f" and {more} other{'s' if more > 1 else ''} are" if more else " is"
        super().__init__(
            f"manifest names what is not in this repository: {digests[0]}{others} missing",
            hint="push blobs and child manifests first",
        )
        self.digests = digests[:_NAMED]


class ContentReferenced(InUse):
    """A manifest of this repository still names it."""


class LimitReached(Denied):
    """More came than an upload may have."""


class DigestDisagrees(Corrupt):
    """The bytes sent do not have the digest they were sent under."""


class SizeDisagrees(Invalid):
    """Fewer or more bytes came than the request said."""


class RangeDisagrees(Invalid):
    """The piece does not begin where the upload ends; `offset` is where it must."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the next byte of this upload is {offset}")
        self.offset = offset
