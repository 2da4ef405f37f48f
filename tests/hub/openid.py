"""An OpenID provider of the test's own, on loopback: it speaks the protocol, and lies where it is told to."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLIENT", "SECRET", "OpenId", "follow"]

CLIENT, SECRET = "lamina hub", "s:cret/with+signs"
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class OpenId:
    """A context manager. Whoever comes to its sign-in page is `person`, and is sent back at once.

    `claims` changes the ID token's claims, `sign` signs it otherwise, `document` changes what is
    discovered, `refuses` has the sign-in end with that error. `userinfo` is what is told with an access
    token of the person: a document, or bytes as they are; without it there is no such place.
    """

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "1001", "preferred_username": "dana"}
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.refuses = ""
        self.userinfo: dict[str, Any] | bytes | None = None
        self.kind = "Bearer"
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._access: set[str] = set()
        openid = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                openid.asked.append(self.path)
                openid._get(self)

            def do_POST(self) -> None:
                openid.asked.append(self.path)
                openid._post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keys(self) -> list[dict[str, str]]:
        rsa_key = jwt.algorithms.RSAAlgorithm.to_jwk(_RSA.public_key(), as_dict=True)
        ec_key = jwt.algorithms.ECAlgorithm.to_jwk(_EC.public_key(), as_dict=True)
        return [{**rsa_key, "kid": "r1", "use": "sig"}, {**ec_key, "kid": "e1", "use": "sig"}]

    def token(self, nonce: str, **claims: Any) -> str:
        now = int(time.time())
        whole = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
            **self.person, **self.claims, **claims,
        }  # fmt: skip
        whole = {name: value for name, value in whole.items() if value is not None}
        if self.sign is not None:
            return self.sign(whole)
        key, kid = (_RSA, "r1") if self.algorithm == "RS256" else (_EC, "e1")
        return jwt.encode(whole, key, algorithm=self.algorithm, headers={"kid": kid})

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            asked = self.userinfo is not None
            place = {"userinfo_endpoint": f"{self.issuer}/userinfo"} if asked else {}
            document = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=a",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **place,
                **self.document,
            }
            _send(request, 200, document)
        elif parts.path == "/keys":
            _send(request, 200, {"keys": self.keys()})
        elif parts.path == "/userinfo" and self.userinfo is not None:
            if request.headers.get("Authorization", "").removeprefix("Bearer ") in self._access:
                _send(request, 200, self.userinfo)
            else:
                _send(request, 401, {"error": "invalid_token"})
        elif parts.path == "/authorize":
            assert query["response_type"] == "code"
            assert query["client_id"] == CLIENT
            assert query["code_challenge_method"] == "S256"
            assert "openid" in query["scope"].split()
            back = {"state": query["state"], "iss": self.issuer}
            if self.refuses:
                back["error"] = self.refuses
            else:
                back["code"] = secrets.token_urlsafe(16)
                self._codes[back["code"]] = query
            request.send_response(302)
            request.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
            request.end_headers()
        else:
            _send(request, 404, {"error": "no such page"})

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        login = base64.b64decode(request.headers.get("Authorization", "")[6:]).decode()
        client, _, secret = (unquote(part) for part in login.partition(":"))
        begun = self._codes.pop(form.get("code", ""), None)
        if (client, secret) != (CLIENT, SECRET):
            _send(request, 401, {"error": "invalid_client"})
        elif (
            begun is None
            or form["redirect_uri"] != begun["redirect_uri"]
            or _base64(hashlib.sha256(form["code_verifier"].encode()).digest())
            != begun["code_challenge"]
        ):
            _send(request, 400, {"error": "invalid_grant"})
        else:
            access = secrets.token_urlsafe(16)
            self._access.add(access)
            answer = {
                "access_token": access,
                "token_type": self.kind,
                "id_token": self.token(begun["nonce"]),
            }
            _send(request, 200, answer)


def _send(request: BaseHTTPRequestHandler, status: int, document: object) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()  # noqa: TID251 - not ours
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def follow(address: str) -> str:
    """Go where a browser would be sent; give where it is sent from there."""
    import http.client

    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        return connection.getresponse().headers["Location"]
    finally:
        connection.close()
