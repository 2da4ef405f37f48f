"""`lamina hub user`, beside a hub that runs."""

import io

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.hub import Hub, HubSettings
from lamina.hub.tables import audit

NEW = "a new long password"


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def user(tmp_path):
    def run(*words: str, stdin: str = "", environ: dict[str, str] | None = None):
        out, err = io.StringIO(), io.StringIO()
        env = {"LAMINA_ROOT": str(tmp_path), "HOME": str(tmp_path), **(environ or {})}
        code = main(
            ["hub", "user", *words],
            Context(out=out, err=err, stdin=io.StringIO(stdin), environ=env),
        )
        return code, out.getvalue(), err.getvalue()

    return run


def test_the_first_account_is_made_before_any_hub_runs(tmp_path, user):
    code, out, _ = user("--password-stdin", "add", "root1", stdin=PASSWORD)
    assert (code, out) == (0, "Made root1, the hub's admin\n")
    assert user("--password-stdin", "add", "alice", stdin=PASSWORD)[1] == "Made alice\n"
    with Hub(root=str(tmp_path / "hub")) as hub:
        assert hub.services.accounts.login("root1", PASSWORD, "here").is_admin


def test_a_reset_link_opens_the_page_of_the_hub(hub, user):
    code, out, err = user("--url", hub.url, "reset", "alice")
    assert (code, "within an hour" in err) == (0, True)
    path = out.strip().removeprefix(hub.url)
    assert path.startswith("/signin/reset?token=")
    assert "<strong>alice</strong>" in Browser(hub.address).get(path).text
    known = {"LAMINA_HUB_URL": "https://hub.example/"}
    assert user("reset", "alice", environ=known)[1].startswith("https://hub.example/signin/")
    assert "no account is named 'nobody'" in user("reset", "nobody")[2]


def test_an_invitation_is_printed_as_a_link_and_takes_one_in(tmp_path, user):
    settings = HubSettings(root=str(tmp_path / "hub"), port=0, registration="invitation")
    with Hub(settings=settings) as hub:
        code, out, _ = user("--url", hub.address, "invite")
        assert (code, out.startswith(f"{hub.url}/register?invitation=")) == (0, True)
        words = ["hub", "register", "--hub", hub.url, "--password-stdin", "carol"]
        for more, expected in (([], 1), (["--invitation", out.strip()], 0)):
            context = Context(
                out=io.StringIO(), err=io.StringIO(), stdin=io.StringIO(PASSWORD), environ={}
            )
            assert main([*words[:2], *more, *words[2:]], context) == expected


def test_a_disabled_account_is_out_at_once_and_back_when_enabled(hub, user):
    alice = Client(hub.address, "alice")
    token, _ = hub.services.access_tokens.create("alice", "ci", actions=["pull"])
    browser = Browser(hub.address)
    browser.sign_in("alice")
    assert alice.get("/v2/").status == 200
    assert user("disable", "alice")[:2] == (0, "alice can no longer log in\n")
    assert alice.get("/v2/").status == 401
    assert Client(hub.address, "alice", token).get("/v2/").status == 401
    assert "Sign in" in browser.get("/").text
    assert browser.sign_in("alice").status == 401
    assert "disabled" in user("ls")[1]
    assert user("enable", "alice")[:2] == (0, "alice may log in\n")
    assert alice.get("/v2/").status == 200
    assert Client(hub.address, "alice", token).get("/v2/").status == 200


def test_admins_are_made_and_unmade_and_one_stays(hub, user):
    assert user("admin", "alice")[1] == "alice is an admin of the hub\n"
    assert user("admin", "--off", "chief")[1] == "chief is no longer an admin of the hub\n"
    for words in (("admin", "--off", "alice"), ("disable", "alice"), ("rm", "alice")):
        code, _, err = user(*words)
        assert (code, "only admin" in err) == (1, True)
    assert Client(hub.address, "alice").get("/v2/").status == 200


def test_an_account_is_deleted_with_its_repositories_when_that_is_said(hub, user):
    Client(hub.address, "alice").image("alice/app")
    code, _, err = user("rm", "alice")
    assert (code, "alice still has repositories: alice/app" in err) == (1, True)
    assert user("rm", "--with-repositories", "alice")[1] == (
        "Deleted alice and 1 repositories; nobody gets the name again\n"
    )
    assert "is taken" in user("--password-stdin", "add", "alice", stdin=PASSWORD)[2]


def test_what_was_done_by_hand_is_in_the_audit_log(hub, user):
    user("disable", "alice")
    user("enable", "alice")
    rows = hub.services.database.read(
        lambda connection: audit.rows(connection, account="", action="", before=0, limit=2)
    )
    assert [(row.action, row.subject, row.address) for row in rows] == [
        ("enable account", "alice", "command line"),
        ("disable account", "alice", "command line"),
    ]


def test_words_that_are_no_verb_and_places_without_a_hub_are_told(tmp_path, user):
    for words in (("ls", "alice"), ("reset",), ("rename", "alice"), ("invite", "alice")):
        code, _, err = user(*words)
        assert (code, "hub user --help" in err) == (1, True)
    code, _, err = user("--root", str(tmp_path / "none"), "ls")
    assert (code, "no hub was ever served" in err) == (1, True)
    assert not (tmp_path / "none").exists()
