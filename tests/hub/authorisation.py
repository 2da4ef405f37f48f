"""A hub with everyone who may ask for something, put back as it was before each request.

`docs/hub/authorisation.md` says in tables what each of them is answered; this reads the tables, says
which route a row is about, and asks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub.authorisation_bodies import BODIES
from tests.hub.clients import MANIFEST, PASSWORD, Answer, Client, digest, document
from tests.hub.repositories import hide
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.app import create_app
from lamina.hub.database import Connection
from lamina.hub.databases.tables import fill, rows, tables
from lamina.hub.names import is_repository
from lamina.hub.site import below
from lamina.hub.tables.roles import Role
from lamina.hub.v2.routes import PATHS

__all__ = [
    "ABSENT",
    "COLUMNS",
    "PRIVATE",
    "Row",
    "World",
    "cell",
    "read_table",
    "route_of",
    "routes",
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "hub" / "authorisation.md"
COLUMNS = (
    "anonymous", "stranger", "reader", "writer", "admin", "robot", "expired", "owner", "hub admin",
)  # fmt: skip
PRIVATE, ABSENT = "acme/secret", "acme/absent"  # of one length: answers may be compared
_NAMES = {
    "stranger": "sam", "reader": "max", "writer": "will", "admin": "ada", "owner": "olga",
    "hub admin": "chief",
}  # fmt: skip
_OLGA, _CHIEF = Caller("olga"), Caller("chief", is_admin=True)
_ROW = re.compile(r"\| `([A-Z]+) (\S+)` \|(.*)\|")


@dataclass(frozen=True, slots=True)
class Row:
    """One request of the document, and what each is answered: as `cell` says, or yes and no for lists."""

    method: str
    path: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def cell(answer: Answer) -> str:
    """What an answer is in the table: its status, or that it leads to the form to sign in."""
    if answer.headers.get("location", "").startswith("/signin"):
        return "sign in"
    return str(answer.status)


def read_table(heading: str = "") -> tuple[Row, ...]:
    """The rows below a heading of the document, or all that hold statuses."""
    found_rows = []
    section = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        found = _ROW.fullmatch(line)
        if found and (section == heading if heading else section != "What lists show"):
            cells = tuple(cell.strip() for cell in found[3].split("|"))
            assert len(cells) == len(COLUMNS), line
            found_rows.append(Row(found[1], found[2], cells))
    assert found_rows, f"no table below {heading!r}"
    return tuple(found_rows)


def routes(hub: Hub) -> set[str]:
    """Every route there is: of the application, below `/v2/`, and below `/NAME/-/`."""
    found = set()
    for route in create_app(hub.services).router.routes():
        info = route.resource.get_info() if route.resource else {}
        path = info.get("path") or info.get("formatter")
        if route.method not in ("*", "HEAD"):  # HEAD is GET's
            found.add(f"{route.method} {path}")
    for pattern, methods in PATHS:
        found |= {f"{method} {pattern}" for method in methods}
    found |= {"GET /v2/", "GET /NAMESPACE", "GET /REPOSITORY"}
    for kind, table, one in _BELOW:
        found |= {f"{method} /{kind}/-/{what}{one}" for method, what in table}
    return found


_BELOW: tuple[tuple[str, Mapping[tuple[str, str], object], str], ...] = (
    ("REPOSITORY", below.OF_REPOSITORIES, ""),
    ("REPOSITORY", below.ONE_OF_REPOSITORIES, "/ONE"),
    ("NAMESPACE", below.OF_NAMESPACES, ""),
    ("NAMESPACE", below.ONE_OF_NAMESPACES, "/ONE"),
)


def route_of(hub: Hub, method: str, path: str) -> str:
    """The route that a request goes to, named as `routes` names it."""
    path = urlsplit(path).path
    if path == "/v2/":
        return "GET /v2/"
    if path.startswith("/v2/"):
        for pattern, methods in PATHS:
            if re.fullmatch(pattern, path):
                assert method in methods, path
                return f"{method} {pattern}"
    for route in create_app(hub.services).router.routes():
        info = route.resource.get_info() if route.resource else {}
        known = info.get("path") or info.get("formatter")
        same = re.fullmatch(info["pattern"], path) if "pattern" in info else known == path
        if same and method == route.method:
            return f"{method} {known}"
    name, mark, what = path[1:].partition("/-/")
    kind = "REPOSITORY" if is_repository(name) else "NAMESPACE"
    if not mark:
        return f"{method} /{kind}"
    return f"{method} /{kind}/-/{what.partition('/')[0]}{'/ONE' if '/' in what else ''}"


class World:
    """The people of the document's columns, logged in and signed in, and acme, which is olga's.

    `reader` is a plain member of acme, whose members may read; `writer` and `admin` have their role
    in acme/secret, which is private, and are no members. The robot may push. `expired` is a token of
    the owner's whose time is over.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        for name in ("chief", *sorted(set(_NAMES.values()) - {"chief"})):
            hub.register(name, PASSWORD)
        services = hub.services
        services.organisations.create(_OLGA, "acme")
        services.organisations.set_member(_OLGA, "acme", "max", is_owner=False)
        services.organisations.create_team(_OLGA, "acme", "devs")
        owner = Client(hub.address, "olga")
        self.manifests = {}
        for name in ("acme/public", PRIVATE):
            self.manifests[name] = owner.manifest(name, seed="secret")
            self.digest = owner.image(name, seed="secret")
            services.roles.give(_OLGA, name, "will", Role.WRITE, is_team=False)
            services.roles.give(_OLGA, name, "ada", Role.ADMIN, is_team=False)
        hide(hub, PRIVATE)
        secret, robot = services.robots.create(_OLGA, "acme", "ci", actions=["push"])
        token, expired = services.access_tokens.create(
            "olga", "old", actions=["delete"], expires_in_days=1
        )
        _, self.token = services.access_tokens.create("olga", "kept", actions=["pull"])
        services.database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE access_tokens SET expires_at = 1 WHERE id = ?", (expired.id,)
                ).rowcount
            )
        )
        self.webhook, self.orghook = (
            services.webhooks.create(
                _OLGA, scope, url="https://hooks.example/secret", events=["push"]
            ).id
            for scope in (PRIVATE, "acme")
        )
        services.caches.create(_CHIEF, "mirrored", "https://registry.example")
        self.mirror = services.mirrors.create(_CHIEF, "acme/copied", "registry.example/a/b").id
        services.database.write(  # no run of it, which would write meanwhile
            lambda connection: connection.execute("UPDATE mirrors SET next_at = 9e9").rowcount
        )
        self.clients = {who: Client(hub.address, name) for who, name in _NAMES.items()}
        self.clients["anonymous"] = Client(hub.address)
        self.clients["robot"] = Client(hub.address, robot.login, secret)
        self.clients["expired"] = Client(hub.address, "olga", token)
        self.browsers = {who: self._browser(who) for who in COLUMNS}
        self._cookies = {who: dict(each.cookies) for who, each in self.browsers.items()}
        self._forms = {
            who: each.token("/" if who in _NAMES else "/signin")
            for who, each in self.browsers.items()
        }
        self._rows = services.database.read(_everything)

    def _browser(self, who: str) -> Browser:
        """Signed in where a person can; else with what programs log in by, which counts for nothing."""
        browser = Browser(self.hub.address)
        browser.get("/signin")
        if who in _NAMES:
            assert browser.sign_in(_NAMES[who]).status == 303
        else:
            browser._client = self.clients[who]
        return browser

    def put_back(self) -> None:
        """Have every row of the database be as it was."""
        self.hub.services.database.write(lambda connection: _replace(connection, self._rows))

    def ask(self, row: Row, who: str, *, private: str = PRIVATE) -> Answer:
        """Send the row's request as one of the columns; what it did is taken back."""
        path = self.path(row, who, private=private)
        if path.startswith(("/v2", "/token", "/api/", "/v1/")):
            answer = self._ask_as_client(row, who, path)
        else:
            answer = self._ask_as_browser(row, who, path)
        if row.method not in ("GET", "HEAD") and answer.status < 400:
            self.put_back()
        return answer

    def _ask_as_client(self, row: Row, who: str, path: str) -> Answer:
        body = BODIES.get(str(row))
        headers = {}
        if isinstance(body, dict):
            body, headers = document(body), {"Content_Type": "application/json"}
        if "/manifests/" in path and row.method == "PUT":
            manifest = self.manifests.get(path[4:].partition("/manifests/")[0])
            body, headers = manifest or self.manifests[PRIVATE], {"Content_Type": MANIFEST}
        return self.clients[who].request(row.method, path, body, **headers)

    def _ask_as_browser(self, row: Row, who: str, path: str) -> Answer:
        browser = self.browsers[who]
        browser.cookies = dict(self._cookies[who])
        if row.method in ("GET", "HEAD"):
            return browser.get(path)
        body = BODIES.get(str(row), {})
        assert isinstance(body, dict)
        fields = {name: str(text).format(**self._words(who)) for name, text in body.items()}
        return browser.post(path, token=self._forms[who], **fields)

    def path(self, row: Row, who: str, *, private: str = PRIVATE) -> str:
        """The row's path with names in place of what stands in braces."""
        words = self._words(who) | {"private": private}
        if "{upload}" in row.path:
            words["upload"] = self.clients["owner"].begin(PRIVATE).rpartition("/")[2]
        return row.path.format(**words)

    def _words(self, who: str) -> dict[str, str]:
        name = _NAMES.get(who) or {"robot": "acme"}.get(who, "olga")
        return {
            "private": PRIVATE,
            "public": "acme/public",
            "own": f"{name}/own",
            "account": name,
            "digest": self.digest,
            "blob": digest(f"{PRIVATE} base".encode() * 500),
            "small": digest(b"x"),
            "token": self.token.id,
            "webhook": self.webhook,
            "orghook": self.orghook,
            "mirror": self.mirror,
        }


_TABLES = tables()


def _everything(connection: Connection) -> dict[str, list[Sequence[object]]]:
    return {each.name: list(rows(connection, each)) for each in _TABLES}


def _replace(connection: Connection, kept: Mapping[str, Sequence[Sequence[object]]]) -> None:
    for each in reversed(_TABLES):
        connection.execute(f"DELETE FROM {each.name}")
    for each in _TABLES:
        fill(connection, each, iter(kept[each.name]))
