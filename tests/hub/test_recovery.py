"""Links by mail: to whom they go, how often, and what a stranger learns of it."""

import re

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.site.pages import Browser
from tests.hub.smtp import MailBox

from lamina.errors import Invalid
from lamina.hub import Hub, HubSettings
from lamina.hub.tables.profiles import Profile

NEW = "a new long password"


@pytest.fixture
def box():
    with MailBox() as box:
        yield box


@pytest.fixture
def hub(tmp_path, box):
    settings = HubSettings(
        root=str(tmp_path / "hub"), port=0, shutdown_s=2.0, smtp=box.url,
        mail_from="hub@example.com", public_url="https://hub.example",
    )  # fmt: skip
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        hub.services.profiles.change("alice", Profile(email="alice@example.com"))
        yield hub


def ask(hub: Hub, who: str):
    browser = Browser(hub.address)
    browser.cookies["x"] = "y"
    return browser.post("/signin/forgot", who=who)


def test_who_lost_a_password_gets_a_link_that_works_once(hub, box):
    assert ask(hub, "Alice").status == 200
    mail = box.next()
    assert "To: alice@example.com" in mail
    found = re.search(r"https://hub\.example(/signin/reset\?token=[\w-]+)", mail)
    assert found, mail
    browser = Browser(hub.address)
    page = browser.get(found[1])
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert "<strong>alice</strong>" in page.text
    token = found[1].partition("token=")[2]
    answer = send(browser, found[1], token, "short")
    assert (answer.status, "at least 8 characters" in answer.text) == (400, True)
    answer = send(browser, found[1], token, NEW)
    assert (answer.status, answer.headers["location"]) == (303, "/alice")
    assert "Sign out" in browser.get("/alice").text
    assert browser.get(found[1]).status == 404
    assert hub.services.accounts.login("alice", NEW, "here").name == "alice"


def send(browser: Browser, page: str, token: str, password: str):
    from urllib.parse import urlencode

    fields = {"form_token": browser.token(page), "token": token, "password": password}
    return browser.send("/signin/reset", urlencode(fields).encode())


def test_a_stranger_learns_nothing_and_floods_no_mailbox(hub, box):
    answers = [ask(hub, who) for who in ("alice@example.com", "alice", "bob", "nobody", "a\0b")]
    texts = {re.sub(r'value="\w+"', "", answer.text) for answer in answers}
    assert {answer.status for answer in answers} == {200}
    assert len(texts) == 1
    assert "To: alice@example.com" in box.next()
    hub.stop()  # waits for what is being sent
    assert box.mails.empty()


def test_asking_again_and_again_has_to_wait(hub):
    statuses = [ask(hub, "nobody").status for _ in range(9)]
    assert statuses == [200] * 8 + [429]


def test_a_hub_without_mail_says_whom_to_ask(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        browser = Browser(hub.address)
        assert "Ask its admin" in browser.get("/signin/forgot").text
        answer = browser.post("/signin/forgot", page="/signin", who="alice")
        assert (answer.status, "Ask its admin" in answer.text) == (400, True)


def test_links_in_mails_are_of_an_address_that_no_request_chose(tmp_path):
    mail = {"LAMINA_HUB_SMTP": "smtp://h", "LAMINA_HUB_MAIL_FROM": "hub@example.com"}
    with pytest.raises(Invalid, match="the hub's address"):
        HubSettings.from_environment({**mail, "HOME": str(tmp_path)})
    with pytest.raises(Invalid, match="mails cannot come"):
        HubSettings.from_environment({"LAMINA_HUB_SMTP": "smtp://h", "HOME": str(tmp_path)})
    settings = HubSettings.from_environment(
        {**mail, "HOME": str(tmp_path), "LAMINA_HUB_URL": "https://hub.example"}
    )
    assert settings.smtp not in repr(settings)
