"""`lamina tags` lists a repository at its registry, page by page."""

import json

from tests.archives import archive
from tests.commands import Lamina
from tests.servers import HubServer, RegistryServer

PASSWORD = "correct horse battery"


def test_tags_of_a_repository_one_a_line(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/tags/db"
    lamina("load", stdin=archive(f"{name}:v1"))
    for tag in ("v2", "v3"):
        lamina("tag", f"{name}:v1", f"{name}:{tag}")
    lamina("push", "-a", name)
    whole = lamina("tags", name).splitlines()  # in this registry's order: that of its disk
    assert sorted(whole) == ["v1", "v2", "v3"]
    assert lamina("image", "tags", "--limit", "2", name).splitlines() == whole[:2]
    assert json.loads(lamina("tags", "--json", name)) == whole


def test_what_is_no_repository_is_said(lamina: Lamina, registry: RegistryServer):
    outcome = lamina.attempt("tags", f"{registry.address}/no/such")
    assert outcome.code == 1
    assert "no/such" in outcome.err
    outcome = lamina.attempt("tags", f"{registry.address}/tags/db:v1")
    assert outcome.code == 1
    assert f"use `lamina tags {registry.address}/tags/db`" in outcome.err
    assert lamina.attempt("tags", "--limit", "-1", f"{registry.address}/tags/db").code == 1


def test_a_private_repository_is_listed_for_its_owner_alone(lamina: Lamina, hub: HubServer):
    hub.register("tagger", PASSWORD)
    name = f"{hub.address}/tagger/secret"
    lamina("login", "-u", "tagger", "--password-stdin", hub.address, stdin=PASSWORD)
    lamina("load", stdin=archive(f"{name}:v1"))
    lamina("push", f"{name}:v1")
    assert lamina("tags", name) == "v1\n"
    assert lamina("login", "--get-login", hub.address) == "tagger\n"
    lamina("logout", hub.address)
    outcome = lamina.attempt("login", "--get-login", hub.address)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"not logged into {hub.address}" in outcome.err
