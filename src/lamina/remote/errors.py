"""What a registry, or the way to it, can do wrong; and how its answers become these errors.

Messages follow Docker's words where scripts and people know them; the hint says what to do.
"""

from lamina.errors import Corrupt, Denied, Invalid, NotFound, Unauthorized, Unavailable, Unsupported
from lamina.errors import LaminaError as _LaminaError
from lamina.remote.messages import Response, without_query
from lamina.spec.wire import decode
from lamina.values import dataclass

__all__ = [
    "AccessDenied",
    "BlobUnknown",
    "BodyUnreadable",
    "CertificateRefused",
    "ConnectionBroken",
    "LoginRefused",
    "LoginRequired",
    "ManifestUnknown",
    "Problem",
    "Purpose",
    "RealmRefused",
    "RegistryFailed",
    "RegistryLacks",
    "RegistryUnreachable",
    "RepositoryUnknown",
    "RequestRefused",
    "ResponseInvalid",
    "TooManyRequests",
    "UploadUnknown",
    "failure",
    "problems",
]

_SNIPPET = 200


class RegistryUnreachable(Unavailable):
    """No conversation came about: no such host, nobody listens, no route."""


class CertificateRefused(RegistryUnreachable):
    """TLS failed: the certificate is not trusted, or the other side speaks no TLS."""


class ConnectionBroken(Unavailable):
    """The conversation broke off in the middle, more often than is sensible."""


class RegistryFailed(Unavailable):
    """The registry answered with an error of its own, or with something unexpected."""


class BodyUnreadable(Corrupt):
    """What we were to send cannot be read here, or is shorter than it should be."""


class TooManyRequests(Unavailable):
    """The registry's rate limit holds, for longer than we wait."""


class LoginRequired(Unauthorized):
    """The registry wants to know who asks, and nobody is logged in."""


class LoginRefused(Unauthorized):
    """The registry or its token service does not accept these credentials."""


class RealmRefused(LoginRefused):
    """The registry sends us for a token to an address that may not be asked for one."""


class AccessDenied(Denied):
    """The account may not do this here."""


class ManifestUnknown(NotFound):
    """The repository has no such tag or manifest."""


class RepositoryUnknown(NotFound):
    """The registry has no such repository."""


class BlobUnknown(NotFound):
    """The repository has no such blob."""


class UploadUnknown(NotFound):
    """The registry has forgotten the upload; it must begin anew."""


class RequestRefused(Invalid):
    """The registry finds the request or its content invalid."""


class ResponseInvalid(Corrupt):
    """The registry's answer makes no sense."""


class RegistryLacks(Unsupported):
    """The registry does not offer this operation."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of a registry's error body. Spec: distribution-spec, "Error Codes"."""

    code: str
    message: str

    def __str__(self) -> str:
        words = self.code.replace("_", " ").lower()
        return ": ".join(part for part in (words, self.message) if part)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a request was for, in the words of messages.

    `verb` is pull, push, delete or list; `name` is the repository as people write it; `target`
    is what was asked for there: a familiar reference or a digest; `kind` is manifest, blob,
    upload or repository. `registry` is what `login` would be given.
    """

    verb: str
    name: str
    target: str
    kind: str
    registry: str


def problems(body: bytes) -> tuple[Problem, ...]:
    """Read an error body; empty when it is HTML, cut off, or nothing known."""
    try:
        document = decode(body, what="error body")
    except Invalid:
        return ()
    rows = document.get("errors")
    if isinstance(rows, list):
        return tuple(
            Problem(str(row.get("code") or ""), str(row.get("message") or ""))
            for row in rows
            if isinstance(row, dict) and (row.get("code") or row.get("message"))
        )
    for field in ("details", "message", "error_description", "error"):
        if isinstance(document.get(field), str):
            return (Problem("", document[field]),)
    return ()


def failure(
    response: Response, purpose: Purpose, *, credentials: bool, scheme: str
) -> _LaminaError:
    """Give the error that an unsuccessful response means.

    `credentials` says whether any were at hand; `scheme` is what the registry asked for (`basic`,
    `bearer`, or empty).
    """
    found = problems(response.body)
    cause = str(found[0]) if found else ""
    codes = {problem.code.upper() for problem in found}
    if response.status == 401:  # noqa: PLR2004
        return _unauthorized(cause, purpose, credentials=credentials, scheme=scheme)
    if response.status == 403 or (codes & {"DENIED", "UNAUTHORIZED"} and response.status < 500):  # noqa: PLR2004
        return _denied(cause or _where(response), purpose, credentials=credentials)
    if response.status == 404:  # noqa: PLR2004
        return _not_found(response, cause, codes, purpose)
    if response.status == 429:  # noqa: PLR2004
        return _too_many(response, cause, purpose, credentials=credentials)
    return _other(response, cause)


def _unauthorized(cause: str, purpose: Purpose, *, credentials: bool, scheme: str) -> _LaminaError:
    if scheme == "basic" and not credentials:
        cause = "no basic auth credentials"
    cause = cause or "unauthorized: authentication required"
    if credentials:
        return LoginRefused(
            _access_denied(purpose, cause),
            hint=f"the stored login was not enough; log in again with {_login(purpose.registry)}",
        )
    return LoginRequired(
        _access_denied(purpose, cause),
        hint=f"check the name, or log in with {_login(purpose.registry)}",
    )


def _denied(cause: str, purpose: Purpose, *, credentials: bool) -> _LaminaError:
    login = _login(purpose.registry)
    hint = (
        f"use an account that may {purpose.verb} there: {login}"
        if credentials
        else f"log in with {login}"
    )
    if purpose.verb == "pull":
        hint = f"check the name; {hint}"
    return AccessDenied(_access_denied(purpose, cause), hint=hint)


def _access_denied(purpose: Purpose, cause: str) -> str:
    if purpose.verb == "pull":
        return (
            f"pull access denied for {purpose.name}, "
            f"repository does not exist or may require 'docker login': {cause}"
        )
    return f"{purpose.verb} access denied for {purpose.name}: {cause}"


def _login(registry: str) -> str:
    """Write the command that logs in there."""
    return "`lamina login`" if registry == "docker.io" else f"`lamina login {registry}`"


def _not_found(response: Response, cause: str, codes: set[str], purpose: Purpose) -> _LaminaError:
    if "NAME_UNKNOWN" in codes:
        return RepositoryUnknown(f"repository {purpose.name} not found: {cause}")
    if not cause and _is_page(response):
        cause = f"{_where(response)} (a web page: is {purpose.registry} a registry?)"
    if purpose.kind == "manifest":
        return ManifestUnknown(
            f"manifest for {purpose.target} not found: {cause or 'manifest unknown: manifest unknown'}",
            hint="check the name and the tag",
        )
    if purpose.kind == "upload":
        return UploadUnknown(f"{purpose.name}: {cause or 'blob upload unknown'}")
    if purpose.kind == "blob":
        return BlobUnknown(
            f"{purpose.target} not found in {purpose.name}: {cause or 'blob unknown'}"
        )
    return RepositoryUnknown(f"repository {purpose.name} not found: {cause or _where(response)}")


def _too_many(
    response: Response, cause: str, purpose: Purpose, *, credentials: bool
) -> _LaminaError:
    after = response.header("Retry-After")
    limit = response.header("ratelimit-limit")
    hints = [f"the registry says to wait {after} s" if after.isdigit() else "try again later"]
    if limit:
        hints.append(f"its limit is {limit}")
    if not credentials:
        hints.append(f"an account may have a higher limit: {_login(purpose.registry)}")
    return TooManyRequests(cause or f"toomanyrequests: {_where(response)}", hint="; ".join(hints))


def _other(response: Response, cause: str) -> _LaminaError:
    where = _where(response)
    text = f"{where}: {cause}" if cause else where + _snippet(response)
    if response.status == 413:  # noqa: PLR2004
        return RequestRefused(
            text, hint="a proxy before the registry limits the size of bodies; raise its limit"
        )
    if response.status == 407:  # noqa: PLR2004
        from lamina.remote.connections import PROXY_LOGIN

        return RequestRefused(text, hint=PROXY_LOGIN)
    if response.status in (405, 501):
        return RegistryLacks(text, hint="this registry does not allow the operation")
    if 400 <= response.status < 500:  # noqa: PLR2004
        return RequestRefused(text)
    return RegistryFailed(text, hint="the registry has a problem of its own; try again later")


def _where(response: Response) -> str:
    from http import HTTPStatus

    try:
        reason = f" {HTTPStatus(response.status).phrase}"
    except ValueError:
        reason = ""
    return f"{response.method} {without_query(response.url)}: {response.status}{reason}"


def _is_page(response: Response) -> bool:
    return "html" in response.header("Content-Type") or response.body.lstrip()[:1] == b"<"


def _snippet(response: Response) -> str:
    if not response.body or _is_page(response):
        return ""
    text = " ".join(response.body[:_SNIPPET].decode(errors="replace").split())
    return f": {text}" if text.isprintable() else ""
