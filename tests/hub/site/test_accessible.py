"""Every page for everyone: light and dark, wide and narrow, read aloud, and by keyboard alone."""

import pytest
from playwright.sync_api import Page
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.hub.repositories import find
from tests.hub.site.examination import examine, walk_by_keyboard

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.site.navigation import items
from lamina.hub.tables import repositories
from lamina.hub.tables.roles import Role

LONG = "/alice/" + "-".join(["a-rather-long-name"] * 9)
README = """# Title

## Part

| a very long heading | another |
|---|---|
| `a_code_without_blanks_that_is_long_enough_for_two` | text |

```sh
docker run --option value --another-option another-value --and-so-on and-so-forth image
```
"""


@pytest.fixture(scope="module", autouse=True)
def content(hub, alice, bob, chief) -> None:
    """Repositories of all kinds: plain, described, pulled, many-layered, an index, artifacts, strange ones."""
    for number in range(8):
        alice.image(f"alice/app-{number}", "v1")
    for tag in ("v1", "v2"):
        alice.image("alice/web", tag, seed=tag)
    named = alice.image("alice/web", "latest", seed="latest")
    bob.image("bob/other", "v1", seed="latest")
    alice.image(LONG[1:], "v1.2.3-with-a-long-tag-name-" + "x" * 90)
    empty = alice.descriptor("alice/web", "application/vnd.oci.empty.v1+json", b"{}")
    raw = b""
    for kind in ("application/vnd.dev.cosign.artifact.sig.v1+json", "application/spdx+json"):
        subject = {"mediaType": MANIFEST, "digest": named, "size": 1}
        raw = document(
            {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": empty,
             "layers": [empty], "subject": subject}
        )  # fmt: skip
        assert alice.put_manifest("alice/web", digest(raw), raw).status == 201
    alice.put_manifest("alice/web", "an-sbom", raw)
    rows = []
    for arch in ("amd64", "arm64"):
        raw = alice.manifest("alice/web", seed=arch, arch=arch)
        alice.put_manifest("alice/web", digest(raw), raw)
        platform = {"os": "linux", "architecture": arch}
        rows.append({"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw), "platform": platform})  # fmt: skip
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/web", "multi", index, INDEX).status == 201
    layers = [alice.descriptor("alice/deep", "application/x", b"%d" % n) for n in range(40)]
    config = {
        "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest(b"%d" % n) for n in range(40)]},
        "history": [{"created_by": "RUN " + "long " * 200}], "author": "\u202enobody",
        "config": {"Env": ["A=" + "y" * 900], "Labels": {"k" * 200: "v" * 3000}},
    }  # fmt: skip
    pointer = alice.descriptor("alice/deep", "application/vnd.oci.image.config.v1+json", document(config))  # fmt: skip
    raw = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": pointer, "layers": layers})
    assert alice.put_manifest("alice/deep", "v1", raw).status == 201

    def work(connection) -> None:
        row = find(connection, "alice/web")
        repositories.describe(connection, row, summary="What it is, in one line", readme=README)
        counts = {find(connection, f"alice/app-{n}").id: n for n in range(1, 8)} | {row.id: 70}
        for day in range(30):
            now = hub.services.clock() - day * 86400
            repositories.count_pulls(connection, counts, now=now)

    hub.services.database.write(work)
    share(hub)


def share(hub: Hub) -> None:
    """An organisation of alice's with members, a team, roles and robots; one in use, one expired."""
    owner, known = Caller("alice"), hub.services
    known.organisations.create(owner, "acme")
    known.organisations.set_member(owner, "acme", "bob", is_owner=False)
    known.organisations.create_team(owner, "acme", "devs-of-" + "a" * 30)
    known.organisations.create_team(owner, "acme", "devs")
    known.organisations.join_team(owner, "acme", "devs", "bob")
    Client(hub.address, "alice").image("acme/app")
    known.roles.give(owner, "acme/app", "devs", Role.WRITE, is_team=True)
    known.roles.give(owner, "acme/app", "bob", Role.READ, is_team=False)
    token, robot = known.robots.create(owner, "acme", "ci", actions=["push"], expires_in_days=1)
    Client(hub.address, robot.login, token).get("/v2/")
    targets = [f"acme/{'very-' * 20}long-{number}" for number in range(5)]
    known.robots.create(owner, "acme", "b" * 39, actions=["delete"], targets=targets)


OPEN = (
    "/", "/?q=web", "/?q=nothing-like-it", "/?page=99", "/alice", "/bob", "/register", "/signin", "/signin/forgot",
    "/alice/web", "/alice/web/-/tags", "/alice/web/-/tags?q=none", LONG, f"{LONG}/-/tags",
    "/alice/web/-/tag/latest", "/alice/web/-/tag/v1?against=nothing", "/alice/web/-/tag/multi", "/alice/web/-/tag/an-sbom",
    "/alice/deep/-/tag/v1", "/nothing/here",
)  # fmt: skip
OWN = (
    "/", "/alice", "/alice/web", "/alice/web/-/tags", *(item.path for item in items("account")),
    *(item.path for item in items("repository", "alice/web")),
    "/acme", *(item.path for item in items("namespace", "acme")), "/acme/-/teams/devs", "/acme/app/-/members",
    "/orgs/new",
)  # fmt: skip
MEMBERS = ("/acme", *(item.path for item in items("membership", "acme")), "/acme/-/teams/devs")
ADMIN = tuple(item.path for item in items("hub"))


def go_through(page: Page, paths: tuple[str, ...]) -> None:
    """Look at each page; nothing may break the policy or fail in a script."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if "404" not in line.text else None)
    wrong = {}
    for path in paths:
        page.goto(path)
        found = [*examine(page), *said]
        said.clear()
        if found:
            wrong[path] = found
    assert wrong == {}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_pages_are_readable_named_and_no_wider_than_the_window(chromium, hub, scheme, width):
    for name, paths in (("", OPEN), ("alice", OWN), ("bob", MEMBERS), ("chief", ADMIN)):
        context = chromium.new_context(
            base_url=hub.url, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        page = context.new_page()
        if name:
            sign_in(page, name)
        go_through(page, paths)
        context.close()


def sign_in(page: Page, name: str) -> None:
    page.goto("/signin")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()


def test_every_page_can_be_walked_by_keyboard_in_the_order_one_reads(chromium, hub):
    context = chromium.new_context(base_url=hub.url, viewport={"width": 1200, "height": 800})
    page = context.new_page()
    for path in ("/", "/alice/web", "/alice/web/-/tag/multi", "/alice"):
        page.goto(path)
        assert walk_by_keyboard(page) == [], path
    sign_in(page, "alice")
    for path in (
        "/alice/web/-/tags",
        "/alice/web/-/settings",
        "/settings/tokens",
        "/acme/-/members",
        "/acme/-/robots",
    ):
        page.goto(path)
        assert walk_by_keyboard(page) == [], path
    context.close()
