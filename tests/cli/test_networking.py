"""Containers' networks with real traffic, as root (a bridge) and as a plain user (pasta) alike."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world

from lamina.runtime.net.backend import backend

ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 53))
while True:
    sock.sendto(*sock.recvfrom(100))
"""
SERVE = "mkdir -p /www; echo from $HOSTNAME > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("networking")) as lamina:
        yield lamina


def published(lamina: Lamina, name: str, port: str, host: str = "127.0.0.1") -> int:
    rows = lamina("port", name, port).split()
    return int(next(row.rpartition(":")[2] for row in rows if row.startswith(host)))


def page(url: str) -> str:
    """Fetch a page from a server that may be just about to listen."""
    found: list[str] = []

    def fetched() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found.append(answer.read().decode())
        except OSError:
            return False
        return True

    eventually(fetched)
    return found[0]


def process_listening_at(path: str) -> int:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[:4], sys.byteorder)


def looked_up(lamina: Lamina, name: str) -> str:
    return lamina.attempt("exec", "near", "nslookup", "-type=a", name).out


def leavings(lamina: Lamina) -> list[str]:
    """List the processes, folders and interfaces that networks of `lamina` have now."""
    folder = Path(lamina.settings.run_root) / "n"
    found = [str(path) for path in folder.iterdir()] if folder.is_dir() else []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if lamina.settings.run_root in line and "pasta" in line:
                found.append(line)
    return found


def test_a_network_of_ones_own_is_the_default(lamina: Lamina):
    assert backend().kind != "host", backend().reason
    inside = lamina("run", "--rm", "tiny", "readlink", "/proc/self/ns/net").strip()
    assert inside != os.readlink("/proc/self/ns/net")
    shared = lamina("run", "--rm", "--network=host", "tiny", "readlink", "/proc/self/ns/net")
    assert shared.strip() == os.readlink("/proc/self/ns/net")


def test_none_has_loopback_alone(lamina: Lamina):
    out = lamina("run", "--rm", "--network", "none", "tiny", "ls", "/sys/class/net")
    assert out.split() == ["lo"]


def test_a_published_port_is_reached_from_the_machine_by_both_protocols(lamina: Lamina):
    lamina("run", "-d", "--name", "web", "-h", "inner", "-p", "80", "tiny", "sh", "-c", SERVE)
    port = published(lamina, "web", "80", "0.0.0.0")
    assert page(f"http://127.0.0.1:{port}/") == "from inner\n"
    if f"[::]:{port}" in lamina("port", "web"):
        assert page(f"http://[::1]:{port}/") == "from inner\n"
    assert f"0.0.0.0:{port}->80/tcp" in lamina("ps", "--format", "{{.Ports}}")
    wanted = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
    assert lamina("inspect", "-f", wanted, "web").strip() == str(port)
    address = lamina("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web").strip()
    assert address in lamina("exec", "web", "ip", "-o", "addr")
    lamina("rm", "-f", "web")
    with socket.socket() as probe:
        eventually(lambda: probe.connect_ex(("127.0.0.1", port)) != 0)


def test_much_comes_through_a_published_port_whole(lamina: Lamina):
    # the container stays: its network ends with it, and with that what is still on its way
    script = "nc -l -p 7 -e sh -c 'exec head -c 3000000 /dev/zero'; exec sleep 1000"
    lamina("run", "-d", "--name", "much", "-p", "127.0.0.1::7", "tiny", "sh", "-c", script)
    port = published(lamina, "much", "7")
    sizes: list[int] = []

    def fetched() -> bool:
        size = 0
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
                while piece := sock.recv(1 << 16):
                    size += len(piece)
        except ConnectionError:  # nobody listens inside yet
            return False
        sizes.append(size)
        return True

    eventually(fetched)
    assert sizes == [3_000_000]
    lamina("rm", "-f", "much")


def test_datagrams_come_and_go_through_a_published_port(lamina: Lamina):
    words = ["-v", "/:/machine:ro", "tiny", "chroot", "/machine", sys.executable, "-c", ECHO]
    lamina("run", "-d", "--name", "dgram", "-p", "127.0.0.1::53/udp", *words)
    port = published(lamina, "dgram", "53/udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))

        def answered() -> bool:
            try:
                sock.send(b"hello")
                return sock.recv(100) == b"hello"
            except OSError:
                return False

        eventually(answered)
    lamina("rm", "-f", "dgram")


def test_exposed_ports_are_published_on_ports_of_the_machines_choice(lamina: Lamina):
    lamina("run", "-d", "--name", "all", "-P", "--expose", "80", "tiny", "sh", "-c", SERVE)
    port = published(lamina, "all", "80", "0.0.0.0")
    assert "from" in page(f"http://127.0.0.1:{port}/")
    lamina("rm", "-f", "all")


def test_a_port_in_use_is_named_and_the_container_stays_as_created(lamina: Lamina):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["-p", f"127.0.0.1:{port}:80", "tiny", "true"]
        outcome = lamina.attempt("run", "--name", "late", *words)
    assert outcome.code == 125
    assert f"failed to bind host port 127.0.0.1:{port}/tcp: address already in use" in outcome.err
    assert lamina("inspect", "-f", "{{.State.Status}}", "late").strip() == "created"
    lamina("start", "late")
    lamina("wait", "late")
    lamina("rm", "late")


def test_a_port_of_another_container_is_already_allocated(lamina: Lamina):
    lamina("run", "-d", "--name", "one", "-p", "127.0.0.1::80", "tiny", "sleep", "1000")
    port = published(lamina, "one", "80")
    outcome = lamina.attempt("run", "--rm", "-p", f"127.0.0.1:{port}:80", "tiny", "true")
    assert outcome.code == 125
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in outcome.err
    lamina("rm", "-f", "one")


def test_names_are_written_for_the_container(lamina: Lamina):
    words = ["--add-host", "db:10.9.8.7", "--add-host", "up=host-gateway", "--hostname", "me"]
    words += ["--dns", "10.1.1.1", "--dns-search", "example.org", "--dns-option", "ndots:3"]
    out = lamina("run", "--rm", *words, "tiny", "cat", "/etc/hosts", "/etc/resolv.conf")
    assert "10.9.8.7\tdb\n" in out
    assert re.search(r"^\d+\.\d+\.\d+\.\d+\tup$", out, re.MULTILINE)
    assert re.search(r"^\d+\.\d+\.\d+\.\d+\tme$", out, re.MULTILINE)
    assert "nameserver 10.1.1.1\nsearch example.org\noptions ndots:3\n" in out


def test_a_container_may_share_anothers_network(lamina: Lamina):
    lamina("run", "-d", "--name", "first", "tiny", "sh", "-c", SERVE)
    own = lamina("exec", "first", "readlink", "/proc/self/ns/net")
    words = ["run", "--rm", "--network", "container:first", "tiny"]
    assert lamina(*words, "readlink", "/proc/self/ns/net") == own
    # With it come its names, or the network's other containers would not be found by theirs.
    files = ("cat", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
    assert lamina(*words, *files) == lamina("exec", "first", *files)
    assert lamina(*words, "hostname") == lamina("exec", "first", "hostname")
    lamina("rm", "-f", "first")
    outcome = lamina.attempt("run", "--rm", "--network", "container:first", "tiny", "true")
    assert outcome.code == 125
    assert "No such container: first" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", "nowhere"), "network nowhere not found"),
        (("-p", "x:80"), "invalid hostPort: x"),
        (("--network", "host", "--network", "none"), "cannot be connected to network endpoints"),
        (("--network-alias", "a"), "only supported for user-defined networks"),
        (("--ip", "10.0.0.1"), "supported on user defined networks only"),
        (("--network", "container:x", "-p", "80"), "conflicting options: port publishing"),
    ],
)
def test_what_cannot_be_is_refused_in_dockers_words(lamina: Lamina, words, said):
    outcome = lamina.attempt("run", "--rm", *words, "tiny", "true")
    assert outcome.code == 125
    assert said in outcome.err


def test_ports_of_a_container_on_the_machines_network_are_discarded_aloud(lamina: Lamina):
    outcome = lamina.attempt("run", "--rm", "--network=host", "-p", "80", "tiny", "true")
    assert outcome.code == 0
    assert outcome.err == "WARNING: Published ports are discarded when using host network mode\n"


def test_a_killed_shim_leaves_nothing_of_its_network(lamina: Lamina):
    lamina("run", "-d", "--name", "lost", "-p", "127.0.0.1::80", "tiny", "sleep", "1000")
    port = published(lamina, "lost", "80")
    assert leavings(lamina)
    shim = lamina.settings.root + "/containers/"
    shim += lamina("inspect", "-f", "{{.Id}}", "lost").strip() + "/state.json"
    pid = int(re.search(r'"shim":(\d+)', Path(shim).read_text())[1])  # type: ignore[index]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not leavings(lamina))
    with socket.socket() as probe:
        eventually(lambda: probe.connect_ex(("127.0.0.1", port)) != 0)
    assert lamina("port", "lost") == ""
    lamina("start", "lost")
    assert lamina("port", "lost").startswith("80/tcp -> 127.0.0.1:")
    lamina("rm", "-f", "lost")


def test_many_at_once_leave_nothing(lamina: Lamina):
    def one(_: int) -> str:
        return lamina(
            "run", "--rm", "-p", "127.0.0.1::80", "tiny", "cat", "/sys/class/net/eth0/address"
        )

    with ThreadPoolExecutor(4) as pool:
        macs = list(pool.map(one, range(8)))
    assert all(re.fullmatch(r"(..:){5}..\n", mac) for mac in macs)
    eventually(lambda: not leavings(lamina))


def test_containers_of_a_network_find_each_other_by_name_and_others_do_not(lamina: Lamina):
    lamina("network", "create", "back")
    lamina("network", "create", "other")
    host = f"server{os.getpid()}"  # another suite's container may have the same address
    words = ["--network", "back", "--network-alias", "db", "-h", host, "tiny"]
    lamina("run", "-d", "--name", "server", *words, "sh", "-c", SERVE)
    address = lamina(
        "inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "server"
    ).strip()
    lamina("run", "-d", "--name", "near", "--network", "back", "tiny", "sleep", "1000")
    for name in ("server", "db", "server.back"):
        assert eventually(lambda name=name: address in looked_up(lamina, name))  # type: ignore[misc]
    fetch = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} 80"
    words = ["exec", "near", "timeout", "20", "sh", "-c", fetch]
    assert eventually(lambda: f"from {host}" in lamina.attempt(*words).out)
    lamina("rename", "server", "renamed")
    assert eventually(lambda: address in looked_up(lamina, "renamed"))

    far = ["run", "--rm", "--network", "other", "tiny"]
    assert address not in lamina.attempt(*far, "nslookup", "-type=a", "renamed").out
    # Out there somebody may take the call and say nothing. As process 1 `timeout` could not be ended.
    bounded = fetch.replace("nc -w 5", "timeout 3 nc") + "; true"
    assert host not in lamina(*far, "sh", "-c", bounded)

    shown = lamina("network", "inspect", "back", "-f", "{{range .Containers}}{{.Name}} {{end}}")
    assert sorted(shown.split()) == ["near", "renamed"]
    outcome = lamina.attempt("network", "rm", "back")
    assert outcome.code == 1
    assert "has active endpoints" in outcome.err
    lamina("rm", "-f", "renamed", "near")
    assert lamina("network", "prune", "-f") == "Deleted Networks:\nback\nother\n\n"
    eventually(lambda: not leavings(lamina))


def test_a_running_container_joins_and_leaves_networks(lamina: Lamina):
    lamina("network", "create", "--subnet", "10.123.45.0/24", "front")
    lamina("network", "create", "side")
    words = ["--network", "front", "--ip", "10.123.45.77", "tiny"]
    lamina("run", "-d", "--name", "both", *words, "sh", "-c", SERVE)
    assert "10.123.45.77/24" in lamina("exec", "both", "ip", "-o", "addr")
    taken = lamina.attempt("run", "--rm", *words, "true")
    assert taken.code == 125
    assert "Address already in use: 10.123.45.77" in taken.err
    lamina("network", "connect", "--alias", "web", "side", "both")
    assert "eth1" in lamina("exec", "both", "ls", "/sys/class/net")
    found = lamina("run", "--rm", "--network", "side", "tiny", "nslookup", "-type=a", "web")
    address = lamina("inspect", "-f", "{{.NetworkSettings.Networks.side.IPAddress}}", "both")
    assert address.strip() in found
    lamina("network", "disconnect", "side", "both")
    assert "eth1" not in lamina("exec", "both", "ls", "/sys/class/net")
    again = lamina.attempt("network", "disconnect", "side", "both")
    assert "is not connected to network side" in again.err
    lamina("rm", "-f", "both")
    lamina("network", "rm", "front", "side")


def test_what_runs_already_joins_a_network_or_is_told_how(lamina: Lamina):
    lamina("run", "-d", "--name", "early", "tiny", "sleep", "1000")
    lamina("network", "create", "late")
    lamina("run", "-d", "--name", "member", "--network", "late", "tiny", "sleep", "1000")
    joined = lamina.attempt("network", "connect", "late", "early")
    if os.geteuid() == 0:
        assert joined.code == 0, joined
    elif "sharing network namespace with another container or host" not in joined.err:
        assert "they were started apart, in two user namespaces" in joined.err
        lamina("stop", "-t", "0", "early")
        lamina("network", "connect", "late", "early")
        lamina("start", "early")
    if joined.code == 0 or "started apart" in joined.err:
        assert "1 packets received" in lamina("exec", "member", "ping", "-c1", "-W60", "early")
    lamina("rm", "-f", "early", "member")
    lamina("network", "rm", "late")


def test_the_way_out_is_over_the_network_of_the_highest_priority_that_is_left(lamina: Lamina):
    for number, name in enumerate(("first", "second", "third")):
        lamina("network", "create", "--subnet", f"10.123.{number}.0/24", name)

    def way() -> str:
        rows = lamina("exec", "mover", "ip", "route").splitlines()
        return next(row.split()[2] for row in rows if row.startswith("default"))

    both = ["--network", "first", "--network", "name=second,gw-priority=5"]
    lamina("run", "-d", "--name", "mover", *both, "tiny", "sleep", "1000")
    assert way() == "10.123.1.1"
    lamina("network", "connect", "third", "mover")
    assert way() == "10.123.1.1"
    lamina("network", "disconnect", "second", "mover")
    assert way() == "10.123.0.1"
    lamina("network", "disconnect", "third", "mover")
    lamina("network", "connect", "--gw-priority", "1", "third", "mover")
    assert way() == "10.123.2.1"
    form = "{{.NetworkSettings.Networks.third.GwPriority}}"
    assert lamina("inspect", "-f", form, "mover") == "1\n"
    lamina("restart", "-t", "0", "mover")
    assert way() == "10.123.2.1"
    lamina("network", "disconnect", "third", "mover")
    assert way() == "10.123.0.1", "not none, as it was when only the first network led out"
    for words, said in (
        (["--network", "name=first,gw-priority=x"], "invalid gw-priority (x)"),
        (["--network", "name=first,driver-opt=a=b"], "a place on a network has no options"),
    ):
        assert said in lamina.attempt("run", "--rm", *words, "tiny", "true").err
    lamina("rm", "-f", "mover")
    lamina("network", "rm", "first", "second", "third")


def test_the_machine_is_reached_by_its_gateway_name(lamina: Lamina):
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        server.settimeout(200)
        port = server.getsockname()[1]
        script = f"echo hello | nc $(awk '/host.internal/ {{print $1}}' /etc/hosts) {port}"
        words = ["--add-host", "host.internal:host-gateway", "tiny", "sh", "-c", script]
        lamina("run", "-d", "--name", "guest", *words)
        with server.accept()[0] as sock:
            sock.settimeout(200)
            assert sock.recv(100) == b"hello\n"
        lamina("rm", "-f", "guest")


@pytest.mark.root
def test_names_that_a_network_does_not_know_are_asked_of_the_machines_servers(lamina: Lamina):
    lamina("network", "create", "asking")
    stop = threading.Event()

    def serve(sock: socket.socket) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                data, sender = sock.recvfrom(512)
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + bytes([10, 11, 12, 13])
                question = data[12 : data.index(b"\0", 12) + 5]
                sock.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + answer, sender)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, ThreadPoolExecutor(1) as pool:
        sock.settimeout(0.1)
        # Any address of the loopback's does; ours is ours while we have a process of this number.
        server = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255 | 1}"
        sock.bind((server, 53))
        serving = pool.submit(serve, sock)
        words = ["--network", "asking", "--dns", server, "tiny"]
        found = lamina("run", "--rm", *words, "nslookup", "-type=a", "far.example")
        stop.set()
        serving.result()
    assert "10.11.12.13" in found
    lamina("network", "rm", "asking")


def test_networks_are_listed_as_docker_lists_them(lamina: Lamina):
    made = lamina("network", "create", "--internal", "--label", "a=b", "shown").strip()
    rows = [line.split() for line in lamina("network", "ls").splitlines()]
    assert rows[0] == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert [row[1:] for row in rows[1:]] == [
        ["bridge", "bridge", "local"],
        ["host", "host", "local"],
        ["none", "null", "local"],
        ["shown", "bridge", "local"],
    ]
    assert lamina("network", "ls", "-q", "-f", "label=a", "--no-trunc").strip() == made
    inside = lamina("run", "--rm", "--network", "shown", "tiny", "ip", "route")
    assert "default" not in inside
    assert lamina("network", "rm", made[:12]) == f"{made[:12]}\n"


def test_links_are_names_for_one_container_alone(lamina: Lamina):
    lamina("network", "create", "linked")
    lamina("run", "-d", "--name", "data", "--network", "linked", "tiny", "sleep", "1000")
    near = ["run", "--rm", "--network", "linked"]
    assert "Name:\tdb" in lamina(*near, "--link", "data:db", "tiny", "nslookup", "-type=a", "db")
    assert lamina.attempt(*near, "tiny", "nslookup", "-type=a", "db").code != 0
    refused = lamina.attempt("run", "--rm", "--link", "nobody:db", "tiny", "true")
    assert "could not get container for nobody: No such container: nobody" in refused.err
    lamina("stop", "-t", "0", "data")
    if backend().kind == "bridge":
        lamina("run", "-d", "--name", "plain", "tiny", "sleep", "1000")
        address = lamina("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "plain").strip()
        words = ["run", "--rm", "--link", "plain:db", "tiny"]
        assert f"{address}\tdb\n" in lamina(*words, "cat", "/etc/hosts")
        lamina("stop", "-t", "0", "plain")
        assert "Cannot link to a non running container: /plain AS" in lamina.attempt(*words).err
        lamina("rm", "plain")
    lamina("rm", "data")
    lamina("network", "rm", "linked")


def test_options_of_a_bridge_do_what_dockers_do(lamina: Lamina):
    bridge = "com.docker.network.bridge"
    options = [f"{bridge}.enable_icc=false", f"{bridge}.host_binding_ipv4=127.0.0.1"]
    words = [word for option in options for word in ("-o", option)]
    lamina("network", "create", *words, "-o", "com.docker.network.driver.mtu=1400", "strict")
    lamina("run", "-d", "--name", "one", "-p", "80", "--network", "strict", "tiny", "sleep", "1000")
    assert lamina("port", "one").startswith("80/tcp -> 127.0.0.1:")
    assert lamina("port", "one").count("\n") == 1
    address = lamina(
        "inspect", "-f", "{{.NetworkSettings.Networks.strict.IPAddress}}", "one"
    ).strip()
    gateway = lamina(
        "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "strict"
    ).strip()
    script = f"ping -c1 -W1 {address}; ping -c1 -W60 {gateway}; ip link show eth0"
    found = lamina("run", "--rm", "--network", "strict", "tiny", "sh", "-c", script)
    assert "1 packets transmitted, 0 packets received" in found
    assert "1 packets transmitted, 1 packets received" in found
    assert "mtu 1400" in found
    lamina("rm", "-f", "one")
    lamina("network", "rm", "strict")


@pytest.mark.root
def test_a_namespace_that_somebody_else_made_is_joined_by_its_path(lamina: Lamina):
    words = ["unshare", "-n", "sh", "-c", "echo; exec sleep 600"]
    other = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert other.stdout
        other.stdout.readline()
        path = f"/proc/{other.pid}/ns/net"
        show = ("tiny", "readlink", "/proc/self/ns/net")
        found = lamina("run", "--rm", "--network", f"ns:{path}", *show)
        assert found.strip() == os.readlink(path)
    finally:
        other.kill()
        other.communicate()
    done = lamina.attempt("run", "--rm", "--network", "ns:/nowhere", "tiny", "true")
    assert done.code == 125
    assert "cannot find specified network namespace path: /nowhere" in done.err
