"""IPv6 in networks, with real traffic, as root and as a plain user alike."""

import socket
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world
from tests.machines import WORLD, WORLD6, machine

SERVE = "mkdir -p /www; echo six > /www/index.html; exec httpd -f -p 80 -h /www"
FIELDS = "{{.GlobalIPv6Address}} {{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}"


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("ipv6")) as lamina:
        yield lamina


def test_containers_of_a_network_with_ipv6_find_each_other_by_it(lamina: Lamina):
    lamina("network", "create", "--subnet", "fd12:5::/64", "--ip-range", "fd12:5::80/121", "six")
    words = ["--network", "six", "--ip6", "fd12:5::77", "tiny"]
    lamina("run", "-d", "--name", "server", *words, "sh", "-c", SERVE)
    form = "{{with .NetworkSettings.Networks.six}}" + FIELDS + "{{end}}"
    assert lamina("inspect", "-f", form, "server") == "fd12:5::77 64 fd12:5::80\n"
    script = (
        "nslookup -type=aaaa server; nslookup fd12:5::77; grep fd12 /etc/hosts;"
        "until wget -qO- http://[fd12:5::77]/; do sleep 0.1; done; ip -6 route"
    )
    found = lamina("run", "--rm", "-h", "client", "--network", "six", "tiny", "sh", "-c", script)
    assert "Address: fd12:5::77" in found
    assert "name = server.six" in found
    assert "fd12:5::81\tclient" in found, "the first of the range"
    assert "six\n" in found
    shown = lamina("network", "inspect", "six", "-f", "{{json .Containers}} {{.EnableIPv6}}")
    assert '"IPv6Address":"fd12:5::77/64"' in shown
    assert "true" in shown
    taken = lamina.attempt("run", "--rm", *words, "true")
    assert (taken.code, "Address already in use: fd12:5::77" in taken.err) == (125, True)
    lamina("network", "create", "--ipv6", "side")
    lamina("network", "connect", "side", "server")
    assert "fd12:5::77" in lamina("exec", "server", "ip", "-6", "address", "show", "eth0")
    assert "inet6 fd" in lamina("exec", "server", "ip", "-6", "address", "show", "eth1")
    lamina("rm", "-f", "server")
    lamina("network", "rm", "six", "side")


def test_a_port_is_published_on_ipv6_alone(lamina: Lamina):
    lamina("run", "-d", "--name", "lone", "-p", "[::1]::80", "tiny", "sh", "-c", SERVE)
    shown, _, text = lamina("port", "lone").rpartition(":")
    assert shown == "80/tcp -> [::1]"
    port = int(text)

    def answered() -> bytes:
        try:
            with socket.create_connection(("::1", port), timeout=10) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return sock.makefile("rb").read()
        except OSError:
            return b""

    eventually(lambda: answered().endswith(b"six\n"))
    with socket.socket() as beside:  # nobody's else could be there, or this would fail
        beside.bind(("127.0.0.1", port))
    lamina("rm", "-f", "lone")


@pytest.mark.root
def test_a_machine_that_has_switched_ipv6_off_goes_on_as_before_and_says_so(lamina: Lamina):
    with machine(lamina) as here:
        here.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        plain = here.attempt("run", "--rm", "tiny", "ping", "-c1", "-W60", WORLD)
        assert (plain.code, plain.err) == (0, "")
        here("network", "create", "--ipv6", "inner")
        here("run", "-d", "--name", "one", "--network", "inner", "tiny", "sleep", "1000")
        words = ["run", "--rm", "--network", "inner", "tiny"]
        done = here.attempt(*words, "ping6", "-c1", "one")
        assert done.code == 0
        assert "net.ipv6.conf.all.disable_ipv6=1" in done.err
        assert here.attempt(*words, "ping", "-c1", "-W60", WORLD).code == 0
        assert here.attempt(*words, "ping6", "-c1", "-W1", WORLD6).code != 0
        here("rm", "-f", "one")
        here("network", "rm", "inner")
