"""Docker's token service: short ES256 tokens that say what their holder may do.

Spec: the distribution project's token authentication (auth/token, auth/jwt, auth/oauth).
Keys are kept in the database, so that every process of a hub has the same; `hub/signing_keys.py`.
"""

import base64
import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lamina.hub.access import Caller
from lamina.hub.errors import CredentialsRefused
from lamina.spec.wire import Document

__all__ = [
    "ALGORITHM",
    "LEEWAY_S",
    "SERVICE",
    "Issued",
    "KeyUnknown",
    "Tokens",
    "fingerprint",
    "new_key",
    "opaque",
]

ALGORITHM = "ES256"
SERVICE = "lamina-hub"
_REMEMBERED = 4096
LEEWAY_S = 30


def new_key() -> bytes:
    """Make a private key, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def opaque() -> str:
    """Make 256 random bits to hand out; keep only their `fingerprint`."""
    return secrets.token_urlsafe(32)


def fingerprint(token: str) -> bytes:
    """Give what the database keeps of an opaque token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh token and its times in epoch seconds."""

    token: str
    issued_at: float
    lifetime_s: int


class KeyUnknown(CredentialsRefused):
    """A token names a key that is none of ours, or not yet."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """One state of the keys; `name` is the signer's, `public` are all by name."""

    pems: tuple[bytes, ...]
    signer: ec.EllipticCurvePrivateKey
    name: str
    public: Mapping[str, ec.EllipticCurvePublicKey]
    documents: tuple[dict[str, str], ...]

    @classmethod
    def parse(cls, pems: tuple[bytes, ...]) -> "_Keys":
        keys = [serialization.load_pem_private_key(pem, None) for pem in pems]
        private = [key for key in keys if isinstance(key, ec.EllipticCurvePrivateKey)]
        if not private or len(private) != len(keys):
            raise TypeError("the hub's signing keys are not elliptic curve keys")
        documents = tuple(_jwk(key.public_key()) for key in private)
        names = [document["kid"] for document in documents]
        public = {name: key.public_key() for name, key in zip(names, private, strict=True)}
        return cls(pems, private[0], names[0], public, documents)


class Tokens:
    """Issue and verify. Verified tokens are remembered until they end."""

    def __init__(self, *pems: bytes, lifetime_s: int, clock: Callable[[], float]) -> None:
        """Sign with the first of some private keys, believe all of them."""
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
        self._guard = threading.Lock()
        self._keys = _Keys.parse(pems)
        self.changes = 0
        """How often keys were changed since the process began."""

    def take(self, pems: tuple[bytes, ...]) -> None:
        """Go on with these keys; what was signed with others is not believed any more."""
        with self._guard:
            if pems != self._keys.pems:
                self._keys = _Keys.parse(pems)
                self._known.clear()
                self.changes += 1

    def issue(self, caller: Caller, grants: Mapping[str, frozenset[str]]) -> Issued:
        """Sign a token for `caller` (nobody, too) limited to `grants`."""
        now = int(self._clock())
        access = [
            {"type": "repository", "name": name, "actions": sorted(actions)}
            for name, actions in grants.items()
        ]
        claims = {
            "iss": SERVICE,
            "aud": SERVICE,
            "sub": caller.name,
            "iat": now,
            "nbf": now - LEEWAY_S,
            "exp": now + self._lifetime_s,
            "jti": secrets.token_hex(16),
            "access": access,
            "admin": caller.is_admin,
        }
        if caller.token_id:  # asked for again with each request: it may have been revoked
            claims["pat"] = caller.token_id
        keys = self._keys
        token = jwt.encode(claims, keys.signer, algorithm=ALGORITHM, headers={"kid": keys.name})
        return Issued(token, now, self._lifetime_s)

    def verify(self, token: str) -> Caller:
        """Give whom a token speaks for; with a `token_id`, that is to be looked at, too.

        Raises: CredentialsRefused.
        """
        return self.verify_until(token)[0]

    def verify_until(self, token: str) -> tuple[Caller, float]:
        """Give whom a token speaks for, and until when (epoch seconds).

        Raises: KeyUnknown, CredentialsRefused.
        """
        now = self._clock()
        with self._guard:
            known, keys = self._known.get(token), self._keys
        if known is not None and known[0] > now:
            return known[1], known[0]
        try:
            name = str(jwt.get_unverified_header(token).get("kid"))
            if name not in keys.public:
                raise KeyUnknown("the token is not one of ours", hint="log in again")
            claims = jwt.decode(
                token,
                keys.public[name],
                algorithms=[ALGORITHM],  # never what the token says it is
                audience=SERVICE,
                issuer=SERVICE,
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": False,
                         "verify_nbf": False, "verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError) as error:  # a header may hold bytes of no alphabet
            raise CredentialsRefused("the token is not one of ours", hint="log in again") from error
        if not isinstance(claims["exp"], int) or claims["exp"] <= now:
            raise CredentialsRefused("the token is too old", hint="ask for a new one")
        grants = {str(row["name"]): frozenset(map(str, row["actions"])) for row in claims["access"]}
        caller = Caller(
            str(claims["sub"]),
            bool(claims["admin"]),
            grants,
            token_id=str(claims.get("pat", "")),
        )
        with self._guard:
            if keys is self._keys:
                self._known[token] = (claims["exp"], caller)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return caller, claims["exp"]

    def recall(self, token: str) -> Caller | None:
        """Give whom a token speaks for that was verified before and has not ended; costs a look-up."""
        with self._guard:
            until, caller = self._known.get(token, (0.0, None))
        return caller if until > self._clock() else None

    def keys(self) -> Document:
        """Give the JWKS document with which others can verify our tokens."""
        return {"keys": list(self._keys.documents)}


def _jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (_base64(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
    # RFC 7638: the thumbprint of the members in this order is the key's name
    members = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    kid = _base64(hashlib.sha256(members.encode()).digest())
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": ALGORITHM}


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
