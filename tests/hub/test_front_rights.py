"""The short way in front of aiohttp never says what is not so any more: tags, rights, logins."""

import subprocess
import sys

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.lines import MANIFEST, Line, a_hub_beside, set_private

from lamina.hub import Hub


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, and what it knows it goes on knowing."""
    return hub


@pytest.fixture(scope="module")
def image(alice) -> str:
    return str(alice.image("alice/front", "v1"))


def test_a_tag_that_moved_and_a_right_that_went_are_seen_by_the_next_request(hub, alice, chief):
    old = alice.image("alice/moves", "v1", seed="old")
    path = "/v2/alice/moves/manifests/v1"
    token = Client(hub.address, "bob").get_token("repository:alice/moves:pull").json["token"]
    bearer = f"Authorization: Bearer {token}"
    with Line(hub) as line:
        for _ in range(3):
            assert line.ask(path)[1]["docker-content-digest"] == old
            assert line.ask(path, bearer)[0] == 200
        new = alice.image("alice/moves", "v1", seed="new")
        assert line.ask(path)[1]["docker-content-digest"] == new
        assert line.ask(path, bearer)[1]["docker-content-digest"] == new
        set_private(hub, "alice/moves", 1)
        assert line.ask(path)[0] == 401
        assert line.ask(path, bearer)[0] == 404
        set_private(hub, "alice/moves", 0)
        assert line.ask(path)[0] == 200
        assert line.ask(path, bearer)[0] == 200
        assert alice.request("DELETE", "/v2/alice/moves/manifests/v1").status == 202
        assert line.ask(path)[0] == 404
        assert line.ask(path, bearer)[0] == 404


def test_what_another_process_commits_is_seen_by_the_next_request(hub, alice):
    alice.image("alice/beside", "v1")
    script = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as database:\n"
        "    database.execute(\"UPDATE repositories SET is_private = 1 WHERE name = 'alice/beside'\")\n"
    )
    with Line(hub) as line:
        for _ in range(3):
            assert line.ask("/v2/alice/beside/manifests/v1")[0] == 200
        subprocess.run([sys.executable, "-c", script, f"{hub.root}/hub.db"], check=True)
        assert line.ask("/v2/alice/beside/manifests/v1")[0] == 401


def test_an_account_disabled_by_another_process_gets_nothing_from_the_next_request_on(hub, alice):
    alice.image("alice/front", "v1")
    with a_hub_beside(hub, hub.services.clock) as other, Line(other) as line:
        token = Client(other.address, "bob").get_token("repository:alice/front:pull").json["token"]
        bearer = f"Authorization: Bearer {token}"
        for _ in range(3):
            assert line.ask(MANIFEST, bearer)[0] == 200
        hub.services.accounts.set_disabled("bob", is_disabled=True)
        try:
            assert line.ask(MANIFEST, bearer)[0] == 401
        finally:
            hub.services.accounts.set_disabled("bob", is_disabled=False)
        assert line.ask(MANIFEST, bearer)[0] == 200


def test_a_password_that_changed_is_refused_by_the_token_service_at_once(hub):
    hub.register("carol", PASSWORD)
    carol = Client(hub.address, "carol")
    for _ in range(3):
        assert carol.get_token("repository:carol/app:pull,push").status == 200
    hub.services.accounts.set_password("carol", PASSWORD + " new")
    assert carol.get_token("repository:carol/app:pull,push").status == 401


def test_what_a_token_allows_follows_the_database_at_once(hub, alice):
    alice.image("alice/opens", "v1")
    bob = Client(hub.address, "bob")
    for value, allowed in ((0, ["pull"]), (1, []), (0, ["pull"])):
        set_private(hub, "alice/opens", value)
        for _ in range(2):
            token = bob.get_token("repository:alice/opens:pull,push").json["token"]
            assert hub.services.tokens.verify(token).grants == {"alice/opens": frozenset(allowed)}


def test_an_answer_to_one_is_not_given_to_another(hub, alice):
    alice.image("alice/secret", "v1")
    set_private(hub, "alice/secret", 1)
    tokens = {
        name: Client(hub.address, name).get_token("repository:alice/secret:pull").json["token"]
        for name in ("alice", "bob", "chief", "")
    }
    expected = {"alice": 200, "bob": 404, "chief": 200, "": 401}
    with Line(hub) as line:
        for _ in range(3):
            for name, token in tokens.items():
                status = line.ask(
                    "/v2/alice/secret/manifests/v1", f"Authorization: Bearer {token}"
                )[0]
                assert status == expected[name], name
            assert line.ask("/v2/alice/secret/manifests/v1")[0] == 401
            assert line.ask("/v2/alice/secret/manifests/v1", "Authorization: Bearer x")[0] == 401


def test_an_access_token_that_was_revoked_or_ended_is_refused_though_its_answer_is_known(
    hub, alice
):
    alice.image("alice/front", "v1")
    now = [hub.services.clock()]  # stands still: on a busy machine minutes pass here
    with a_hub_beside(hub, lambda: now[0]) as other, Line(other) as line:
        tokens = other.services.access_tokens
        for days, ends in ((None, "revoked"), (1, "in time")):
            text, made = tokens.create("alice", ends, actions=["pull"], expires_in_days=days)
            now[0] += 0.0 if days is None else days * 86400 - 100.0
            short = Client(other.address, "alice", text).get_token("repository:alice/front:pull")
            bearer = f"Authorization: Bearer {short.json['token']}"
            for _ in range(3):
                said = line.ask(MANIFEST, bearer)
                assert said[0] == 200, said
            if days is None:
                hub.services.access_tokens.revoke("alice", made.id)
            else:
                now[0] += 101.0  # its short token would last longer
            assert line.ask(MANIFEST, bearer)[0] == 401


def test_a_token_that_ended_is_refused_though_its_answer_is_known(hub, image):
    token = Client(hub.address, "alice").get_token("repository:alice/front:pull").json["token"]
    bearer = f"Authorization: Bearer {token}"
    clock, ahead = hub.services.clock, [0.0]
    now = lambda: clock() + ahead[0]  # noqa: E731
    with a_hub_beside(hub, now) as other, Line(other) as line:
        for _ in range(3):
            assert line.ask(MANIFEST, bearer)[0] == 200
        ahead[0] = 1000.0
        assert line.ask(MANIFEST, bearer)[0] == 401


def test_a_token_of_a_key_that_is_believed_no_more_is_refused_though_its_answer_is_known(
    hub, image
):
    token = Client(hub.address, "alice").get_token("repository:alice/front:pull").json["token"]
    bearer = f"Authorization: Bearer {token}"
    tags = "/v2/alice/front/tags/list"
    with a_hub_beside(hub, hub.services.clock) as other, Line(other) as line:
        hub.services.signing_keys.rotate(at_once=True)  # as `rotate-keys --at-once` does, elsewhere
        for _ in range(3):  # believed until this process looks: that is promised
            assert line.ask(tags, bearer)[0] == 200
        other.services.look_for_keys()
        assert line.ask(tags, bearer)[0] == 401
    hub.services.look_for_keys()
