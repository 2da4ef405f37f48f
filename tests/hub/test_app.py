"""The application as a whole: chores in the background."""

import time

from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub, HubSettings


def test_the_sweep_runs_by_itself(tmp_path):
    settings = HubSettings(
        root=str(tmp_path), port=0, grace_s=0.0, sweep_every_s=0.1, shutdown_s=1.0
    )
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        named = alice.push_blob("alice/app", b"nobody will name this")
        while alice.head(f"/v2/alice/app/blobs/{named}").status == 200:
            time.sleep(0.05)


def test_pulls_are_written_down_when_the_hub_stops(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        alice.image("alice/app")
        alice.get("/v2/alice/app/manifests/v1")
    with Hub(root=str(tmp_path)) as hub:
        assert "1 pull<" in Client(hub.address).get("/").text
