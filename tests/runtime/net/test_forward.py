import socket

import pytest

from lamina.runtime.net.forward import Listening, PortTaken, bind


def wish(first: int, last: int = 0, *, address: str = "127.0.0.1", protocol: str = "tcp"):
    return {
        "protocol": protocol, "address": address, "first": first, "last": last or first, "inner": 80,
    }  # fmt: skip


def close(bound: list[Listening]) -> None:
    for row in bound:
        row.sock.close()


def test_a_port_of_the_machines_choice_is_the_same_on_every_address():
    bound = bind([wish(0, address="")])
    assert len({row.port for row in bound}) == 1
    assert bound[0].address == "0.0.0.0"
    assert bound[0].inner == 80
    close(bound)


def test_the_first_free_port_of_a_range_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        last = min(port + 20, 65535)
        bound = bind([wish(port, last)])
        assert port < bound[0].port <= last
        close(bound)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_named_and_no_other_is_kept(protocol):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken, socket.socket(socket.AF_INET, kind) as free:
        for sock in (taken, free):
            sock.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        with pytest.raises(PortTaken, match=f":{port}/{protocol}: address already in use"):
            bind([wish(other, protocol=protocol), wish(port, protocol=protocol)])
        close(bind([wish(other, protocol=protocol)]))


def test_an_address_that_the_machine_lacks_is_said_to_be_none_of_its():
    with pytest.raises(PortTaken, match=r"192\.0\.2\.77:0/tcp: Cannot assign"):
        bind([wish(0, address="192.0.2.77")])
