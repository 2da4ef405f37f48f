"""What is believed of another site, and what is not: against a real one on loopback."""

import base64
import hashlib
import hmac
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.hub.clients import document
from tests.hub.openid import CLIENT, SECRET, OpenId, follow

from lamina.errors import Invalid
from lamina.hub import HubSettings
from lamina.hub.oidc import Flow, OidcSettings, Provider, SignInRefused, SiteUnavailable

BACK = "http://127.0.0.1:1/signin/oidc/back"
NONCE = "a nonce"


@pytest.fixture(scope="module")
def server():
    with OpenId() as server:
        yield server


@pytest.fixture
def openid(server):
    before = {**server.__dict__, "claims": {}, "document": {}}
    yield server
    server.__dict__.update(before)


def provider(openid: OpenId, **settings: object) -> Provider:
    return Provider(OidcSettings(openid.issuer, CLIENT, SECRET, **settings), clock=time.time)  # type: ignore[arg-type]


def sign_in(site: Provider, flow: Flow | None = None):
    flow = flow or Flow.begin()
    back = follow(site.address(flow, redirect=BACK))
    assert back.startswith(BACK)
    assert f"state={flow.state}" in back
    code = back.partition("code=")[2].partition("&")[0]
    return site.redeem(code, flow, redirect=BACK)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_person_is_vouched_for_by_either_algorithm(openid, algorithm):
    openid.algorithm = algorithm
    openid.person = {"sub": "7", "name": "Dana", "email": "d@example.com", "email_verified": True}
    claims = sign_in(provider(openid))
    assert (claims.issuer, claims.subject) == (openid.issuer, "7")
    assert (claims.name, claims.email, claims.label) == ("Dana", "d@example.com", "d@example.com")


def test_an_e_mail_that_was_not_verified_is_none(openid):
    for verified in (False, None, "true", 1):
        openid.person = {"sub": "7", "email": "boss@example.com", "email_verified": verified}
        assert sign_in(provider(openid)).email == ""


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"nonce": 5}, {"aud": "somebody else"}, {"aud": None},
        {"aud": [CLIENT, "other"]}, {"aud": [CLIENT, "other"], "azp": "other"}, {"azp": "other"},
        {"iss": "https://evil.example"}, {"iss": None}, {"exp": 1}, {"exp": None}, {"exp": "soon"},
        {"exp": float("nan")}, {"iat": None}, {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_somebody_else_or_some_other_time_is_not_believed(openid, claims):
    openid.claims = claims
    with pytest.raises(SignInRefused):
        sign_in(provider(openid))


def _mac(whole, key: bytes) -> str:
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(document(value)).rstrip(b"=")

    text = part({"alg": "HS256", "kid": "r1", "typ": "JWT"}) + b"." + part(whole)
    mark = base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest()).rstrip(b"=")
    return (text + b"." + mark).decode()


def _pem() -> bytes:
    from tests.hub import openid

    return openid._RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


_FOREIGN_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_FOREIGN_EC = ec.generate_private_key(ec.SECP256R1())
_EMBEDDED = jwt.algorithms.RSAAlgorithm.to_jwk(_FOREIGN_RSA.public_key(), as_dict=True)


@pytest.mark.parametrize(
    "sign",
    [
        lambda whole: jwt.encode(whole, "", algorithm="none"),
        lambda whole: _mac(whole, _pem()),
        lambda whole: _mac(whole, SECRET.encode()),
        lambda whole: jwt.encode(whole, _FOREIGN_RSA, algorithm="RS256", headers={"kid": "r1"}),
        lambda whole: jwt.encode(whole, _FOREIGN_RSA, algorithm="RS256", headers={"kid": "r1", "jwk": _EMBEDDED}),
        lambda whole: jwt.encode(whole, _FOREIGN_RSA, algorithm="RS256", headers={"kid": "other"}),
        lambda whole: jwt.encode(whole, _FOREIGN_RSA, algorithm="PS256", headers={"kid": "r1"}),
        lambda whole: jwt.encode(whole, _FOREIGN_EC, algorithm="ES256", headers={"kid": "r1"}),
        lambda whole: jwt.encode(whole, _FOREIGN_EC, algorithm="ES256", headers={"kid": "e1"}),
        lambda whole: "no token at all",
        lambda whole: "a.b.c",
        lambda whole: "",
    ],
    ids=["none", "mac by the public key", "mac by the secret", "foreign", "embedded", "unknown kid",
         "PS256", "kind", "foreign EC", "words", "parts", "empty"],
)  # fmt: skip
def test_a_token_that_the_site_did_not_sign_is_not_believed(openid, sign):
    openid.sign = sign
    with pytest.raises(SignInRefused):
        sign_in(provider(openid))


def test_a_code_is_good_once_and_for_the_browser_that_asked(openid):
    site, flow = provider(openid), Flow.begin()
    code = follow(site.address(flow, redirect=BACK)).partition("code=")[2].partition("&")[0]
    with pytest.raises(SignInRefused, match="invalid_grant"):
        site.redeem(code, Flow.begin(), redirect=BACK)
    with pytest.raises(SignInRefused, match="invalid_grant"):
        site.redeem(code, flow, redirect=BACK)


def test_a_wrong_secret_is_told(openid):
    site = Provider(OidcSettings(openid.issuer, CLIENT, "wrong"), clock=time.time)
    with pytest.raises(SignInRefused, match="invalid_client"):
        sign_in(site)


def test_only_people_of_the_domains_and_with_the_claims_are_taken(openid):
    domains = provider(openid, domains=("example.com",))
    openid.person = {"sub": "7", "email": "d@Example.COM", "email_verified": True}
    assert sign_in(domains).subject == "7"
    for email, verified in (("d@evil.com", True), ("d@example.com", False), ("d@example.com.evil.com", True)):  # fmt: skip
        openid.person = {"sub": "7", "email": email, "email_verified": verified}
        with pytest.raises(SignInRefused, match=r"at example\.com"):
            sign_in(domains)
    claims = provider(openid, claims=(("groups", "dev"), ("hd", "example.com")))
    openid.person = {"sub": "7", "groups": ["ops", "dev"], "hd": "example.com"}
    assert sign_in(claims).subject == "7"
    for person in (
        {"groups": ["devs"], "hd": "example.com"},
        {"groups": "dev"},
        {"hd": "example.com"},
    ):
        openid.person = {"sub": "7", **person}
        with pytest.raises(SignInRefused, match="only people whose"):
            sign_in(claims)


def test_userinfo_tells_what_the_id_token_lacks(openid):
    openid.person = {"sub": "7"}
    openid.userinfo = {
        "sub": "7", "name": "Dana", "email": "d@example.com", "email_verified": True, "groups": ["dev"],
    }  # fmt: skip
    claims = sign_in(provider(openid, domains=("example.com",), claims=(("groups", "dev"),)))
    assert (claims.subject, claims.name, claims.email) == ("7", "Dana", "d@example.com")
    openid.userinfo["groups"] = ["ops"]
    with pytest.raises(SignInRefused, match="only people whose groups"):
        sign_in(provider(openid, claims=(("groups", "dev"),)))


def test_userinfo_is_not_asked_where_the_id_token_says_all_that_is_wanted(openid):
    openid.userinfo = {"sub": "7", "name": "Other", "email": "o@evil.com", "email_verified": True}
    openid.person = {"sub": "7", "preferred_username": "dana", "email": "d@example.com", "email_verified": False}  # fmt: skip
    openid.asked.clear()
    claims = sign_in(provider(openid))
    assert (claims.name, claims.email) == ("", "")
    openid.person = {"sub": "7", "hd": "example.com"}
    sign_in(provider(openid, scopes="openid", claims=(("hd", "example.com"),)))
    assert "/userinfo" not in openid.asked


def test_what_the_id_token_says_is_not_changed_by_userinfo_and_addresses_stay_with_their_check(
    openid,
):
    openid.person = {"sub": "7", "name": "Dana", "email": "boss@example.com", "groups": ["ops"]}
    openid.userinfo = {"sub": "7", "name": "Other", "email_verified": True, "groups": ["dev"]}
    claims = sign_in(provider(openid))
    assert (claims.name, claims.email) == ("Dana", "")
    openid.userinfo = {**openid.userinfo, "email": "d@evil.com"}
    assert sign_in(provider(openid)).email == "d@evil.com"
    with pytest.raises(SignInRefused, match=r"at example\.com"):
        sign_in(provider(openid, domains=("example.com",)))
    with pytest.raises(SignInRefused, match="only people whose groups"):
        sign_in(provider(openid, claims=(("groups", "dev"),)))


@pytest.mark.parametrize("subject", ["8", None, 7, ["7"], ""])
def test_userinfo_of_somebody_else_ends_the_sign_in(openid, subject):
    openid.person = {"sub": "7"}
    openid.userinfo = {"sub": subject, "email": "d@example.com", "email_verified": True}
    with pytest.raises(SignInRefused, match="somebody else"):
        sign_in(provider(openid))


@pytest.mark.parametrize(
    "changed",
    [
        {"document": {"userinfo_endpoint": "http://evil.example/userinfo"}},
        {"document": {"userinfo_endpoint": None}},
        {"kind": "DPoP"},
        {"userinfo": b"a.b.c"},
        {"userinfo": b'{"sub": "7", "hd": "example.com", "x": "' + b"x" * 2**20 + b'"}'},
    ],
    ids=["no TLS", "no address", "another kind of token", "a signed one", "without end"],
)
def test_userinfo_that_cannot_be_asked_keeps_out_only_where_something_hangs_on_it(openid, changed):
    openid.person = {"sub": "7"}
    openid.userinfo = {"sub": "7", "hd": "example.com"}
    assert sign_in(provider(openid, claims=(("hd", "example.com"),))).subject == "7"
    openid.__dict__.update(changed)
    assert sign_in(provider(openid)).subject == "7"
    with pytest.raises(SiteUnavailable):
        sign_in(provider(openid, claims=(("hd", "example.com"),)))


def test_documents_of_the_site_are_asked_for_once_and_keys_again_for_a_new_one(openid, monkeypatch):
    now = [time.time()]
    site = Provider(OidcSettings(openid.issuer, CLIENT, SECRET), clock=lambda: now[0])
    openid.asked.clear()
    for _ in range(3):
        sign_in(site)
    assert openid.asked.count("/keys") == 1
    assert openid.asked.count("/.well-known/openid-configuration") == 1
    monkeypatch.setattr(openid, "keys", lambda: [{**_EMBEDDED, "kid": "r2"}])
    openid.sign = lambda whole: jwt.encode(
        {**whole, "exp": int(now[0]) + 60}, _FOREIGN_RSA, algorithm="RS256", headers={"kid": "r2"}
    )
    with pytest.raises(SignInRefused, match="does not publish"):
        sign_in(site)
    now[0] += 61  # nobody makes us ask for keys all the time
    assert sign_in(site).subject == "1001"


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_a_site_that_is_not_the_one_that_was_named_is_not_used(openid, changed):
    openid.document = changed
    with pytest.raises(SiteUnavailable):
        provider(openid).address(Flow.begin(), redirect=BACK)


def test_a_site_that_sends_us_elsewhere_or_does_not_answer_is_told(openid):
    openid.document = {
        "jwks_uri": f"{openid.issuer}/authorize?redirect_uri=http://127.0.0.1:1/&state=x"
    }
    with pytest.raises(SiteUnavailable):
        sign_in(provider(openid))
    gone = Provider(OidcSettings("http://127.0.0.1:9", CLIENT, SECRET), clock=time.time)
    with pytest.raises(SiteUnavailable, match="cannot be asked"):
        gone.address(Flow.begin(), redirect=BACK)


def test_settings_are_read_and_what_is_missing_is_told():
    env = {
        "HOME": "/nowhere", "LAMINA_HUB_URL": "https://hub.example",
        "LAMINA_HUB_OIDC_ISSUER": "https://id.example", "LAMINA_HUB_OIDC_CLIENT_ID": "hub",
        "LAMINA_HUB_OIDC_CLIENT_SECRET": "hidden", "LAMINA_HUB_OIDC_DOMAINS": "Example.com, b.example",
        "LAMINA_HUB_OIDC_CLAIMS": "groups=dev", "LAMINA_HUB_OIDC_REGISTER": "no",
    }  # fmt: skip
    settings = HubSettings.from_environment(env)
    assert "hidden" not in repr(settings)
    oidc = settings.oidc
    assert oidc is not None
    assert (oidc.domains, oidc.claims) == (("example.com", "b.example"), (("groups", "dev"),))
    assert not oidc.registers
    for name, value in (
        ("LAMINA_HUB_URL", ""), ("LAMINA_HUB_OIDC_CLIENT_ID", ""),
        ("LAMINA_HUB_OIDC_ISSUER", "http://id.example"), ("LAMINA_HUB_OIDC_CLAIMS", "groups"),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            HubSettings.from_environment({**env, name: value})
