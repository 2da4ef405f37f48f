"""The page of robots: one's own and an organisation's."""

import re

import pytest
from tests.hub.clients import Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access import Caller

ROBOTS = "/acme/-/robots"


@pytest.fixture(scope="module", autouse=True)
def acme(hub: Hub) -> None:
    hub.services.organisations.create(Caller("alice"), "acme")


def shown(text: str) -> str:
    """The token that a page shows."""
    found = re.search(r"<code>(lamina_robot_[\w-]+)</code>", text)
    assert found
    return found[1]


def test_a_robot_is_made_shown_once_renewed_and_revoked(owner, hub):
    made = owner.post(ROBOTS, name="ci", push="yes", days="30", targets="acme/app acme/web")
    assert made.status == 201
    first = Client(hub.address, "acme+ci", shown(made.text))
    assert first.get("/v2/").status == 200
    page = owner.get(ROBOTS).text
    assert "acme+ci" in page
    assert "lamina_robot_" not in page
    assert "in acme/app, acme/web" in page
    renewed = owner.post(f"{ROBOTS}/ci", page=ROBOTS, do="renew")
    assert renewed.status == 200
    assert first.get("/v2/").status == 401
    assert Client(hub.address, "acme+ci", shown(renewed.text)).get("/v2/").status == 200
    gone = owner.post(f"{ROBOTS}/ci", page=ROBOTS, do="revoke")
    assert (gone.status, gone.headers["location"]) == (303, ROBOTS)
    assert "acme+ci" not in owner.get(ROBOTS).text


def test_what_is_wrong_is_said_beside_the_field(owner):
    wrong = owner.post(ROBOTS, name="C I", targets="bob/app", days="7")
    assert wrong.status == 400
    assert 'id="name-wrong"' in wrong.text
    assert 'id="targets-wrong"' in wrong.text
    assert owner.post(f"{ROBOTS}/none", page=ROBOTS, do="renew").status == 404
    assert owner.post(f"{ROBOTS}/none", page=ROBOTS, do="dance").status == 404


def test_ones_own_robots_are_among_ones_own_settings(owner):
    assert "Robots of alice" in owner.get("/settings/robots").text
    made = owner.post("/alice/-/robots", name="backup", days="0")
    assert made.status == 201
    assert 'href="/settings/tokens"' in made.text
    gone = owner.post("/alice/-/robots/backup", page="/settings/robots", do="revoke")
    assert gone.headers["location"] == "/settings/robots"


def test_others_neither_see_nor_make_robots(hub, visitor):
    bob = Browser(hub.address)
    bob.sign_in("bob")
    token = bob.token("/settings/robots")
    assert bob.get(ROBOTS).status == 403
    assert bob.post(ROBOTS, token=token, name="mine").status == 403
    assert bob.post(f"{ROBOTS}/ci", token=token, do="revoke").status == 403
    assert visitor.get(ROBOTS).headers["location"] == f"/signin?next={ROBOTS}"
    assert visitor.get("/settings/robots").headers["location"] == "/signin?next=/settings/robots"
    assert visitor.post(ROBOTS, page="/", name="mine", token="x").status == 403
