"""A hub whose images were looked into: for tests of the pages about what is in them."""

from tests.hub.clients import Client
from tests.hub.exploring.images import BOTTOM, TOP, explore, file, push
from tests.hub.repositories import hide
from tests.layer.trees import tar_of

from lamina.hub import Hub

__all__ = ["fill"]


def fill(hub: Hub) -> None:
    """alice/app with v1 and v2 (a layer more), an index, many files; alice/hidden is private."""
    alice = Client(hub.address, "alice")
    push(alice, "alice/app", "v1", [BOTTOM])
    push(
        alice, "alice/app", "v2", [BOTTOM, TOP], env=("PATH=/bin", "MODE=new"), command=["sh", "-l"]
    )
    many = tar_of([file(b"many/%04d" % number, b"x") for number in range(1201)])
    push(alice, "alice/app", "many", [many], comment="all of them")
    push(alice, "alice/hidden", "v1", [BOTTOM, TOP])
    hide(hub, "alice/hidden")
    push(alice, "alice/app", "broken", [b"no tar"])
    explore(hub)
    push(alice, "alice/app", "fresh", [TOP])
