"""The short way in front of aiohttp: the same answers, at once true, and nothing left out of the books."""

import asyncio
import contextlib
import io
import itertools

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.clients import PASSWORD, Client
from tests.hub.lines import MANIFEST, Line, head, set_private, without_own
from tests.hub.raw import asked_once, connect
from tests.soaking import sized

from lamina.hub import Hub, HubSettings, running
from lamina.hub.front import Desk, Front
from lamina.hub.logs import json_lines
from lamina.hub.remembered import Answer, Answers
from lamina.hub.silence import Silence
from lamina.hub.underway import Underway
from lamina.spec.wire import decode


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, and what it knows it goes on knowing."""
    return hub


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
def image(hub, alice) -> str:
    named = str(alice.image("alice/front", "v1"))
    hub.services.intake.settle()  # which commits, and forgets what is known
    return named


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


def test_a_small_blob_is_answered_so_too_and_goes_with_its_manifest(hub, alice, monkeypatch):
    data = b"a few bytes"
    blob = alice.push_blob("alice/small", data)
    path = f"/v2/alice/small/blobs/{blob}"
    hub.services.intake.settle()
    looked: list[str] = []

    def counted(what: str) -> None:
        ask = getattr(hub.services.uploads, what)

        def asked(*more):
            looked.append(what)
            return ask(*more)

        monkeypatch.setattr(hub.services.uploads, what, asked)

    counted("size")
    counted("blob")
    with Line(hub) as line:
        for _ in range(2):  # no manifest names it: asking for it renews its lease
            assert line.ask(path, method="HEAD")[0] == 200
        assert len(looked) == 2
        image = alice.image("alice/small", "v1")
        hub.services.intake.settle()
        config = decode(alice.get("/v2/alice/small/manifests/v1").body)["config"]
        held = f"/v2/alice/small/blobs/{config['digest']}"
        for method, size in (("HEAD", 0), ("GET", config["size"])):
            first, again = (line.ask(held, method=method) for _ in range(2))
            assert without_own(first) == without_own(again)
            assert first[1]["content-length"] == str(config["size"])
            assert len(again[2]) == size
        assert len(looked) == 4
        assert [line.ask(path)[2] for _ in range(3)] == [data] * 3
        assert line.ask(path, "Range: bytes=2-4")[2] == data[2:5]
        assert len(looked) == 5
        set_private(hub, "alice/small", 1)
        assert [line.ask(each)[0] for each in (path, held)] == [401, 401]
        set_private(hub, "alice/small", 0)
        assert alice.request("DELETE", f"/v2/alice/small/manifests/{image}").status == 202
        hub.collect()
        assert [line.ask(each)[0] for each in (path, held)] == [404, 404]


def test_a_request_that_is_not_plain_goes_the_long_way(hub, image, asked):
    with Line(hub) as line:
        line.ask(MANIFEST)
        line.ask(MANIFEST)
        went = len(asked)
        assert line.ask(MANIFEST, "If-None-Match: *")[0] == 304
        assert line.ask("/v2/", "Range: bytes=0-1")[0] == 401
        assert line.ask(MANIFEST, "If-None-Match: *")[0] == 304
        assert len(asked) == went + 2
        assert line.ask(MANIFEST)[0] == 200  # and the connection is none the worse for it
        assert len(asked) == went + 2
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
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/front", "v1")
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1.0, first_request_s=1.0)
    with Hub(settings=settings) as hub:
        asked_once(hub, head(MANIFEST)).close()
        with asked_once(hub, head(MANIFEST)) as resting:
            with connect(hub) as silent:
                assert silent.recv(1) == b""
            resting.sendall(head(MANIFEST))
            assert resting.recv(1000).startswith(b"HTTP/1.1 200")


def test_who_rests_too_long_after_a_short_answer_is_hung_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_KEEP_ALIVE_S", 0.5)
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/front", "v1")
        assert Client(hub.address).get(MANIFEST).status == 200
        with Line(hub) as line:
            line.socket.sendall(head(MANIFEST) * 3)  # together: no pause between them is too long
            assert [line.answer()[0] for _ in range(3)] == [200] * 3
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
