"""The search that docker and podman ask for."""

import subprocess

from tests.hub.clients import document


def search(client, query: str) -> list[str]:
    answer = client.get(f"/v1/search?{query}")
    assert answer.status == 200
    assert answer.json["num_results"] == len(answer.json["results"])
    return [row["name"] for row in answer.json["results"]]


def push(client, name: str) -> None:
    config = client.push_blob(name, b"{}")
    kind = "application/vnd.oci.image.manifest.v1+json"
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2}
    raw = document({"schemaVersion": 2, "mediaType": kind, "config": empty, "layers": []})
    assert client.request("PUT", f"/v2/{name}/manifests/v1", raw, Content_Type=kind).status == 201


def test_what_may_be_seen_is_found_by_words_up_to_the_limit(alice, nobody):
    for name in ("alice/seeker-one", "alice/seeker-two"):
        push(alice, name)
    assert sorted(search(nobody, "q=seeker")) == ["alice/seeker-one", "alice/seeker-two"]
    assert search(nobody, "q=seeker+two&n=5") == ["alice/seeker-two"]
    assert len(search(nobody, "q=seeker&n=1")) == 1
    assert len(search(nobody, "q=seeker&n=-1")) == 2
    assert search(nobody, "q=nothing-like-it") == []


def test_podman_searches_the_hub(hub, alice, tmp_path):
    push(alice, "alice/by-podman")
    (tmp_path / "auth.json").write_text("{}")
    done = subprocess.run(
        ["podman", "search", "--authfile", str(tmp_path / "auth.json"), "--tls-verify=false", f"{hub.address}/by-podman", "--format", "{{.Name}}"],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, [f"{hub.address}/alice/by-podman"]), done
