"""The cable to the machine is laid when the last keeper's is gone, and taken up at the end."""

import itertools
import time

import pytest

from lamina.errors import AlreadyExists
from lamina.runtime.net import uplink
from lamina.runtime.net.uplink import Uplink


class Links:
    """Notes what is asked of the kernel; a cable of the same name is there for a while."""

    def __init__(self, there: int = 0) -> None:
        self.there = there
        self.said: list[tuple[str, object]] = []

    def add_veth(self, name: str, *, peer: str, peer_namespace: int, mtu: int) -> int:
        assert mtu == 0
        assert peer_namespace >= 0
        self.said.append((name, peer))
        if self.there:
            self.there -= 1
            raise FileExistsError
        return 3

    def index(self, name: str) -> int:
        self.said.append(("index", name))
        return 7

    def up(self, index: int) -> None:
        self.said.append(("up", index))

    def remove(self, index: int) -> None:
        self.said.append(("remove", index))

    def close(self) -> None:
        """As a socket is."""


@pytest.fixture
def made(tmp_path) -> tuple[Uplink, Links, Links]:
    inside, machine = Links(), Links()
    found = Uplink(inside, -1, {"folder": str(tmp_path)})  # type: ignore[arg-type]
    found._host_links.close()
    found._host_links = machine  # type: ignore[assignment]
    return found, inside, machine


def test_a_cable_of_a_killed_keeper_is_waited_for(made):
    found, inside, machine = made
    inside.there = 3
    found._plug_in()
    name = inside.said[0][1]
    assert inside.said == [("up0", name)] * 4
    assert machine.said == [("index", name), ("up", 7)]


def test_a_cable_that_never_goes_is_told(made, monkeypatch):
    found, inside, _ = made
    inside.there = 10
    moments = itertools.count(0.0, uplink._GOING_S)
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    with pytest.raises(AlreadyExists, match="has an interface lm"):
        found._plug_in()


def test_the_cable_is_taken_up_at_the_end_and_once(made):
    found, _, machine = made
    found._plug_in()
    found.close()
    found.close()
    assert machine.said[2:] == [("remove", 7)]
