"""Signing in by way of another site, in a browser without script."""

import html
import re
import select
import socket
from urllib.parse import urlsplit

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.openid import CLIENT, SECRET, OpenId, follow
from tests.hub.raw import connect, head, nobody_listens
from tests.hub.site.pages import Browser

from lamina.hub import Hub, HubSettings
from lamina.hub.oidc import OidcSettings
from lamina.hub.tables import audit

START, PAGE = "/signin/oidc", "/settings/identities"


@pytest.fixture
def openid():
    with OpenId() as openid:
        yield openid


def serve(tmp_path, openid: OpenId, **settings: object) -> Hub:
    oidc = OidcSettings(openid.issuer, CLIENT, SECRET, name="Example", **settings)  # type: ignore[arg-type]
    return Hub(settings=HubSettings(root=str(tmp_path / "hub"), port=0, shutdown_s=2.0, oidc=oidc))


@pytest.fixture
def hub(tmp_path, openid):
    with serve(tmp_path, openid) as hub:
        hub.register("chief", PASSWORD)
        yield hub


@pytest.fixture
def visitor(hub) -> Browser:
    return Browser(hub.address)


def way(browser: Browser, start: str = START) -> str:
    """Begin; give the path with which the other site sends one back."""
    answer = browser.get(start)
    assert answer.status == 303, answer.text
    back = urlsplit(follow(answer.headers["location"]))
    return f"{back.path}?{back.query}"


def arrive(browser: Browser, name: str, start: str = START):
    """Come for the first time and choose a name."""
    page = browser.get(way(browser, start))
    assert (page.status, "Choose a name" in page.text) == (200, True)
    found = re.search(r'name="form_token" value="(\w+)"', page.text)
    assert found
    return browser.post(f"{START}/name", token=found[1], name=name)


def test_a_newcomer_chooses_a_name_and_comes_back_by_the_same_way(hub, visitor):
    assert "Sign in with Example" in visitor.get("/signin").text
    page = visitor.get(way(visitor))
    assert 'value="dana"' in page.text
    answer = arrive(visitor, "dana")
    assert (answer.status, answer.headers["location"]) == (303, "/dana")
    assert "Sign out" in visitor.get("/dana").text
    again = Browser(hub.address)
    answer = again.get(way(again, f"{START}?next=/dana/app"))
    assert (answer.status, answer.headers["location"]) == (303, "/dana/app")
    assert "Sign out" in again.get("/").text
    assert not hub.services.accounts.find("dana").is_admin
    token, _ = hub.services.access_tokens.create("dana", "docker", actions=["push"])
    assert Client(hub.address, "dana", token).get("/v2/").status == 200
    assert Client(hub.address, "dana", "").get("/v2/").status == 401


def test_a_taken_or_bad_name_is_said_beside_its_field_and_an_account_is_not_taken_over(
    hub, visitor
):
    for name, status in (("chief", 409), ("Dana!", 400), ("admin", 400)):
        answer = arrive(visitor, name)
        assert (answer.status, 'id="name-wrong"' in answer.text) == (status, True)
    assert arrive(visitor, "dana").status == 303


def test_where_nobody_registers_that_way_one_connects_an_account_first(tmp_path, openid):
    with serve(tmp_path, openid, registers=False) as hub:
        hub.register("chief", PASSWORD)
        visitor = Browser(hub.address)
        answer = visitor.get(way(visitor))
        assert (answer.status, "no account here is connected" in answer.text.lower()) == (403, True)
        assert hub.services.accounts.all()[0].name == "chief"


def test_an_account_is_connected_with_its_password_and_signs_in_that_way(hub, visitor):
    visitor.sign_in("chief")
    answer = visitor.post(PAGE, password="not it at all")
    assert (answer.status, "not your password" in answer.text) == (400, True)
    assert visitor.post(PAGE, token="", password=PASSWORD).status == 403
    page = visitor.post(PAGE, password=PASSWORD)
    found = re.search(r'class="button" href="([^"]+)"', page.text)
    assert found, page.text
    back = urlsplit(follow(html.unescape(found[1])))
    answer = visitor.get(f"{back.path}?{back.query}")
    assert answer.headers["location"] == PAGE
    assert "dana" in visitor.get(PAGE).text
    other = Browser(hub.address)
    assert other.get(way(other)).headers["location"] == "/"
    assert ">chief</a>" in other.get("/").text
    answer = visitor.post(f"{PAGE}/disconnect", page=PAGE, issuer=hub.settings.oidc.issuer)
    assert answer.status == 303
    assert hub.services.identities.of(hub.services.accounts.find("chief")) == ()
    deeds = hub.services.database.read(audit.actions)
    assert {"connect identity", "disconnect identity", "sign in"} <= set(deeds)


def test_who_is_signed_in_by_the_time_they_come_back_must_be_who_began(hub, visitor):
    hub.register("bob", PASSWORD)
    visitor.sign_in("chief")
    page = visitor.post(PAGE, password=PASSWORD)
    found = re.search(r'class="button" href="([^"]+)"', page.text)
    assert found
    back = urlsplit(follow(html.unescape(found[1])))
    visitor.cookies.pop("lamina_session")
    visitor.sign_in("bob")
    answer = visitor.get(f"{back.path}?{back.query}")
    assert (answer.status, "somebody else is signed in" in answer.text.lower()) == (403, True)
    for name in ("chief", "bob"):
        assert hub.services.identities.of(hub.services.accounts.find(name)) == ()


def test_an_answer_is_of_this_browser_and_this_attempt(hub, visitor):
    path = way(visitor)
    assert "began in another browser" in Browser(hub.address).get(path).text
    planted = Browser(hub.address)
    planted.cookies["lamina_oidc"] = visitor.cookies["lamina_oidc"]
    assert planted.get(path).status == 403
    forged = Browser(hub.address)
    forged.get("/")
    forged.cookies["lamina_oidc"] = visitor.cookies["lamina_oidc"][:-1] + "0"
    assert forged.get(path).status == 403
    assert visitor.get(re.sub(r"state=[^&]+", "state=other", path)).status == 403
    way(visitor)  # another attempt, which ends the first
    assert visitor.get(path).status == 403
    assert visitor.get(f"{START}/back").status == 403


def test_what_is_held_for_one_step_is_not_taken_for_another(hub, visitor):
    way(visitor)
    answer = visitor.post(f"{START}/name", page="/signin", name="dana")
    assert answer.status == 403
    assert hub.services.accounts.find("dana") is None


def test_what_the_other_site_refuses_or_another_site_answers_is_said(hub, openid, visitor):
    openid.refuses = "<script>alert(1)</script>"
    answer = visitor.get(way(visitor))
    assert answer.status == 403
    assert "<script>alert" not in answer.text
    openid.refuses = ""
    path = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", way(visitor))
    answer = visitor.get(path)
    assert (answer.status, "another site than" in answer.text.lower()) == (403, True)
    openid.document = {"authorization_response_iss_parameter_supported": True}
    other = Browser(hub.address)
    hub.services.provider._document = None
    assert other.get(re.sub(r"&iss=[^&]+", "", way(other))).status == 403
    assert other.get(way(other)).status == 200
    openid.claims = {"nonce": "another"}
    assert visitor.get(way(visitor)).status == 403


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aX:%20y", "javascript:alert(1)"]
)  # fmt: skip
def test_one_goes_on_to_paths_of_ours_only(hub, visitor, target):
    arrive(visitor, "dana")
    browser = Browser(hub.address)
    answer = browser.get(way(browser, f"{START}?next={target}"))
    where = answer.headers["location"]
    assert answer.status == 303
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))


def test_a_disabled_account_is_told(hub, visitor):
    arrive(visitor, "dana")
    hub.services.accounts.set_disabled("dana", is_disabled=True)
    assert "Sign in" in visitor.get("/").text
    answer = visitor.get(way(visitor))
    assert (answer.status, "is disabled" in answer.text) == (403, True)


def test_a_site_that_is_away_is_told(tmp_path):
    with nobody_listens() as address:
        oidc = OidcSettings(f"http://{address}", CLIENT, SECRET)
        settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=2.0, oidc=oidc)
        with Hub(settings=settings) as hub:
            answer = Browser(hub.address).get(START)
        assert (answer.status, "cannot be asked" in answer.text) == (502, True)


def test_a_site_that_never_answers_keeps_no_pull_waiting(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        root = str(tmp_path / "hub")
        oidc = OidcSettings(issuer, CLIENT, SECRET)
        with Hub(settings=HubSettings(root=root, port=0, shutdown_s=2.0, oidc=oidc)) as hub:
            hub.register("chief", PASSWORD)
            chief = Client(hub.address, "chief")
            waiting = [connect(hub) for _ in range(20)]
            for each in waiting:
                each.sendall(head(chief, "GET", START))
            asked = [silent.accept()[0] for _ in range(4)]
            chief.image("chief/app")
            assert chief.get("/v2/chief/app/manifests/v1").status == 200
            assert select.select(waiting, [], [], 0)[0] == []
            for each in (*waiting, *asked):
                each.close()
            silent.close()


def test_an_account_without_a_password_deletes_itself_while_it_just_signed_in(hub, visitor):
    arrive(visitor, "dana")
    assert visitor.post("/settings/delete").status == 303
    assert hub.services.accounts.find("dana") is None


def test_a_hub_without_another_site_has_none_of_these_pages(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("chief", PASSWORD)
        browser = Browser(hub.address)
        assert browser.get(START).status == 404
        assert browser.get(f"{START}/back?code=x&state=y").status == 404
        assert "Sign in with" not in browser.get("/signin").text
        browser.sign_in("chief")
        assert "offers no such sign-in" in browser.get(PAGE).text
        assert browser.post(PAGE, password=PASSWORD).status == 404
