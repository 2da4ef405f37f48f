"""What Debian's docker-registry wrote itself, brought into a hub."""

import os
import shutil
import time

import pytest
from tests.consoles import Console
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.servers import RegistryServer

from lamina.hub import Hub


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder that docker-registry wrote, and what its clients were given."""
    with RegistryServer(tmp_path_factory.mktemp("registry")) as server:
        client = Client(server.address)
        given: dict[str, bytes] = {}
        for name in ("team/app", "deep/er/app", "debian"):
            push_all(client, name, given)
        raw = push(client, "team/app", "gone")
        client.request("DELETE", f"/v2/team/app/manifests/{digest(raw)}")
        yield server.folder / "data", given


def push_all(client: Client, name: str, given: dict[str, bytes]) -> None:
    for tag in ("v1", "v2"):
        raw = push(client, name, tag)
        given[f"/v2/{name}/manifests/{tag}"] = raw
    child = push(client, name, "")
    row = {"mediaType": MANIFEST, "digest": digest(child), "size": len(child)}
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    assert client.put_manifest(name, "all", index, INDEX).status == 201
    given[f"/v2/{name}/manifests/all"] = index
    given[f"/v2/{name}/manifests/{digest(child)}"] = child


def push(client: Client, name: str, tag: str) -> bytes:
    """Push an image as docker-registry takes it: an upload in two requests."""
    layers = [f"{name} {tag} {number}".encode() * 999 for number in range(2)]
    config = document(
        {"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    )
    for data in (*layers, config):
        place = client.begin(name).partition("/v2/")[2]
        sign = "&" if "?" in place else "?"
        assert client.request("PUT", f"/v2/{place}{sign}digest={digest(data)}", data).status == 201
    rows = [
        {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(data), "size": len(data)}
        for kind, data in (
            ("config.v1+json", config), ("layer.v1.tar+gzip", layers[0]), ("layer.v1.tar+gzip", layers[1]),
        )
    ]  # fmt: skip
    raw = document(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": rows[0], "layers": rows[1:]}
    )
    assert client.put_manifest(name, tag or digest(raw), raw).status == 201
    return raw


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("chief", PASSWORD)
        yield hub


def run(hub, folder, *words: str):
    console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time())
    return console.run("hub", "import-registry", *words, str(folder))


def ours(path: str) -> str:
    return path.replace("/v2/debian/", "/v2/mirrors/debian/")


def test_repositories_tags_manifests_and_blobs_come_and_a_repeat_brings_nothing(hub, kept):
    folder, given = kept
    said = run(hub, folder, "--namespace", "mirrors")
    assert (said.code, said.err.split()) == (0, ["mirrors/debian", "deep/er/app", "team/app"])
    assert said.out.startswith("3 repositories: 9 tags, 12 manifests and ")
    chief = Client(hub.address, "chief")
    assert {path: chief.get(ours(path)).body for path in given} == given
    assert chief.get("/v2/team/app/tags/list").json["tags"] == ["all", "v1", "v2"]
    for name in ("team/app", "mirrors/debian"):
        answer = chief.get(f"/v2/{name}/manifests/v1")
        assert answer.headers["content-type"] == MANIFEST
        for layer in answer.json["layers"]:
            body = chief.get(f"/v2/{name}/blobs/{layer['digest']}").body
            assert digest(body) == layer["digest"]
    assert "linux/arm64" in chief.get("/team/app").text
    again = run(hub, folder, "--namespace", "mirrors")
    assert again.out == "3 repositories: 0 tags, 0 manifests and 0 blobs (0B) are new\n"
    hub.collect()
    assert {path: chief.get(ours(path)).body for path in given} == given


def test_repositories_are_private_where_that_is_asked_for_and_those_that_were_there_stay_public(
    hub, kept
):
    folder, _ = kept
    chief, nobody = Client(hub.address, "chief"), Client(hub.address)
    chief.image("team/app", "before")
    assert run(hub, folder, "--namespace", "mirrors", "--private").code == 0
    assert nobody.get("/v2/team/app/manifests/v1").status == 200
    assert nobody.get("/v2/mirrors/debian/manifests/v1").status == 401
    assert chief.get("/v2/mirrors/debian/manifests/v1").status == 200


def test_blobs_are_hard_links_unless_copies_are_asked_for_and_stay_the_registrys(
    hub, kept, tmp_path
):
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder)
    run(hub, folder, "--namespace", "mirrors")
    linked = [path for path in folder.rglob("data") if path.is_file() and path.stat().st_nlink == 2]
    assert len(linked) == len(
        [path for path in (tmp_path / "hub/blobs").rglob("*") if path.is_file()]
    )
    with Hub(root=str(tmp_path / "other")) as other:
        other.register("chief", PASSWORD)
        run(other, folder, "--namespace", "mirrors", "--copy")
        stored = [path for path in (tmp_path / "other/blobs").rglob("*") if path.is_file()]
        assert {path.stat().st_nlink for path in stored} == {1}


def test_what_is_damaged_or_missing_is_passed_over_with_its_reason_and_comes_once_it_is_whole(
    hub, kept, tmp_path
):
    folder = tmp_path / "hurt"
    shutil.copytree(kept[0], folder)
    chief = Client(hub.address, "chief")
    layers = [f"team/app {tag} 1".encode() * 999 for tag in ("v1", "v2")]
    paths = [
        folder / "docker/registry/v2/blobs/sha256" / each[:2] / each / "data"
        for each in (digest(data)[7:] for data in layers)
    ]
    paths[0].write_bytes(b"something else")
    paths[1].unlink()
    said = run(hub, folder, "--namespace", "mirrors", "-q")
    assert said.code == 1
    assert f"{digest(layers[0])}: the bytes sent are" in said.err
    assert f"blob {digest(layers[1])} is missing" in said.err
    assert chief.get("/v2/team/app/tags/list").json["tags"] == ["all"]
    for path, data in zip(paths, layers, strict=True):
        path.write_bytes(data)
    assert run(hub, folder, "--namespace", "mirrors").code == 0
    assert chief.get("/v2/team/app/tags/list").json["tags"] == ["all", "v1", "v2"]


def test_names_of_one_part_want_a_namespace_and_other_folders_are_refused(hub, kept, tmp_path):
    said = run(hub, kept[0])
    assert (said.code, "debian has no namespace" in said.err) == (1, True)
    assert "--namespace NAME makes it NAME/debian" in said.err
    assert "'x y' can be no namespace" in run(hub, kept[0], "--namespace", "x y").err
    assert "no storage folder" in run(hub, tmp_path).err
    assert os.listdir(os.path.join(hub.root, "uploads")) == []


def test_a_hub_without_an_account_says_so(tmp_path, kept):
    with Hub(root=str(tmp_path / "empty")) as hub:
        assert "no account yet" in run(hub, kept[0], "--namespace", "mirrors").err
