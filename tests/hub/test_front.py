"""The short way in front of aiohttp: the same answers, at once true, and nothing left out of the books."""

import asyncio
import contextlib
import io
import itertools
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.clients import PASSWORD, Client
from tests.hub.raw import connect
from tests.soaking import sized

from lamina.hub import Hub, HubSettings, running
from lamina.hub.front import Desk, Front
from lamina.hub.logs import json_lines
from lamina.hub.remembered import Answer, Answers
from lamina.hub.services import Services
from lamina.hub.silence import Silence
from lamina.hub.underway import Underway
from lamina.spec.wire import decode

OWN = ("date", "x-request-id")


class Line:
    """One connection that stays open: requests as bytes, answers as they are told apart by their length."""

    def __init__(self, hub: Hub) -> None:
        self.socket = connect(hub)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, path: str, *lines: str, method: str = "GET"):
        self.socket.sendall(head(path, *lines, method=method))
        return self.answer(method)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        start = self.read_to(b"\r\n\r\n").decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in start[1:] if line)
        body = self.read(int(fields.get("content-length", 0)) if method != "HEAD" else 0)
        return int(start[0].split()[1]), fields, body

    def read_to(self, end: bytes) -> bytes:
        while end not in self.rest:
            self.fill()
        found, _, self.rest = self.rest.partition(end)
        return found

    def read(self, size: int) -> bytes:
        while len(self.rest) < size:
            self.fill()
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def fill(self) -> None:
        piece = self.socket.recv(65536)
        assert piece, "the hub hung up"
        self.rest += piece


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    return "".join(
        f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: hub", *lines, "")
    ).encode()


def without_own(answer):
    status, fields, body = answer
    return status, {name: value for name, value in fields.items() if name not in OWN}, body


@pytest.fixture
def asked(hub, monkeypatch) -> list[str]:
    """What went the long way: the references of manifests that the registry was asked for."""
    registry, seen = hub.services.registry, []
    manifest = registry.manifest

    def counted(caller, name, reference, **more):
        seen.append(reference)
        return manifest(caller, name, reference, **more)

    monkeypatch.setattr(registry, "manifest", counted)
    return seen


@pytest.fixture(scope="module")
def image(alice) -> str:
    return str(alice.image("alice/front", "v1"))


MANIFEST = "/v2/alice/front/manifests/v1"


def test_the_second_answer_is_the_first_and_nobody_was_asked_for_it(hub, image, asked):
    with Line(hub) as line:
        for method, path in (
            ("GET", MANIFEST),
            ("HEAD", MANIFEST),
            ("GET", MANIFEST.replace("v1", image)),
        ):
            first = line.ask(path, method=method)
            assert first[0] == 200
            went = len(asked)
            again = line.ask(path, "Accept: a/b", "User-Agent: other", method=method)
            assert without_own(again) == without_own(first)
            assert again[1]["x-request-id"] != first[1]["x-request-id"]
            assert len(asked) == went
        first, again = (line.ask("/v2/alice/front/tags/list?n=1") for _ in range(2))
        assert without_own(first) == without_own(again)
        assert decode(again[2]) == {"name": "alice/front", "tags": ["v1"]}


def test_a_request_that_is_not_plain_goes_the_long_way(hub, image, asked):
    with Line(hub) as line:
        line.ask(MANIFEST)
        line.ask(MANIFEST)
        went = len(asked)
        assert line.ask(MANIFEST, "If-None-Match: *")[0] == 304
        assert line.ask("/v2/", "Range: bytes=0-1")[0] == 401
        assert len(asked) == went + 1
    with Line(hub) as line:
        assert line.ask(MANIFEST, "Connection: close")[0] == 200
        assert line.socket.recv(10) == b""


def test_an_id_is_a_proxys_own_and_nobody_elses(hub, image, tmp_path):
    with Line(hub) as line:
        for _ in range(2):
            assert line.ask(MANIFEST, "X-Request-Id: mine-1")[1]["x-request-id"] != "mine-1"
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, proxies=("127.0.0.0/8",))
    with Hub(settings=settings) as other:
        other.register("alice", PASSWORD)
        Client(other.address, "alice").image("alice/front", "v1")
        with Line(other) as line:
            for _ in range(2):
                assert line.ask(MANIFEST, "X-Request-Id: mine-1")[1]["x-request-id"] == "mine-1"
            for strange in ("a b", "<x>", "a" * 129):
                said = line.ask(MANIFEST, f"X-Request-Id: {strange}")[1]["x-request-id"]
                assert said != strange


def test_a_tag_that_moved_and_a_right_that_went_are_seen_by_the_next_request(hub, alice, chief):
    old = alice.image("alice/moves", "v1", seed="old")
    path = "/v2/alice/moves/manifests/v1"
    token = Client(hub.address, "bob").get_token("repository:alice/moves:pull").json["token"]
    bearer = f"Authorization: Bearer {token}"
    with Line(hub) as line:
        for _ in range(3):
            assert line.ask(path)[1]["docker-content-digest"] == old
            assert line.ask(path, bearer)[0] == 200
        new = alice.image("alice/moves", "v1", seed="new")
        assert line.ask(path)[1]["docker-content-digest"] == new
        assert line.ask(path, bearer)[1]["docker-content-digest"] == new
        set_private(hub, "alice/moves", 1)
        assert line.ask(path)[0] == 401
        assert line.ask(path, bearer)[0] == 404
        set_private(hub, "alice/moves", 0)
        assert line.ask(path)[0] == 200
        assert line.ask(path, bearer)[0] == 200
        assert alice.request("DELETE", "/v2/alice/moves/manifests/v1").status == 202
        assert line.ask(path)[0] == 404
        assert line.ask(path, bearer)[0] == 404


def set_private(hub: Hub, name: str, value: int) -> None:
    hub.services.database.write(
        lambda connection: connection.execute(
            "UPDATE repositories SET is_private = ? WHERE name = ?", (value, name)
        )
    )


def test_what_another_process_commits_is_seen_by_the_next_request(hub, alice):
    alice.image("alice/beside", "v1")
    script = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as database:\n"
        "    database.execute(\"UPDATE repositories SET is_private = 1 WHERE name = 'alice/beside'\")\n"
    )
    with Line(hub) as line:
        for _ in range(3):
            assert line.ask("/v2/alice/beside/manifests/v1")[0] == 200
        subprocess.run([sys.executable, "-c", script, f"{hub.root}/hub.db"], check=True)
        assert line.ask("/v2/alice/beside/manifests/v1")[0] == 401


def test_an_account_disabled_by_another_process_gets_nothing_any_more_after_seconds(hub, alice):
    alice.image("alice/front", "v1")
    other_now = [0.0]
    clock = hub.services.clock
    with a_hub_beside(hub, lambda: clock() + other_now[0]) as other, Line(other) as line:
        token = Client(other.address, "bob").get_token("repository:alice/front:pull").json["token"]
        bearer = f"Authorization: Bearer {token}"
        for _ in range(3):
            assert line.ask(MANIFEST, bearer)[0] == 200
        hub.services.accounts.set_disabled("bob", is_disabled=True)
        try:
            line.ask(MANIFEST, bearer)
            line.ask(MANIFEST, bearer)
            other_now[0] = 6.0
            assert line.ask(MANIFEST, bearer)[0] == 401
        finally:
            hub.services.accounts.set_disabled("bob", is_disabled=False)


def test_a_password_that_changed_is_refused_by_the_token_service_at_once(hub):
    hub.register("carol", PASSWORD)
    carol = Client(hub.address, "carol")
    for _ in range(3):
        assert carol.get_token("repository:carol/app:pull,push").status == 200
    hub.services.accounts.set_password("carol", PASSWORD + " new")
    assert carol.get_token("repository:carol/app:pull,push").status == 401


def test_what_a_token_allows_follows_the_database_at_once(hub, alice):
    alice.image("alice/opens", "v1")
    bob = Client(hub.address, "bob")
    for value, allowed in ((0, ["pull"]), (1, []), (0, ["pull"])):
        set_private(hub, "alice/opens", value)
        for _ in range(2):
            token = bob.get_token("repository:alice/opens:pull,push").json["token"]
            assert hub.services.tokens.verify(token).grants == {"alice/opens": frozenset(allowed)}


def test_an_answer_to_one_is_not_given_to_another(hub, alice):
    alice.image("alice/secret", "v1")
    set_private(hub, "alice/secret", 1)
    tokens = {
        name: Client(hub.address, name).get_token("repository:alice/secret:pull").json["token"]
        for name in ("alice", "bob", "chief", "")
    }
    expected = {"alice": 200, "bob": 404, "chief": 200, "": 401}
    with Line(hub) as line:
        for _ in range(3):
            for name, token in tokens.items():
                status = line.ask(
                    "/v2/alice/secret/manifests/v1", f"Authorization: Bearer {token}"
                )[0]
                assert status == expected[name], name
            assert line.ask("/v2/alice/secret/manifests/v1")[0] == 401
            assert line.ask("/v2/alice/secret/manifests/v1", "Authorization: Bearer x")[0] == 401


def test_an_access_token_that_was_revoked_or_ended_is_refused_though_its_answer_is_known(
    hub, alice
):
    alice.image("alice/front", "v1")
    ahead = [0.0]
    clock = hub.services.clock
    with a_hub_beside(hub, lambda: clock() + ahead[0]) as other, Line(other) as line:
        tokens = other.services.access_tokens
        for days, ends in ((None, "revoked"), (1, "in time")):
            text, made = tokens.create("alice", ends, actions=["pull"], expires_in_days=days)
            ahead[0] = 0.0 if days is None else days * 86400 - 100.0
            short = Client(other.address, "alice", text).get_token("repository:alice/front:pull")
            bearer = f"Authorization: Bearer {short.json['token']}"
            for _ in range(3):
                assert line.ask(MANIFEST, bearer)[0] == 200
            if days is None:
                hub.services.access_tokens.revoke("alice", made.id)
            else:
                ahead[0] += 101.0  # its short token would last longer
            assert line.ask(MANIFEST, bearer)[0] == 401


def test_a_token_that_ended_is_refused_though_its_answer_is_known(hub, image):
    token = Client(hub.address, "alice").get_token("repository:alice/front:pull").json["token"]
    bearer = f"Authorization: Bearer {token}"
    clock, ahead = hub.services.clock, [0.0]
    now = lambda: clock() + ahead[0]  # noqa: E731
    with a_hub_beside(hub, now) as other, Line(other) as line:
        for _ in range(3):
            assert line.ask(MANIFEST, bearer)[0] == 200
        ahead[0] = 1000.0
        assert line.ask(MANIFEST, bearer)[0] == 401


@contextlib.contextmanager
def a_hub_beside(hub: Hub, clock) -> Iterator[Hub]:
    """A second hub on the same database, with a clock of its own."""
    opened = Services.open
    settings = HubSettings(root=hub.root, port=0, shutdown_s=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Services, "open", lambda known: opened(known, clock=clock))
        other = Hub(settings=settings)
        other.start()
    with other:
        yield other


def test_pulls_are_counted_lines_written_and_metrics_kept_either_way(tmp_path):
    stream = io.StringIO()
    with json_lines(stream):
        settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, proxies=("127.0.0.0/8",))
        with Hub(settings=settings) as hub:
            hub.register("alice", PASSWORD)
            alice = Client(hub.address, "alice")
            alice.image("alice/app", "v1")
            token = alice.get_token("repository:alice/app:pull").json["token"]
            lines = (
                f"Authorization: Bearer {token}",
                "X-Forwarded-For: 203.0.113.7",
                "User-Agent: t",
            )
            with Line(hub) as line:
                for number in range(5):
                    for method in ("GET", "HEAD"):
                        path = "/v2/alice/app/manifests/v1?secret=hunter2"
                        line.ask(path, *lines, f"X-Request-Id: {method}{number}", method=method)
            hub.services.registry.flush_pulls()
            pulls = hub.services.database.read(
                lambda connection: connection.execute("SELECT pulls FROM repositories").fetchone()[
                    0
                ]
            )
    rows = [decode(text) for text in stream.getvalue().splitlines()]
    told = {row["request_id"]: row for row in rows if row.get("agent") == "t"}
    assert len(told) == 10
    for method in ("GET", "HEAD"):
        first, *others = (
            {name: value for name, value in told[f"{method}{number}"].items() if name in SAME}
            for number in range(5)
        )
        assert others == [first] * 4
        assert (first["account"], first["address"]) == ("alice", "203.0.113.7")
    assert token not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert pulls == 5
    counted = hub.services.metrics.render(uploads=0, free=0).splitlines()
    for method in ("GET", "HEAD"):
        assert (
            f'lamina_hub_requests_total{{method="{method}",route="manifest",code="200"}} 5'
            in counted
        )
    size = told["GET0"]["sent"]
    assert f'lamina_hub_sent_bytes_total{{route="manifest"}} {5 * size}' in counted
    assert 'lamina_hub_request_seconds_count{route="manifest"} 11' in counted


SAME = (
    "level",
    "logger",
    "message",
    "method",
    "path",
    "route",
    "status",
    "received",
    "sent",
    "address",
    "account",
)


def test_requests_that_come_together_or_in_pieces_are_answered_in_turn(hub, image):
    with Line(hub) as line:
        line.ask(MANIFEST)
        line.socket.sendall(head(MANIFEST) + head("/v2/") + head(MANIFEST, method="HEAD"))
        assert [line.answer(method)[0] for method in ("GET", "GET", "HEAD")] == [200, 401, 200]
    with Line(hub) as line:
        whole = head(MANIFEST)
        for cut in (1, 10, len(whole) - 3, len(whole) - 1):
            line.ask(MANIFEST)
            line.socket.sendall(whole[:cut])
            line.socket.sendall(whole[cut:])
            assert line.answer()[0] == 200


REQUESTS = st.sampled_from([
    ("GET", MANIFEST, (), b""), ("HEAD", MANIFEST, (), b""), ("GET", "/v2/alice/front/tags/list", (), b""),
    ("GET", "/v2/", (), b""), ("GET", "/v2/alice/none/manifests/v1", (), b""), ("GET", MANIFEST, ("If-None-Match: *",), b""),
    ("GET", MANIFEST, ("Content-Length: 5",), b"GET /"), ("POST", "/v2/alice/front/blobs/uploads/", (), b""),
    ("GET", MANIFEST, ("Transfer-Encoding: chunked",), b"3\r\nabc\r\n0\r\n\r\n"),
])  # fmt: skip


@settings(max_examples=sized(60, 20_000), deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=6), st.lists(st.integers(0, 2000), max_size=5))
def test_however_requests_are_cut_they_are_answered_as_each_would_be_alone(
    hub, image, wanted, cuts
):
    sent = b"".join(
        head(path, *lines, method=method) + body for method, path, lines, body in wanted
    )
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    expected = []
    for method, path, lines, body in wanted:
        with Line(hub) as line:
            line.socket.sendall(head(path, *lines, method=method) + body)
            expected.append(line.answer(method)[0])
    got = []
    with Line(hub) as line, contextlib.suppress(AssertionError, ConnectionError):
        for start, end in itertools.pairwise(places):
            line.socket.sendall(sent[start:end])
        for method, *_ in wanted:
            got.append(line.answer(method)[0])
    assert got == expected[: len(got)]
    if all(not body and method != "POST" for method, _, _, body in wanted):
        assert len(got) == len(expected)


def test_who_was_answered_the_short_way_may_rest(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1.0, first_request_s=1.0)
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/front", "v1")
        Client(hub.address).get(MANIFEST)
        with Line(hub) as resting:
            assert resting.ask(MANIFEST)[0] == 200
            with connect(hub) as silent:
                assert silent.recv(1) == b""
            assert resting.ask(MANIFEST)[0] == 200


def test_who_rests_too_long_after_a_short_answer_is_hung_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_KEEP_ALIVE_S", 0.5)
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/front", "v1")
        with Line(hub) as line:
            for _ in range(3):
                assert line.ask(MANIFEST)[0] == 200
            assert line.socket.recv(1) == b""


def test_a_stop_ends_connections_that_are_answered_the_short_way(tmp_path):
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/front", "v1")
        line = Line(hub)
        for _ in range(3):
            assert line.ask(MANIFEST)[0] == 200
    with line, contextlib.suppress(ConnectionResetError):
        assert line.socket.recv(1) == b""


def test_who_does_not_read_is_left_to_aiohttp_which_waits_for_them(hub):
    async def run() -> None:
        went_long = asyncio.Event()

        async def handler(_request: web.BaseRequest) -> web.Response:
            went_long.set()
            return web.Response()

        answers = Answers(lambda: 1, clock=lambda: 0.0)
        known = Answer(b"HTTP/1.1 200 OK\r\n", b"body", "manifest", "", 1.0, lambda: None)
        answers.keep(("GET", "/known", ""), answers.version(), known)
        desk = Desk(hub.services, answers, Silence(patience_s=1), Underway())
        server = web.Server(handler)
        front = Front(server, desk, loop=asyncio.get_running_loop(), options={})
        transport = Sink()
        front.connection_made(transport)
        front.data_received(head("/known"))
        assert len(transport.written) == 1
        front.pause_writing()
        front.data_received(head("/known"))
        assert len(transport.written) == 1
        front.resume_writing()
        await went_long.wait()
        front.connection_lost(None)

    asyncio.run(run())


class Sink(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""
