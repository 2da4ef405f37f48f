"""`lamina hub repo`."""

import io
import json

from tests.cli.commands.hub_logins import hub, login
from tests.hub.clients import Client

from lamina.cli.context import Context
from lamina.cli.main import main

__all__ = ["hub", "login"]


def test_a_private_repository_is_made_pushed_to_described_and_deleted(login, hub, tmp_path):
    repo = login("alice", "repo")
    alice, nobody = Client(hub.address, "alice"), Client(hub.address)
    made = repo("create", "--visible", "private", "--summary", "Anvils", "alice/app")
    assert made == (0, "alice/app\n", "")
    alice.image("alice/app")
    assert nobody.get("/v2/alice/app/manifests/v1").status == 401
    (tmp_path / "README.md").write_text("# Anvils\n", encoding="utf-8")
    said = repo("set", "--visible", "public", "--readme", str(tmp_path / "README.md"), "alice/app")
    assert said == (0, "alice/app\n", "")
    assert nobody.get("/v2/alice/app/manifests/v1").status == 200
    found = json.loads(repo("show", "--json", "alice/app")[1])[0]
    assert (found["readme"], found["summary"], found["private"]) == ("# Anvils\n", "Anvils", False)
    assert repo("rm", "alice/app") == (0, "alice/app\n", "")
    assert "is not known" in repo("show", "alice/app")[2]


def test_one_tag_is_deleted_alone_and_a_digest_with_all_its_tags(login, hub):
    repo, alice = login("alice", "repo"), Client(hub.address, "alice")
    digest = alice.image("alice/tags", "v1")
    alice.image("alice/tags", "v2")
    alice.image("alice/tags", "v3", seed="other")
    assert repo("rm", "alice/tags:v2") == (0, "alice/tags:v2\n", "")
    assert alice.get("/v2/alice/tags/tags/list").json["tags"] == ["v1", "v3"]
    assert repo("rm", f"alice/tags@{digest}")[0] == 0
    assert alice.get("/v2/alice/tags/tags/list").json["tags"] == ["v3"]


def test_what_the_hub_warns_of_is_said_once_on_stderr_after_a_push(login, hub, tmp_path):
    login("alice", "repo")  # logs in
    Client(hub.address, "alice").image("alice/nearly")
    hub.services.quotas.set("alice/nearly", hub.services.quotas.usage("alice/nearly").used + 1)
    home = str(tmp_path / "alice")
    environ = {"LAMINA_ROOT": home, "HOME": home, "DOCKER_CONFIG": f"{home}/docker"}

    def run(*words: str) -> str:
        err = io.StringIO()
        assert main([*words], Context(out=io.StringIO(), err=err, environ=environ)) == 0
        return err.getvalue()

    run("copy", f"docker://{hub.address}/alice/nearly:v1", f"oci:{tmp_path}/layout:v1")
    said = run("copy", f"oci:{tmp_path}/layout:v1", f"docker://{hub.address}/alice/nearly:v2")
    assert said.splitlines()[-1].startswith(f"Warning from {hub.address}: alice/nearly has ")
    assert said.count("Warning from") == 1


def test_lists_are_of_ones_own_namespace_or_of_another(login, hub):
    repo = login("alice", "repo")
    repo("create", "--visible", "private", "alice/empty")
    Client(hub.address, "alice").image("alice/full")
    rows = [line.split()[:3] for line in repo("ls")[1].splitlines()]
    assert rows[0] == ["NAME", "VISIBLE", "TAGS"]
    assert ["alice/empty", "private", "0"] in rows
    assert ["alice/full", "public", "1"] in rows
    assert "alice/empty" not in login("bob", "repo")("ls", "-q", "alice")[1].split()


def test_what_cannot_be_is_said(login):
    repo = login("bob", "repo")
    assert "bob may not push alice/mine" in repo("create", "alice/mine")[2]
    assert "--visible is public or private" in repo("create", "--visible", "no", "bob/x")[2]
    assert "nothing to set" in repo("set", "bob/x")[2]
    assert "cannot read /none: No such file" in repo("set", "--readme", "/none", "bob/x")[2]
    for words in (["rename", "bob/x"], ["ls", "a", "b"], ["create"], ["rm"]):
        assert "is not known" in repo(*words)[2]
