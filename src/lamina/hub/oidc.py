"""Sign-in by way of another site, as the other site's client: OpenID Connect, the code flow with PKCE.

Spec: OpenID Connect Core 1.0 (3.1, with 3.1.3.7 for the checks; 5.3, UserInfo), Discovery 1.0, RFC 7636 (S256),
RFC 9207.
Only RS256 and ES256 by the issuer's published keys are believed, whatever a token says of itself. Every
call may block; documents of the site are remembered for an hour.
"""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import jwt

from lamina.errors import Denied, Invalid, Unavailable
from lamina.spec.wire import decode

__all__ = ["Claims", "Flow", "OidcSettings", "Provider", "SignInRefused", "SiteUnavailable"]

_ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
_DOCUMENT_S = 3600.0
_KEYS_AGAIN_S = 60.0
_LEEWAY_S = 60
_TIMEOUT_S = 10
_LIMIT = 1024 * 1024
_WORD_LIMIT = 255
_EMAIL = ("email", "email_verified")


class SignInRefused(Denied):
    """The other site did not vouch for the person, or for somebody we do not take."""


class SiteUnavailable(Unavailable):
    """The other site does not answer, or says what no such site says."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The other site, and whom of its people we take.

    `domains`: only with a verified e-mail of one of them. `claims`: each must be so in the ID token or,
    where it has none of that name, in UserInfo, or be among what is listed there. With `registers` those
    who come first get an account.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = "single sign-on"
    scopes: str = "openid profile email"
    domains: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    registers: bool = True

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, secret: str) -> Self | None:
        """Read LAMINA_HUB_OIDC_ISSUER and so on; None without an issuer. Raises: Invalid."""
        issuer = env.get("LAMINA_HUB_OIDC_ISSUER", "")
        if not issuer:
            return None
        client_id = env.get("LAMINA_HUB_OIDC_CLIENT_ID", "")
        if not _is_safe(issuer) or not client_id:
            raise Invalid(
                "sign-in by OpenID Connect wants an https:// issuer and a client's id",
                hint="set LAMINA_HUB_OIDC_ISSUER and LAMINA_HUB_OIDC_CLIENT_ID",
            )
        if not env.get("LAMINA_HUB_URL"):
            raise Invalid(
                "sign-in by OpenID Connect needs the hub's address", hint="set LAMINA_HUB_URL"
            )
        claims = tuple(
            (name.strip(), value.strip())
            for name, equals, value in (
                each.partition("=")
                for each in env.get("LAMINA_HUB_OIDC_CLAIMS", "").split(",")
                if each.strip()
            )
            if equals or _no_claim(name)
        )
        domains = env.get("LAMINA_HUB_OIDC_DOMAINS", "").lower().replace(",", " ").split()
        return cls(
            issuer,
            client_id,
            secret,
            env.get("LAMINA_HUB_OIDC_NAME", "") or "single sign-on",
            env.get("LAMINA_HUB_OIDC_SCOPES", "") or "openid profile email",
            tuple(domains),
            claims,
            env.get("LAMINA_HUB_OIDC_REGISTER", "yes") != "no",
        )


def _no_claim(text: str) -> bool:
    raise Invalid(
        f"LAMINA_HUB_OIDC_CLAIMS: {text!r} is no claim",
        hint="write them as groups=dev,hd=example.com",
    )


@dataclass(frozen=True, slots=True)
class Flow:
    """What one attempt to sign in holds until the person comes back; all of it random."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def begin(cls) -> Self:
        """Make one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def challenge(self) -> str:
        """What the other site sees of `verifier` (RFC 7636, 4.2)."""
        return _base64(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom the other site vouched for. `email` is empty unless it says that it was verified."""

    issuer: str
    subject: str
    name: str = ""
    email: str = ""
    nickname: str = ""

    @property
    def label(self) -> str:
        """What the person knows it by."""
        return self.email or self.nickname or self.name or self.subject


class Provider:
    """One other site. Usable from any thread."""

    def __init__(self, settings: OidcSettings, *, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._guard = threading.Lock()
        self._document: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, tuple[Mapping[str, Any], ...]] | None = None

    def address(self, flow: Flow, *, redirect: str) -> str:
        """Give where to send the person. Raises: SiteUnavailable."""
        target = self._endpoint("authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": self.settings.scopes,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return f"{target}{'&' if '?' in target else '?'}{urlencode(query)}"

    @property
    def says_who_it_is(self) -> bool:
        """Tell whether each answer names the issuer (RFC 9207). Raises: SiteUnavailable."""
        return self._discover().get("authorization_response_iss_parameter_supported") is True

    def check(self) -> None:
        """See that the site is the one that was named and publishes keys that we believe.

        Raises: SiteUnavailable.
        """
        for name in ("authorization_endpoint", "token_endpoint"):
            self._endpoint(name)
        if "userinfo_endpoint" in self._discover():
            self._endpoint("userinfo_endpoint")
        if not any(key.get("kty") in _ALGORITHMS.values() for key in self._published(again=False)):
            raise SiteUnavailable(f"{self.settings.issuer} publishes no key for RS256 or ES256")

    def redeem(self, code: str, flow: Flow, *, redirect: str) -> Claims:
        """Give whom the site vouches for, for the code it sent. Raises: SignInRefused, SiteUnavailable."""
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": flow.verifier,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        methods = self._discover().get("token_endpoint_auth_methods_supported", [])
        if settings.client_secret and (not methods or "client_secret_basic" in methods):
            # each part is form-encoded first: RFC 6749, 2.3.1
            login = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            form["client_id"] = settings.client_id
            if settings.client_secret:
                form["client_secret"] = settings.client_secret
        answer = self._fetch(
            self._endpoint("token_endpoint"), body=urlencode(form).encode(), headers=headers
        )
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused("the other site sent no ID token")
        claims = self.verify(token, nonce=flow.nonce)
        lacking = self._lacking(claims)
        if lacking and "userinfo_endpoint" in self._discover():
            try:
                claims = _joined(claims, self._ask(answer, str(claims["sub"])))
            except SiteUnavailable:  # names and addresses for show are no reason to keep people out
                if lacking & self._demanded:
                    raise
        return self._admit(claims)

    def verify(self, token: str, *, nonce: str) -> Mapping[str, Any]:
        """Give the claims of an ID token that is the issuer's, for us, of this attempt, and not over.

        Raises: SignInRefused, SiteUnavailable.
        """
        settings, now = self.settings, self._clock()
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self._key(header),
                algorithms=[str(header["alg"])],  # one of ours, and of the key's kind: `_key`
                audience=settings.client_id,
                issuer=settings.issuer,
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": False,
                         "verify_nbf": False, "verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise SignInRefused("the other site's ID token cannot be believed") from error
        ends, subject, given = claims["exp"], claims["sub"], claims.get("nonce")
        if not isinstance(ends, int | float) or not ends > now - _LEEWAY_S:
            raise SignInRefused("the other site's ID token is too old")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise SignInRefused("the other site's ID token is of another sign-in")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else settings.client_id) != settings.client_id:
            raise SignInRefused("the other site's ID token is for somebody else")
        if not isinstance(subject, str) or not 1 <= len(subject) <= _WORD_LIMIT:
            raise SignInRefused("the other site's ID token names nobody")
        return claims

    @property
    def _demanded(self) -> frozenset[str]:
        """What nobody is taken without."""
        names = {name for name, _ in self.settings.claims}
        return frozenset(names | set(_EMAIL) if self.settings.domains else names)

    def _lacking(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """Name what an ID token does not say and we asked for.

        Keycloak's mappers may leave out any claim there, GitLab's tokens have no `groups`, and Core 5.4
        lets every site tell all that `profile` and `email` are for at UserInfo alone.
        """
        scopes = self.settings.scopes.split()
        wanted = set(self._demanded)
        if "email" in scopes:
            wanted.update(_EMAIL)
        if "profile" in scopes and "preferred_username" not in claims:
            wanted.add("name")
        return frozenset(wanted - claims.keys())

    def _ask(self, answer: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        """Give what the site's UserInfo says of `subject`. Raises: SignInRefused, SiteUnavailable."""
        access = answer.get("access_token")
        if not isinstance(access, str) or str(answer.get("token_type")).lower() != "bearer":
            raise SiteUnavailable(f"{self.settings.issuer} sent no token for its UserInfo")
        headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
        found = self._fetch(self._endpoint("userinfo_endpoint"), headers=headers)
        if found.get("sub") != subject:  # Core 5.3.2: it must not be used then
            raise SignInRefused("the other site's UserInfo is of somebody else")
        return found

    def _admit(self, claims: Mapping[str, Any]) -> Claims:
        """Take those the settings take. Raises: SignInRefused."""
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            email = ""
        domains = self.settings.domains
        if domains and email.rpartition("@")[2].lower() not in domains:
            raise SignInRefused(
                f"only people with an e-mail at {', '.join(domains)} sign in here",
                hint="sign in there with another account",
            )
        for name, value in self.settings.claims:
            held = claims.get(name)
            if value not in (
                [str(each) for each in held] if isinstance(held, list) else [str(held)]
            ):
                raise SignInRefused(
                    f"only people whose {name} is {value} sign in here", hint="ask the hub's admin"
                )
        return Claims(
            self.settings.issuer,
            str(claims["sub"]),
            _text(claims.get("name")),
            email[:_WORD_LIMIT],
            _text(claims.get("preferred_username")),
        )

    def _key(self, header: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an RSA or EC key
        """Give the issuer's key for a token's head; looks again for one that is not known yet."""
        algorithm = header.get("alg")
        if algorithm not in _ALGORITHMS:
            raise SignInRefused(f"ID tokens signed by {str(algorithm)[:20]!r} are not believed")
        for again in (False, True):
            fitting = [
                key
                for key in self._published(again=again)
                if key.get("kty") == _ALGORITHMS[algorithm]
                and key.get("use", "sig") == "sig"
                and key.get("alg", algorithm) == algorithm
                and header.get("kid", key.get("kid")) == key.get("kid")
            ]
            if len(fitting) == 1:
                return jwt.PyJWK(dict(fitting[0]), algorithm=algorithm).key
        raise SignInRefused("the other site's ID token is of a key it does not publish")

    def _published(self, *, again: bool) -> tuple[Mapping[str, Any], ...]:
        with self._guard:
            known = self._keys
        age = self._clock() - known[0] if known else 0.0
        if known and age < (_KEYS_AGAIN_S if again else _DOCUMENT_S):
            return known[1]
        found = self._fetch(self._endpoint("jwks_uri")).get("keys")
        keys = tuple(key for key in found or () if isinstance(key, dict))
        with self._guard:
            self._keys = (self._clock(), keys)
        return keys

    def _discover(self) -> Mapping[str, Any]:
        with self._guard:
            known = self._document
        if known and self._clock() - known[0] < _DOCUMENT_S:
            return known[1]
        issuer = self.settings.issuer
        document = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:  # Discovery 1.0, 4.3
            raise SiteUnavailable(
                f"{issuer} says it is {str(document.get('issuer'))[:_WORD_LIMIT]!r}"
            )
        with self._guard:
            self._document = (self._clock(), document)
        return document

    def _endpoint(self, name: str) -> str:
        address = self._discover().get(name)
        if not isinstance(address, str) or not _is_safe(address):
            raise SiteUnavailable(f"{self.settings.issuer} names no {name} that can be used")
        return address

    def _fetch(
        self, address: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Give a JSON document. No redirect is followed: whoever answers is whom we asked."""
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, build_opener

        request = Request(address, body, dict(headers or {}))  # noqa: S310 - `_is_safe`
        try:
            with build_opener(_no_redirects()).open(request, timeout=_TIMEOUT_S) as response:
                return decode(response.read(_LIMIT), what="document")
        except HTTPError as error:
            with error:
                said = _reason(error.read(_LIMIT))
            if body is not None and error.code in (400, 401, 403):
                raise SignInRefused(f"the other site refused the sign-in{said}") from error
            raise SiteUnavailable(f"{self.settings.issuer} answered {error.code}{said}") from error
        except (URLError, OSError, ValueError, Invalid) as error:
            reason = getattr(error, "reason", error)
            raise SiteUnavailable(
                f"{self.settings.issuer} cannot be asked: {reason}", hint="try again later"
            ) from error


def _joined(claims: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add to an ID token's claims those it lacks; an address goes with what is said of it in one place."""
    if not claims.keys() >= set(_EMAIL) and "email" in more:
        claims = {name: value for name, value in claims.items() if name not in _EMAIL}
    else:
        more = {name: value for name, value in more.items() if name not in _EMAIL}
    return {**more, **claims}


def _no_redirects() -> Any:  # noqa: ANN401 - a class that is made when it is needed
    from urllib.request import HTTPRedirectHandler

    class Refuse(HTTPRedirectHandler):
        def redirect_request(self, *_: object, **__: object) -> None:
            return None

    return Refuse


def _reason(body: bytes) -> str:
    try:
        document = decode(body, what="document")
    except Invalid:
        return ""
    text = document.get("error")
    return f" ({text[:100]!r})" if isinstance(text, str) else ""


def _is_safe(address: str) -> bool:
    """Tell whether an address is https, or of this very machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _text(value: object) -> str:
    return value[:_WORD_LIMIT] if isinstance(value, str) and value.isprintable() else ""


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
