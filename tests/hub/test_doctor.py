"""What the doctor says of a folder; PostgreSQL and S3 are in test_replicas.py."""

import os
import time
from datetime import UTC, datetime, timedelta

import trustme
from tests.hub.openid import CLIENT, SECRET, OpenId
from tests.hub.smtp import MailBox

from lamina.hub import Hub, HubSettings
from lamina.hub.doctor import Finding, examine
from lamina.hub.oidc import OidcSettings


def by_subject(settings: HubSettings) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(settings)}


def test_a_hub_that_is_yet_to_be_has_nothing_wrong_and_nothing_is_made(tmp_path):
    found = by_subject(HubSettings(root=str(tmp_path / "hub")))
    assert all(finding.is_good for finding in found.values())
    assert "will be made" in found["database"].text
    assert os.listdir(tmp_path) == []


def test_a_setting_that_is_none_is_wrong(tmp_path):
    environ = {"LAMINA_HUB_ROOT": str(tmp_path), "LAMINA_HUB_PROXY": "10.0.0.0/8"}
    found = by_subject(HubSettings.from_environment(environ))["settings"]
    assert (found.is_good, found.hint) == (False, "did you mean LAMINA_HUB_PROXIES?")


def test_a_hub_that_runs_is_intact_and_up_to_date(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        before = set(os.listdir(hub.root))
        found = by_subject(hub.settings)
        assert set(os.listdir(hub.root)) == before
    assert found["database"].text.endswith("intact")
    assert found["schema"].text.endswith("up to date")
    assert "can be written" in found["storage"].text
    assert "free" in found["room"].text


def test_a_certificate_is_looked_at_before_it_ends(tmp_path):
    def issue(**life: int) -> Finding:
        moment = datetime.fromtimestamp(time.time(), UTC) + timedelta(**life)
        issued = trustme.CA().issue_cert("hub.example", not_after=moment)
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "hub.pem"))
        settings = HubSettings(root=str(tmp_path), certificate=str(tmp_path / "hub.pem"))
        return by_subject(settings)["certificate"]

    assert issue(days=90).is_good
    soon = issue(days=3)
    assert (soon.is_good, "SIGHUP" in soon.hint) == (False, True)
    assert issue(days=-1).text.startswith("it ended on")
    nothing = HubSettings(root=str(tmp_path), certificate=str(tmp_path / "none"))
    assert "is not there" in by_subject(nothing)["certificate"].text


def test_a_damaged_database_is_said_to_be_damaged(tmp_path):
    (tmp_path / "hub.db").write_bytes(b"this is no database" * 1000)
    found = by_subject(HubSettings(root=str(tmp_path)))["database"]
    assert (found.is_good, found.sign) == (False, "wrong")
    assert "damaged" in found.text
    assert "backup" in found.hint


def test_the_mail_server_and_the_other_site_are_asked(tmp_path):
    with MailBox() as box, OpenId() as openid:
        settings = HubSettings(
            root=str(tmp_path), smtp=box.url, mail_from="hub@example.com",
            public_url="https://hub.example", oidc=OidcSettings(openid.issuer, CLIENT, SECRET),
        )  # fmt: skip
        told = {each.subject: each for each in examine(settings)}
        assert told["mail"].is_good
        assert "https://hub.example/signin/oidc/back" in told["sign-in"].text
        assert any(word.startswith("AUTH") for word in box.words)
        openid.document = {"jwks_uri": f"{openid.issuer}/nowhere"}
        told = {each.subject: each for each in examine(settings)}
        assert not told["sign-in"].is_good
    told = {each.subject: each for each in examine(settings)}
    assert (told["mail"].is_good, told["sign-in"].is_good) == (False, False)
    assert "s@cret" not in str(told)
