"""No text that anyone can set becomes markup, script or a way elsewhere, on any page that shows it."""

from html.parser import HTMLParser

import pytest
from tests.hub.clients import MANIFEST, PASSWORD, Client, document
from tests.hub.site.pages import Browser

from lamina.hub import Hub

EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script></textarea></title>{{7*7}}"
LINK = "javascript:alert(document.cookie)"
SAFE = ("/", "#", "?", "http:", "https:", "mailto:", "data:image/")
PAGES = [
    "/", "/?q=evil", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/alice", "/alice/app",
    "/alice/app/-/tag/v1", "/alice/app/-/settings", "/alice/app/-/edit", "/team",
    "/settings/profile", "/settings/tokens", "/settings/sessions", "/settings/webhooks",
    "/admin", "/admin/accounts", "/admin/accounts?q=%22%3E%3Cscript%3E", "/admin/audit",
    "/admin/audit?account=%3Cscript%3E&action=%22%3E", "/signin?next=%22%3E%3Cscript%3E",
    "/register?next=javascript:alert(1)", "/%3Cscript%3Ealert(1)%3C/script%3E",
]  # fmt: skip


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            target = (value or "").strip().lower()
            if name.startswith("on") or name in ("style", "srcdoc", "formaction"):
                self.wrong.append(f"{tag} {name}={value}")
            if name in ("href", "src", "action") and target and not target.startswith(SAFE):
                self.wrong.append(f"{tag} {name}={value}")
        source = dict(attrs).get("src") or ""
        if tag == "script" and not source.startswith("/static/"):
            self.wrong.append("script")
        if tag in ("iframe", "object", "embed", "base"):
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A hub where everything that takes a text has a hostile one; an admin and the owner look at it."""
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        alice, browser = Client(hub.address, "alice"), Browser(hub.address)
        push(alice)
        browser.sign_in("alice")
        browser.post(
            "/settings/profile", display_name=EVIL[:64], about=f"{EVIL}\n\n[x]({LINK}) ![y]({LINK})"
        )
        browser.post("/settings/tokens", name=EVIL[:64], push="yes")
        readme = f"# {EVIL}\n\n[x]({LINK}) ![y]({LINK}) <a href='{LINK}'>z</a>\n\n```{EVIL}\n```"
        browser.post("/alice/app/-/edit", summary=EVIL[:100], readme=readme)
        send(alice, "/api/v1/orgs", {"name": "team"})
        send(alice, "/api/v1/orgs/team", {"summary": EVIL}, "PATCH")
        hook = {"scope": "alice", "url": f"https://127.0.0.1:9/{EVIL}", "events": ["push"]}
        send(alice, "/api/v1/webhooks", hook)
        Client(hub.address, EVIL, "wrong password").get("/v2/")
        chief = Browser(hub.address)
        chief._client.extra["User-Agent"] = EVIL
        chief.sign_in("chief")
        yield {"alice": browser, "chief": chief}


def send(client: Client, path: str, value: object, method: str = "POST") -> None:
    client.request(method, path, document(value), Content_Type="application/json")


def push(alice: Client) -> None:
    """An image whose every text is hostile."""
    config = {
        "architecture": "amd64", "os": "linux", "author": EVIL, "created": "2026-11-20T10:00:00Z",
        "config": {
            "Cmd": [EVIL], "Env": [f"A={EVIL}"], "Labels": {EVIL: EVIL, "url": LINK}, "User": EVIL,
            "WorkingDir": EVIL, "ExposedPorts": {EVIL: {}}, "Volumes": {EVIL: {}},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created_by": f"RUN {EVIL}", "comment": EVIL, "author": EVIL, "empty_layer": True}],
    }  # fmt: skip
    raw = document(config)
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": alice.descriptor("alice/app", "application/vnd.oci.image.config.v1+json", raw),
        "annotations": {
            EVIL: EVIL, "org.opencontainers.image.source": LINK,
            "org.opencontainers.image.url": LINK, "org.opencontainers.image.title": EVIL,
            "org.opencontainers.image.documentation": LINK,
        },
    }  # fmt: skip
    assert alice.put_manifest("alice/app", "v1", document(manifest)).status == 201


@pytest.mark.parametrize("who", ["alice", "chief"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_hostile_texts_is_a_page_of_texts(told, who, path):
    page = told[who].get(path)
    assert page.status in (200, 303, 404)
    seen = Seen()
    seen.feed(page.text)
    assert seen.wrong == []
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_the_texts_were_taken(told):
    assert "alert(1)" in told["chief"].get("/alice").text
    assert "alert(1)" in told["chief"].get("/alice/app").text
    assert "alert(1)" in told["chief"].get("/alice/app/-/tag/v1").text
    assert "alert(1)" in told["alice"].get("/settings/tokens").text
    assert "alert(1)" in told["chief"].get("/settings/sessions").text
