"""A read-only hub: every way to change something is closed, by the router's own list."""

from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub, HubSettings
from lamina.hub.app import create_app

WORDS = "moving until 18:00"
LOGINS = {"/signin", "/signout", "/token"}


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> Iterator[Hub]:
    """A hub with alice's image, started again to take nothing."""
    root = str(tmp_path_factory.mktemp("hub"))
    with Hub(root=root) as hub:
        hub.register("chief", PASSWORD)
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/app")
    settings = HubSettings(root=root, port=0, shutdown_s=1, read_only=WORDS)
    with Hub(settings=settings) as hub:
        yield hub


def test_every_route_that_changes_something_says_why_it_does_not(still):
    asked = 0
    admin = Client(still.address, "chief")
    for route in create_app(still.services).router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if route.method in ("GET", "HEAD", "*") or path in LOGINS:
            continue
        asked += 1
        found = path.replace("{", "").replace("}", "")
        answer = admin.request(route.method, found, b"{}", Content_Type="application/json")
        assert answer.status == 405, (route.method, path, answer)
        assert WORDS in answer.text, path
    assert asked > 20


@pytest.mark.parametrize("what", ["settings", "edit", "delete-tags", "delete", "retention"])
def test_forms_of_repositories_are_refused_with_a_page(still, what):
    browser = Browser(still.address)
    assert browser.sign_in("alice").status == 303
    answer = browser.post(f"/alice/app/-/{what}", page="/", tag="v1", confirm="alice/app")
    assert answer.status == 405
    assert WORDS in answer.text
    assert answer.headers["allow"] == "GET, HEAD"


def test_people_sign_in_and_out_and_programs_get_tokens(still):
    browser = Browser(still.address)
    assert browser.sign_in("alice").status == 303
    assert "Sign out" in browser.get("/alice/app").text
    assert browser.post("/signout", page="/").status == 303
    alice = Client(still.address, "alice")
    assert alice.get_token("repository:alice/app:pull", offline_token="true").status == 200
    assert alice.get("/v2/alice/app/manifests/v1").status == 200
