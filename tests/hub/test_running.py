"""A hub that runs: in a thread, as a process, across kill -9."""

import contextlib
import gc
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from http.client import HTTPException

import pytest
import trustme
from tests.hub.clients import PASSWORD, Client, digest
from tests.soaking import sized

from lamina.hub import Hub, HubSettings
from lamina.hub.running import AddressUnavailable
from lamina.spec.digest import Digest
from lamina.spec.wire import decode

DATA = os.urandom(1 << 20) * 3


class Process:
    """`lamina hub serve` as a person runs it."""

    def __init__(self, root, *more: str) -> None:
        words = ["-m", "lamina", "hub", "serve", "--address", "127.0.0.1:0", "--root", str(root)]
        words += more
        self.process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.line = self.out.readline()
        self.address = self.line.partition("://")[2].split(" ")[0]

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        rest = self.out.read()
        self.out.close()
        return self.process.wait(100), rest


@pytest.fixture
def served(tmp_path):
    running: list[Process] = []

    def serve(*more: str) -> Process:
        running.append(Process(tmp_path / "hub", *more))
        return running[-1]

    yield serve
    for each in running:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_line_says_where_and_a_signal_ends_it_quietly(served, tmp_path, number):
    hub = served()
    assert hub.line == (
        f"Hub ready at http://{hub.address} (images in {tmp_path / 'hub'}, stop with Ctrl-C)\n"
    )
    assert Client(hub.address).get("/healthz").text == "ok\n"
    assert hub.stop(number) == (0, "")


def test_a_misspelled_setting_is_said_at_the_start(served, monkeypatch):
    monkeypatch.setenv("LAMINA_HUB_REGISTRATON", "closed")
    code, rest = served().stop(signal.SIGTERM)
    assert code == 0
    assert "LAMINA_HUB_REGISTRATON is no setting of a hub" in rest
    assert "did you mean LAMINA_HUB_REGISTRATION?" in rest


def test_an_upload_goes_on_after_kill_9_and_a_restart(served):
    hub = served()
    Client(hub.address).request(
        "POST", "/api/v1/register", f'{{"name": "alice", "password": "{PASSWORD}"}}',
        Content_Type="application/json",
    )  # fmt: skip
    alice = Client(hub.address, "alice")
    kept = alice.image("alice/kept")
    place = alice.begin("alice/app")
    half = len(DATA) // 2
    assert alice.request("PATCH", place, DATA[:half]).status == 202
    hub.stop(signal.SIGKILL)

    alice = Client(served().address, "alice")
    assert alice.get("/v2/alice/kept/manifests/v1").headers["docker-content-digest"] == kept
    assert alice.get(place).headers["range"] == f"0-{half - 1}"
    span = f"{half}-{len(DATA) - 1}"
    assert alice.request("PATCH", place, DATA[half:], Content_Range=span).status == 202
    assert alice.request("PUT", f"{place}?digest={digest(DATA)}").status == 201
    assert alice.get(f"/v2/alice/app/blobs/{digest(DATA)}").body == DATA


def test_kill_9_during_many_pushes_loses_nothing_acknowledged_and_leaves_no_half_blob(
    served, tmp_path
):
    hub = served()
    Client(hub.address).request(
        "POST", "/api/v1/register", f'{{"name": "alice", "password": "{PASSWORD}"}}',
        Content_Type="application/json",
    )  # fmt: skip
    acknowledged: list[tuple[str, str]] = []
    enough = threading.Event()

    def push(number: int) -> None:
        client = Client(hub.address, "alice")
        for turn in range(1000):
            repository = f"alice/r{number}"
            try:
                named = client.image(repository, f"t{turn}", seed=f"{number} {turn}")
            except (OSError, HTTPException, AssertionError):
                return
            acknowledged.append((repository, named))
            if len(acknowledged) >= sized(40, 200):
                enough.set()

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(sized(200, 600))
    hub.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()

    hub = served()
    alice = Client(hub.address, "alice")
    for repository, named in acknowledged:
        answer = alice.get(f"/v2/{repository}/manifests/{named}")
        assert digest(answer.body) == named
        for row in (answer.json["config"], *answer.json["layers"]):
            blob = alice.get(f"/v2/{repository}/blobs/{row['digest']}")
            assert digest(blob.body) == row["digest"]
    hub.stop(signal.SIGKILL)
    check_all(tmp_path / "hub")


def check_all(root) -> None:
    """Look at every blob there is, and at every part that any manifest names."""
    with Hub(root=str(root)) as hub:
        read = hub.services.database.read
        blobs = read(lambda sql: sql.execute("SELECT digest, size, place FROM blobs").fetchall())
        for named, size, place in blobs:
            with hub.services.storage.open(Digest(named), place) as file:
                data = file.read()
            assert (digest(data), len(data)) == (named, size)
        query = (
            "SELECT count(*) FROM parts JOIN manifests ON manifests.id = manifest_id WHERE NOT EXISTS"
            " (SELECT 1 FROM links WHERE links.digest = parts.digest"
            "  AND links.repository_id = manifests.repository_id)"
        )
        assert read(lambda sql: sql.execute(query).fetchone()[0]) == 0
        assert len(blobs) > 0


def test_a_stop_lets_an_upload_under_way_finish(served):
    hub = served()
    Client(hub.address).request(
        "POST", "/api/v1/register", f'{{"name": "alice", "password": "{PASSWORD}"}}',
        Content_Type="application/json",
    )  # fmt: skip
    alice = Client(hub.address, "alice")
    place = alice.begin("alice/late")
    stopping = threading.Event()

    def pieces():
        yield DATA[:-1000]
        hub.process.send_signal(signal.SIGTERM)
        stopping.set()
        wait_until_refused(hub.address)
        yield DATA[-1000:]  # a little: it is given ten seconds, and the machine may be busy

    answer = alice.request("PUT", f"{place}?digest={digest(DATA)}", pieces())
    assert stopping.is_set()
    assert answer.status == 201
    with hub.out:
        assert hub.out.read() == ""
    assert hub.process.wait(100) == 0
    alice = Client(served().address, "alice")
    assert alice.get(f"/v2/alice/late/blobs/{digest(DATA)}").body == DATA


def wait_until_refused(address: str) -> None:
    """Until nobody listens there any more."""
    host, _, port = address.partition(":")
    with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):
        while True:
            socket.create_connection((host, int(port)), timeout=100).close()


def test_a_hub_in_this_process_keeps_its_folder_across_restarts(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        named = Client(hub.address, "alice").image("alice/app")
        assert hub.url == f"http://{hub.address}"
    with Hub(root=str(tmp_path)) as hub:
        answer = Client(hub.address).get("/v2/alice/app/manifests/v1")
        assert answer.headers["docker-content-digest"] == named


def test_a_hub_without_a_folder_leaves_nothing_behind():
    with Hub() as hub:
        assert os.path.isdir(hub.root)
        root = hub.root
    assert not os.path.exists(root)
    hub.stop()


def test_a_port_that_is_taken_is_said_to_be_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            Hub(root=str(tmp_path), port=port).start()


def with_certificate(folder, authority: trustme.CA) -> HubSettings:
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "hub.pem"))
    return HubSettings(
        root=str(folder / "hub"), port=0, certificate=str(folder / "hub.pem"), shutdown_s=1.0
    )


def test_with_a_certificate_it_speaks_tls(tmp_path):
    authority = trustme.CA()
    settings = with_certificate(tmp_path, authority)
    with Hub(settings=settings) as hub:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with urllib.request.urlopen(f"{hub.url}/healthz", context=context, timeout=100) as answer:
            assert answer.read() == b"ok\n"
        assert hub.url.startswith("https://")


def shown(address: str) -> str:
    """Give the certificate that is shown to whoever comes now."""
    host, _, port = address.partition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=100)


def test_sighup_brings_a_new_certificate_and_keeps_the_old_one_where_it_is_none(served, tmp_path):
    with_certificate(tmp_path, trustme.CA())
    hub = served("--certificate", str(tmp_path / "hub.pem"), "--log", "json")
    told = next(line for line in hub.out if '"ready at' in line)
    assert decode(told)["message"] == f"ready at https://{hub.address}"
    first = shown(hub.address)
    with_certificate(tmp_path, trustme.CA())
    assert shown(hub.address) == first
    hub.process.send_signal(signal.SIGHUP)
    assert any("the certificate was read again" in line for line in hub.out)
    second = shown(hub.address)
    assert second != first
    (tmp_path / "hub.pem").write_text("rubbish")
    hub.process.send_signal(signal.SIGHUP)
    assert any("the old certificate stays" in line for line in hub.out)
    assert shown(hub.address) == second
    code, rest = hub.stop(signal.SIGTERM)
    assert (code, '"message":"stopping"' in rest) == (0, True)


def test_a_hub_that_drains_serves_on_and_says_that_it_stops(served, monkeypatch):
    monkeypatch.setenv("LAMINA_HUB_DRAIN_S", "1000")
    hub = served("--log", "json")
    client = Client(hub.address)
    assert client.get("/readyz").status == 200
    hub.process.send_signal(signal.SIGTERM)
    assert any('"message":"stopping"' in line for line in hub.out)
    assert client.get("/readyz").json == {"hub": "it is stopping"}
    assert client.get("/v2/").status == 401
    assert hub.stop(signal.SIGTERM)[0] == 0


def test_connections_that_come_as_the_hub_stops_are_closed_with_it():
    for _ in range(5):
        with contextlib.ExitStack() as clients:
            with Hub() as hub:
                host, _, port = hub.address.partition(":")
                for _ in range(20):
                    clients.enter_context(socket.create_connection((host, int(port)), timeout=100))
            gc.collect()  # a connection left open is told of here, which fails the test


def test_a_client_that_does_not_end_its_tls_does_not_keep_its_connection(tmp_path):
    authority = trustme.CA()
    settings = with_certificate(tmp_path, authority)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with contextlib.ExitStack() as client:
        with Hub(settings=settings) as hub:
            host, _, port = hub.address.partition(":")
            plain = socket.create_connection((host, int(port)), timeout=100)
            client.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        gc.collect()  # a connection left open is told of here, which fails the test
