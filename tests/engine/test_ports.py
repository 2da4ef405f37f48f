import pytest

from lamina.engine.ports import PortInvalid, exposed, published, to_bind


@pytest.mark.parametrize(
    ("text", "bindings"),
    [
        ("80", {"80/tcp": [{"HostIp": "", "HostPort": ""}]}),
        ("8080:80", {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}),
        ("127.0.0.1:8080:80/UDP", {"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
        ("127.0.0.1::80", {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}),
        ("[::1]:53:53/udp", {"53/udp": [{"HostIp": "::1", "HostPort": "53"}]}),
        ("8000-8009:80", {"80/tcp": [{"HostIp": "", "HostPort": "8000-8009"}]}),
        (
            "8000-8001:80-81",
            {
                "80/tcp": [{"HostIp": "", "HostPort": "8000"}],
                "81/tcp": [{"HostIp": "", "HostPort": "8001"}],
            },
        ),
    ],
)
def test_ports_are_read_as_docker_reads_them(text, bindings):
    assert published((text, text)) == bindings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("80:http", "invalid containerPort: http"),
        ("x:80", "invalid hostPort: x"),
        ("70000:80", "invalid hostPort: 70000"),
        ("300.0.0.1:1:80", "invalid IP address: 300.0.0.1"),
        ("80/icmp", "invalid proto: icmp"),
        ("8000-8002:80-81", "invalid ranges specified for container and host Ports"),
        ("81-80", "invalid range"),
        ("80:", "no port specified"),
        ("[::1:80", "invalid IP address"),
    ],
)
def test_what_is_no_port_is_named(text, words):
    with pytest.raises(PortInvalid, match=words.split(":", maxsplit=1)[0]) as caught:
        published((text,))
    assert words in str(caught.value)
    assert caught.value.exit_code == 125


def test_exposed_ports_are_single_and_have_a_protocol():
    assert exposed(("80", "90-91/udp")) == ("80/tcp", "90/udp", "91/udp")


def test_what_is_bound_is_what_was_asked_for_and_the_exposed_rest():
    bindings = published(("8000-8009:80", "127.0.0.1:53:53/udp"))
    assert to_bind(bindings, ("80/tcp", "443/tcp")) == [
        {"protocol": "tcp", "address": "", "first": 8000, "last": 8009, "inner": 80},
        {"protocol": "udp", "address": "127.0.0.1", "first": 53, "last": 53, "inner": 53},
        {"protocol": "tcp", "address": "", "first": 0, "last": 0, "inner": 443},
    ]
