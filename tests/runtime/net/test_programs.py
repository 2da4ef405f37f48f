"""pasta and slirp4netns for real, as a plain user and, where they serve root, as root."""

import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.machines import machine

from lamina.runtime.net import programs
from lamina.runtime.net.programs import forwarder, slirp, tunnel_problem, tunnel_program

SERVE = "mkdir -p /www; echo tunnelled > /www/index.html; exec httpd -f -p 80 -h /www"
ANSWER = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    data, sender = sock.recvfrom(512)
    question = data[12 : data.index(b"\\0", 12) + 5]
    found = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + bytes([10, 11, 12, 13])
    sock.sendto(data[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + question + found, sender)
"""


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("programs")) as lamina:
        yield lamina


def test_slirp4netns_serves_a_container_with_the_subnet_and_ports_asked_for(lamina: Lamina):
    words = ["--network", "slirp4netns:cidr=10.9.0.0/24,mtu=1400", "-p", "127.0.0.1::80", "tiny"]
    lamina("run", "-d", "--name", "slirped", *words, "sh", "-c", SERVE)
    assert lamina("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "slirped") == "10.9.0.100\n"
    assert "mtu 1400" in lamina("exec", "slirped", "ip", "link", "show", "eth0")
    port = int(lamina("port", "slirped", "80").rpartition(":")[2])

    def page() -> str:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return sock.makefile().read()
        except OSError:
            return ""

    eventually(lambda: page().endswith("tunnelled\n"))
    lamina("rm", "-f", "slirped")


def test_a_named_network_goes_out_by_the_program_that_was_chosen(lamina: Lamina):
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses a source
        own = probe.getsockname()[0]
    lamina("network", "create", "named")
    with socket.create_server((own, 0)) as server:
        server.settimeout(200)
        port = server.getsockname()[1]

        def hear() -> None:
            with server.accept()[0] as sock:
                sock.sendall(b"heard\n")

        hearing = threading.Thread(target=hear)
        hearing.start()
        words = ["--network", "named", "tiny", "nc", "-w", "100", own, str(port)]
        done = lamina.attempt("run", "--rm", *words, LAMINA_ROOTLESS_NETWORK="slirp4netns")
        hearing.join()
    assert (done.code, done.out, done.err) == (0, "heard\n", "")
    eventually(lambda: not os.listdir(f"{lamina.settings.run_root}/n"))
    done = lamina.attempt("run", "--rm", "--network", "named", "tiny", "ip", "route")
    assert (done.code, done.err) == (0, ""), "nothing is lacking with pasta, either"
    lamina("network", "rm", "named")


@pytest.mark.parametrize(
    ("network", "plain", "root"),
    [
        ("slirp4netns:speed=9", "unknown option for slirp4netns: speed=9", ""),
        ("slirp4netns:cidr=x", "slirp4netns: ", ""),
        (
            "pasta:--nonsense",
            "pasta: unrecognized option '--nonsense'",
            "only supported for rootless",
        ),
    ],
)
def test_what_a_program_does_not_take_is_told(lamina: Lamina, network, plain, root):
    done = lamina.attempt("run", "--rm", "--network", network, "tiny", "true")
    assert done.code == 125
    assert (root if root and os.geteuid() == 0 else plain) in done.err


@pytest.mark.root
@pytest.mark.parametrize("network", ["bridge", "named", "slirp4netns"])
def test_a_resolver_on_the_machines_loopback_serves_containers(lamina: Lamina, tmp_path, network):
    (tmp_path / "resolv").write_text("nameserver 127.0.0.1\n")
    (tmp_path / "answer.py").write_text(ANSWER)
    with machine(lamina) as here:
        if network == "named":
            here("network", "create", "named")
        words = ["run", "--rm", "--network", network, "tiny", "nslookup", "-type=a", "far.example"]
        run = shlex.join([sys.executable, "-m", "lamina", *words])
        found = here.sh(
            f"mkfifo {tmp_path}/said;"
            f"{sys.executable} {tmp_path}/answer.py > {tmp_path}/said & server=$!; trap 'kill $server' EXIT;"
            f"read word < {tmp_path}/said;"
            f"unshare -m sh -ec 'mount --bind {tmp_path}/resolv /etc/resolv.conf; {run}'"
        )
        assert "Address: 10.11.12.13" in found
        if network == "named":
            here("network", "rm", "named")


def test_where_a_programs_name_server_is():
    assert forwarder("pasta:--mtu,1400") == "169.254.1.1"
    assert forwarder("slirp4netns") == "10.0.2.3"
    assert forwarder("slirp4netns:mtu=1500,cidr=10.9.0.0/24") == "10.9.0.3"


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(programs, "which", lambda name: "/bin/x" if name == "slirp4netns" else "")
    assert tunnel_program() == "slirp4netns"
    assert tunnel_program("slirp4netns:mtu=1500") == "slirp4netns:mtu=1500"
    assert tunnel_problem("pasta") == "pasta is not installed"
    monkeypatch.setattr(programs, "which", lambda _: "")
    assert "neither pasta (package passt) nor slirp4netns" in tunnel_problem()


def test_an_option_without_a_value_is_none():
    assert slirp("/nowhere", "mtu") == "unknown option for slirp4netns: mtu"
