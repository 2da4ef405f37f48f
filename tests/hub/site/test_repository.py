"""A repository's page, its text, its settings, and the pages of its images."""

import pytest
from tests.hub.clients import INDEX, MANIFEST, digest, document
from tests.hub.site.pages import Browser


@pytest.fixture(scope="module", autouse=True)
def images(alice):
    alice.image("alice/app", "v1", seed="first")
    alice.image("alice/app", "v2", seed="second")
    alice.image("alice/app", "latest", seed="third")


def test_a_repository_shows_its_tags_and_the_exact_commands(hub, visitor):
    text = visitor.get("/alice/app").text
    assert f"<code>lamina pull {hub.address}/alice/app:latest</code>" in text
    assert f"<code>docker pull {hub.address}/alice/app:latest</code>" in text
    for part in ('/alice/app/-/tag/v1"', "linux/amd64", ' by <a href="/alice">', "ago</time>"):
        assert part in text
    assert "Settings" not in text


def test_a_tag_shows_who_made_each_layer_and_how_large_it_is(hub, visitor, alice):
    named = alice.head("/v2/alice/app/manifests/v1").headers["docker-content-digest"]
    text = visitor.get("/alice/app/-/tag/v1").text
    assert named in text
    assert "<b>RUN</b> apt-get install -y &lt;python3&gt;" in text
    assert "<b>ENV</b> A=b" in text
    assert text.index("<b>RUN</b>") < text.index("<b>ADD</b>")
    assert 'aria-label="The image&#39;s 2 layers' in text or "The image's 2 layers" in text
    assert f"lamina pull {hub.address}/alice/app:v1" in text
    assert visitor.get(f"/alice/app/-/manifest/{named}").status == 200


def test_an_index_shows_its_platforms(visitor, alice):
    rows = []
    for arch in ("arm64", "amd64"):
        raw = alice.manifest("alice/app", seed=arch, arch=arch)
        alice.put_manifest("alice/app", digest(raw), raw)
        platform = {"os": "linux", "architecture": arch}
        rows.append(
            {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw), "platform": platform}
        )
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/app", "multi", index, INDEX).status == 201
    assert "Digest for linux/amd64" in visitor.get("/alice/app/-/tag/multi").text
    assert (
        "Digest for linux/arm64" in visitor.get("/alice/app/-/tag/multi?platform=linux/arm64").text
    )


def test_the_owner_writes_the_text_and_everyone_reads_it(owner, visitor):
    page = "/alice/app/-/edit"
    readme = "# Hello\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))"
    assert (
        owner.post(page, summary=" A  short\nline ", readme=readme).headers["location"]
        == "/alice/app"
    )
    text = visitor.get("/alice/app").text
    assert "A short line" in text
    assert '<h3 id="readme-hello">Hello</h3>' in text
    assert "<script>alert" not in text
    assert 'href="javascript' not in text
    answer = owner.post(page, summary="x" * 161, readme="")
    assert (answer.status, "At most 160 characters" in answer.text) == (400, True)


def test_strangers_change_nothing(hub, visitor):
    for page in ("edit", "settings"):
        assert (
            visitor.get(f"/alice/app/-/{page}")
            .headers["location"]
            .startswith("/signin?next=/alice/app")
        )
    other = Browser(hub.address)
    other.sign_in("bob")
    for page in ("edit", "settings"):
        assert other.get(f"/alice/app/-/{page}").status == 403
    for path, fields in (
        ("edit", {"summary": "mine"}), ("settings", {"visibility": "private"}),
        ("delete-tags", {"tag": "v1"}), ("delete", {"confirm": "alice/app"}),
    ):  # fmt: skip
        assert other.post(f"/alice/app/-/{path}", page="/", **fields).status == 403
    assert visitor.get("/alice/app/-/tag/v1").status == 200


def test_a_private_repository_is_found_by_its_owner_only(owner, visitor, alice, hub):
    alice.image("alice/diary")
    assert owner.post("/alice/diary/-/settings", visibility="private").status == 303
    assert owner.get("/alice/diary").status == 200
    stranger = Browser(hub.address)
    stranger.sign_in("bob")
    for who in (visitor, stranger):
        for path in (
            "/alice/diary",
            "/alice/diary/-/tag/v1",
            "/alice/absent",
            "/alice/absent/-/tag/v1",
        ):
            assert who.get(path).status == 404
    assert (
        visitor.get("/alice/diary").text.replace("diary", "absent")
        == visitor.get("/alice/absent").text
    )
    assert owner.post("/alice/diary/-/settings", visibility="public").status == 303
    assert visitor.get("/alice/diary").status == 200


def test_a_tag_and_then_the_repository_are_deleted(owner, visitor, alice):
    alice.image("alice/short", "v1")
    alice.image("alice/short", "v2", seed="two")
    assert (
        owner.post("/alice/short/-/delete-tags", page="/alice/short/-/settings", tag="v1").status
        == 303
    )
    assert visitor.get("/alice/short/-/tag/v1").status == 404
    answer = owner.post(
        "/alice/short/-/delete", page="/alice/short/-/settings", confirm="alice/other"
    )
    assert (answer.status, "Type alice/short" in answer.text) == (400, True)
    answer = owner.post(
        "/alice/short/-/delete", page="/alice/short/-/settings", confirm="alice/short"
    )
    assert answer.headers["location"] == "/alice"
    assert visitor.get("/alice/short").status == 404
    assert alice.get("/v2/alice/short/tags/list").status == 404


def test_an_artifact_has_a_page_too(visitor, alice):
    config = alice.descriptor("alice/chart", "application/vnd.cncf.helm.config.v1+json", b"{}")
    file = alice.descriptor(
        "alice/chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart"
    )
    raw = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [file]})
    assert alice.put_manifest("alice/chart", "1.0", raw).status == 201
    assert "application/vnd.cncf.helm" in visitor.get("/alice/chart/-/tag/1.0").text
    assert visitor.get("/alice/chart").status == 200
