"""Where the hub lives and listens."""

import pytest

from lamina.errors import Invalid
from lamina.hub.settings import HubSettings


def read(environ: dict[str, str], **more: str) -> HubSettings:
    return HubSettings.from_environment({"LAMINA_ROOT": "/data/lamina", **environ}, **more)


def test_defaults_are_the_engines_root_and_loopback():
    settings = read({})
    assert (settings.root, settings.host, settings.port) == ("/data/lamina/hub", "127.0.0.1", 5000)


def test_the_environment_and_then_the_command_line_win():
    assert read({"LAMINA_HUB_ROOT": "/srv/hub"}).root == "/srv/hub"
    settings = read({"LAMINA_HUB_ROOT": "/srv/hub"}, root="/other", address="0.0.0.0:80")
    assert (settings.root, settings.host, settings.port) == ("/other", "0.0.0.0", 80)
    assert read({"LAMINA_HUB_URL": "https://hub.example/"}).public_url == "https://hub.example"


def test_addresses_are_host_and_port():
    assert read({}, address="[::1]:5000").host == "::1"
    assert read({}, address=":0").host == "127.0.0.1"
    for address in ("localhost", "localhost:", "localhost:http", "localhost:70000"):
        with pytest.raises(Invalid):
            read({}, address=address)
