import pytest

from lamina.engine.network_document import network_name, ports_of, ports_text
from lamina.engine.records import ContainerState


def on(host: str, number: int) -> dict[str, str]:
    return {"HostIp": host, "HostPort": str(number)}


def running(**ports: object) -> ContainerState:
    found = {name.replace("_", "/").lstrip("p"): places for name, places in ports.items()}
    return ContainerState("running", network={"Ports": found})


@pytest.mark.parametrize(
    ("exposed", "ports", "text"),
    [
        ((), {}, ""),
        (("80/tcp",), {}, "80/tcp"),
        (("101/tcp", "99/tcp", "100/tcp", "53/udp"), {}, "53/udp, 99-101/tcp"),
        (("80/tcp", "82/tcp"), {}, "80/tcp, 82/tcp"),
        (("80/tcp",), {"p80_tcp": [on("0.0.0.0", 80), on("::", 80)]}, "0.0.0.0:80->80/tcp, [::]:80->80/tcp"),
        (
            ("443/tcp",),
            {"p80_tcp": [on("0.0.0.0", 8080), on("::", 8080)]},
            "443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        ),
        (
            (),
            {f"p{n}_tcp": [on("127.0.0.1", n)] for n in (8000, 8001, 8002)},
            "127.0.0.1:8000-8002->8000-8002/tcp",
        ),
    ],
)  # fmt: skip
def test_ports_are_shown_in_ranges_as_docker_shows_them(exposed, ports, text: str):
    assert ports_text(exposed, running(**ports)) == text


def test_a_container_that_does_not_run_has_no_ports():
    ended = ContainerState("exited", network={"Ports": {"80/tcp": [on("0.0.0.0", 80)]}})
    assert ports_text(("80/tcp",), ended) == ""
    assert ports_of(("80/tcp",), ended) == {}
    assert ports_of(("80/tcp",), ContainerState("running")) == {"80/tcp": None}


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("default", "bridge"),
        ("", "bridge"),
        ("mine", "mine"),
        ("container:x", ""),
        ("none", "none"),
    ],
)
def test_a_network_mode_names_a_network_but_for_anothers(mode: str, name: str):
    assert network_name(mode) == name
