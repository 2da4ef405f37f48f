"""Tokens that nobody of ours signed: games with heads, keys and claims."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lamina.hub.access import Caller

EC = ec.generate_private_key(ec.SECP256R1())
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWK = jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)


def claims(**other: object) -> dict[str, object]:
    now = int(time.time())
    return {
        "iss": "lamina-hub", "aud": "lamina-hub", "sub": "chief", "iat": now, "exp": now + 60,
        "access": [], "admin": True, **other,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "algorithm", "head"),
    [
        (EC, "ES256", {}),
        (EC, "ES256", {"jwk": JWK}),
        (EC, "ES256", {"kid": "../../dev/null"}),
        (EC, "ES256", {"kid": "' OR 1=1 --"}),
        (EC, "ES256", {"kid": ""}),
        (EC, "ES256", {"jku": "https://evil.example/keys"}),
        (EC, "ES256", {"x5u": "https://evil.example/cert", "x5c": ["MIIB"]}),
        (OTHER_CURVE, "ES384", {}),
        (RSA, "RS256", {}),
        ("", "none", {}),
        ("a secret of more than 32 letters.", "HS256", {}),
    ],
)
def test_a_head_chooses_neither_key_nor_algorithm(nobody, key, algorithm, head):
    ours = nobody.get("/.well-known/jwks.json").json["keys"][0]["kid"]
    for named in ({"kid": ours, **head}, head):
        token = jwt.encode(claims(), key, algorithm=algorithm, headers=named)
        for path in ("/v2/", "/v2/_catalog", "/v1/search", "/api/v1/tokens"):
            assert nobody.with_token(token).get(path).status == 401


def test_a_token_of_ours_for_another_use_is_none(hub, nobody):
    signer = hub.services.tokens._keys
    head = {"kid": signer.name}

    def get(**other: object):
        token = jwt.encode(claims(**other), signer.signer, algorithm="ES256", headers=head)
        return nobody.with_token(token).get("/v2/").status

    assert get() == 200
    for other in (
        {"aud": "other"}, {"iss": "other"}, {"exp": int(time.time()) - 1}, {"exp": "never"},
        {"sub": "gone"}, {"aud": ["other"]}, {"iat": None},
    ):  # fmt: skip
        assert get(**other) == 401


def test_a_token_says_no_more_than_its_account_may(hub, bob):
    hidden = hub.services.tokens.issue(
        Caller("bob", is_admin=True), {"alice/own": frozenset({"pull", "push", "delete"})}
    )
    answer = bob.with_token(hidden.token).request("POST", "/v2/alice/own/blobs/uploads/")
    assert answer.status == 403
