"""`lamina explain push`: what it says was asked and sent is what the hub has after; and who is not let in."""

import json
import re
from pathlib import Path

import pytest
from tests.archives import archive
from tests.cli.explaining.reading import check_all, mentions, steps
from tests.commands import Lamina
from tests.servers import HubServer

PASSWORD = "correct-horse-7"


@pytest.fixture(scope="module")
def address(hub: HubServer) -> str:
    hub.register("ada", PASSWORD)
    return hub.address


@pytest.fixture
def ada(lamina: Lamina, address: str) -> Lamina:
    lamina("login", "-u", "ada", "--password-stdin", address, stdin=PASSWORD)
    return lamina


def manifest(lamina: Lamina, name: str) -> dict[str, object]:
    rows = json.loads(Path(f"{lamina.settings.root}/index.json").read_bytes())["manifests"]
    row = next(each for each in rows if name in each["annotations"].values())
    path = Path(f"{lamina.settings.root}/blobs/{row['digest'].replace(':', '/')}")
    return {"digest": row["digest"], **json.loads(path.read_bytes())}


def blobs(lamina: Lamina, name: str) -> list[str]:
    document = manifest(lamina, name)
    return [each["digest"] for each in (document["config"], *document["layers"])]  # type: ignore[misc]


def test_a_first_push_asks_sends_and_moves_the_tag_last(ada: Lamina, address: str):
    name = f"{address}/ada/first:1"
    ada("load", stdin=archive(name))
    outcome = ada.attempt("explain", "--width", "240", "push", name)
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[0] == f"The push refers to repository [{address}/ada/first]"
    told = outcome.err
    assert steps(told) == [
        "The name", "What has to be there", "Who may push", "What is there already",
        "What is lacking is sent", "The manifest, and the tag moves", "Check it yourself",
    ]  # fmt: skip
    for digest in blobs(ada, name):
        assert re.search(rf"{digest}  404  lacking$", told, re.MULTILINE)
        assert f"?digest={digest}  (with the token and " in told
    pushed = manifest(ada, name)["digest"]
    assert f"← 201 Created, {pushed}" in told
    assert told.rindex("PUT http") > told.rindex("POST http")
    assert f'← 401 Unauthorized, WWW-Authenticate: Bearer realm="http://{address}/token"' in told
    assert 'scope="repository:ada/first:pull,push"' in told
    assert check_all(told, login=f"ada:{PASSWORD}") == 1
    assert PASSWORD not in told
    assert "eyJ" not in told


def test_what_another_repository_has_is_mounted_and_what_is_there_is_not_sent(
    ada: Lamina, address: str
):
    first, second = f"{address}/ada/source:1", f"{address}/ada/target:1"
    ada("load", stdin=archive(first))
    ada("push", "-q", first)
    ada("tag", first, second)
    told = ada.attempt("explain", "--width", "240", "push", second).err
    assert "What another repository has" in steps(told)
    assert "What is lacking is sent" not in steps(told)
    for digest in blobs(ada, first):
        assert f"/v2/ada/target/blobs/uploads/?mount={digest}&from=ada/source  (" in told
    again = ada.attempt("explain", "--width", "240", "push", second).err
    assert again.count("  200  there") == len(blobs(ada, first))
    assert "What another repository has" not in steps(again)


def test_a_rehearsal_sends_nothing(ada: Lamina, address: str):
    name = f"{address}/ada/rehearsed:1"
    ada("load", stdin=archive(name))
    outcome = ada.attempt("explain", "push", "--dry-run", name)
    assert outcome.code == 0, outcome
    assert "nothing was sent, and no tag moved" in outcome.err
    assert "→ PUT" not in outcome.err
    assert "→ POST" not in outcome.err.replace("→ POST http://" + address + "/token", "")
    assert ada.attempt("manifest", "inspect", name).code == 1


def test_who_may_not_push_there_is_told_why(lamina: Lamina, address: str):
    name = f"{address}/ada/refused:1"
    lamina("load", stdin=archive(name))
    outcome = lamina.attempt("explain", "push", name)
    plain = lamina.attempt("push", name)
    assert outcome.code == plain.code == 1
    assert plain.err.splitlines()[0] in outcome.err
    assert steps(outcome.err)[-1] in ("Who may push", "What is there already")
    assert mentions(outcome.err, "It did not work")


def test_a_name_that_is_not_here_is_told_with_what_to_do(lamina: Lamina, address: str):
    outcome = lamina.attempt("explain", "push", f"{address}/ada/nothing:1")
    assert outcome.code == 1
    assert steps(outcome.err) == ["The name"]
    assert mentions(outcome.err, "`lamina tag IMAGE NAME` gives an image that name")


def test_who_is_not_let_in_is_told_how_far_it_came_what_it_means_and_gets_pulls_own_code(
    ada: Lamina, address: str
):
    ada("load", stdin=archive(f"{address}/ada/known:1"))
    ada("push", "-q", f"{address}/ada/known:1")
    for words, meaning in (
        (("ada/known:nosuch",), "no such tag or digest"),
        (("ada/nowhere:1",), "registry has no repository of that name (404)"),
        (("-a", "ada/known:1"), "makes no sense as it stands"),
    ):
        full = [*words[:-1], f"{address}/{words[-1]}"]
        plain = ada.attempt("pull", *full)
        outcome = ada.attempt("explain", "pull", *full)
        assert outcome.code == plain.code == 1
        assert plain.err.splitlines()[-1] in outcome.err.splitlines()
        after = outcome.err.partition("It did not work\n")[2]
        assert after.startswith("lamina: ")
        assert mentions(after, meaning)
    asked = ada.attempt("explain", "--width", "240", "pull", f"{address}/ada/elsewhere:1").err
    assert steps(asked) == ["The name", "Asking the registry"]
    assert mentions(asked, "An earlier command learned who gives out tokens for this registry")
    assert "for the account ada" in asked
    assert "/v2/ada/elsewhere/manifests/1  (with the token)" in asked
    assert "eyJ" not in asked


def test_a_push_of_every_tag_and_one_that_packs_anew_say_so(ada: Lamina, address: str):
    name = f"{address}/ada/several"
    ada("load", stdin=archive(f"{name}:1", f"{name}:2"))
    told = ada.attempt("explain", "push", "--all-tags", name).err
    assert re.search(r"tag +each that is here$", told, re.MULTILINE)
    assert "latest" not in told
    assert [
        told.count(f"→ PUT http://{address}/v2/ada/several/manifests/{tag}") for tag in "12"
    ] == [1, 1]
    ada("tag", f"{name}:1", f"{address}/ada/packed:1")
    words = (
        "push",
        "--compression-format",
        "zstd",
        "--force-compression",
        f"{address}/ada/packed:1",
    )
    packed = ada.attempt("explain", *words)
    assert packed.code == 0, packed
    assert mentions(packed.err, "other blobs with the same diff IDs, under another manifest")
    assert "| sha256sum" not in packed.err
