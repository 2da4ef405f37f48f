"""One's profile, on its form and on one's page; the end of one's account."""

from html.parser import HTMLParser

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub

PAGE, END = "/settings/profile", "/settings/delete"
XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'};alert(1)//",
    "[x](javascript:alert(1))",
    "![x](javascript:alert(1))",
    '<a href="javascript:alert(1)">x</a>',
    "{{ 7*7 }}{% raw %}",
    "</textarea><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
]  # fmt: skip


SAFE = ("/", "#", "http:", "https:", "mailto:")


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.scripts: list[str] = []
        self.attributes: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")
        self.targets += [value for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
def own(tmp_path):
    """A hub of the test's own, and the browser of alice, who is no admin."""
    with Hub(root=str(tmp_path / "hub")) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        browser = Browser(hub.address)
        browser.sign_in("alice")
        yield hub, browser


def test_words_are_kept_and_shown_and_the_e_mail_only_to_those_it_is_for(own):
    hub, alice = own
    fields = {
        "display_name": "Alice B.", "about": "I make **images**.", "email": "alice@example.com",
        "password": PASSWORD,
    }  # fmt: skip
    answer = alice.post(PAGE, **fields)
    assert answer.headers["location"] == f"{PAGE}?saved=yes"
    assert 'value="Alice B."' in alice.get(PAGE).text
    page = Client(hub.address).get("/alice").text
    assert "Alice B." in page
    assert "<strong>images</strong>" in page
    assert "alice@example.com" not in page
    alice.post(PAGE, **{**fields, "password": "", "shows_email": "yes"})
    assert "mailto:alice%40example.com" in Client(hub.address).get("/alice").text


def test_another_e_mail_wants_the_password_and_other_words_do_not(own):
    hub, alice = own
    assert alice.post(PAGE, about="Hello").status == 303
    answer = alice.post(PAGE, about="Hello", email="thief@example.com", password="not it at all")
    assert (answer.status, "This is not your password" in answer.text) == (400, True)
    assert 'value="thief@example.com"' in answer.text
    assert hub.services.profiles.of("alice").email == ""


def test_what_is_wrong_is_said_beside_the_field(own):
    _, alice = own
    answer = alice.post(PAGE, display_name="x" * 65, about="y" * 4001)
    assert answer.status == 400
    assert 'id="display_name-wrong"' in answer.text
    assert 'id="about-wrong"' in answer.text


@pytest.mark.parametrize("text", XSS)
def test_no_words_of_a_person_become_script(own, text):
    hub, alice = own
    alice.post(PAGE, display_name=text[:64], about=text)
    chief = Browser(hub.address)
    chief.sign_in("chief")
    for browser, path in ((alice, PAGE), (chief, "/alice"), (chief, "/admin/audit")):
        page = browser.get(path)
        assert page.status == 200
        parser = Seen()
        parser.feed(page.text)
        assert parser.tags.isdisjoint({"svg", "iframe", "object", "embed"})
        assert all(source.startswith("/static/") for source in parser.scripts)
        assert not [name for name in parser.attributes if name.startswith("on")]
        assert not [each for each in parser.targets if not each.startswith(SAFE)]


def test_an_account_is_deleted_with_the_password_and_signs_out(own):
    hub, alice = own
    assert "You have no repositories" in alice.get(END).text
    answer = alice.post(END, password="not it at all")
    assert (answer.status, "This is not your password" in answer.text) == (400, True)
    answer = alice.post(END, password=PASSWORD)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "Sign in" in alice.get("/").text
    assert hub.services.accounts.find("alice") is None
    answer = Browser(hub.address).post("/register", name="alice", password=PASSWORD)
    assert (answer.status, "is taken" in answer.text) == (409, True)


def test_repositories_go_along_only_if_the_name_was_typed(own):
    hub, alice = own
    client = Client(hub.address, "alice")
    client.image("alice/app")
    assert 'href="/alice/app"' in alice.get(END).text
    answer = alice.post(END, password=PASSWORD, name="alicia")
    assert (answer.status, "Type alice to delete" in answer.text) == (400, True)
    assert client.get("/v2/alice/app/manifests/v1").status == 200
    assert alice.post(END, password=PASSWORD, name="alice").status == 303
    assert Client(hub.address).get("/alice/app").status == 404


def test_the_only_admin_stays(own):
    hub, _ = own
    chief = Browser(hub.address)
    chief.sign_in("chief")
    answer = chief.post(END, password=PASSWORD, name="chief")
    assert (answer.status, "only admin" in answer.text) == (400, True)
