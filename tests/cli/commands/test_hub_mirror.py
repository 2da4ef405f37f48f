"""`lamina hub mirror`, as an admin with the login that `lamina login` keeps."""

import json

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub
from lamina.hub.access import Caller


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        hub.register("chief", PASSWORD)
        yield hub


@pytest.fixture
def mirror(run, hub):
    words = ("login", "-u", "chief", "--password-stdin", hub.address)
    assert run(*words, stdin=PASSWORD)[0] == 0
    return lambda *words, stdin="": run("hub", "mirror", "--hub", hub.address, *words, stdin=stdin)


def test_a_rule_is_made_run_looked_into_and_removed(mirror, hub, tmp_path):
    with Hub(root=str(tmp_path / "origin")) as origin:
        origin.register("team", PASSWORD)
        Client(origin.address, "team").image("team/app", "v1")
        source = f"{origin.address}/team/app"
        code, out, err = mirror("create", "chief/app", source, "--tags", "v*", "--every", "6")
        assert (code, f"chief/app is filled from {source}" in err) == (0, True)
        named = out.strip()
        hub.services.mirroring.begin_due()
        hub.services.mirroring.wait()
        header, row = mirror("ls")[1].splitlines()
        assert header.split()[:2] == ["MIRROR", "ID"]
        assert row.split()[:4] == [named, "chief/app", source, "v*"]
        assert "done: 1 copied, 0 as before" in row
        code, out, err = mirror("log", named)
        assert ("v1: copied sha256:" in out, "done: 1 copied" in err) == (True, True)
        assert json.loads(mirror("log", named, "--json")[1])[0]["state"] == "done"
        assert mirror("run", named)[:2] == (0, f"{named}\n")
        assert mirror("rm", named)[:2] == (0, f"{named}\n")
        assert mirror("ls", "-q")[1] == ""
        tags = hub.services.registry.tag_names(
            Caller("chief", is_admin=True), "chief/app", last="", limit=9
        )
        assert tags == ("v1",)


def test_one_that_has_not_run_says_so_and_what_is_wrong_is_said(mirror, hub):
    code, out, err = mirror("create", "chief/app", "Debian")
    assert (code, out, "repository name" in err) == (1, "", True)
    assert "use 'lamina hub mirror ls'" in mirror("frobnicate")[2]
    assert "no mirroring rule" in mirror("log", "absent")[2]
