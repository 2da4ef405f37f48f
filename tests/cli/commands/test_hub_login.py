"""What `lamina hub …` commands say when the hub cannot be asked."""

from tests.hub.clients import PASSWORD
from tests.hub.receivers import Receiver

from lamina.hub import Hub
from lamina.spec.wire import encode


def test_without_a_login_the_command_to_log_in_is_named(run):
    code, _, err = run("hub", "webhook", "--hub", "127.0.0.1:9", "ls", "alice")
    assert code == 1
    assert "lamina login 127.0.0.1:9" in err


def test_a_login_that_ended_is_refused_in_the_hubs_words(run, tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        assert run("login", "-u", "alice", "--password-stdin", hub.address, stdin=PASSWORD)[0] == 0
        hub.services.accounts.set_password("alice", "another horse battery")
        code, _, err = run("hub", "webhook", "--hub", hub.address, "ls", "alice")
    assert (code, "log in again" in err) == (1, True)


def test_a_server_that_is_no_hub_is_doubted(run, tmp_path):
    with Receiver(lambda _: (404, {})) as other:
        address = other.url.removeprefix("http://").partition("/")[0]
        folder = tmp_path / "docker"
        folder.mkdir()
        (folder / "config.json").write_bytes(encode({"auths": {address: {"auth": "YTpi"}}}))
        code, _, err = run("hub", "webhook", "--hub", address, "ls", "alice")
    assert (code, "is it a Lamina hub?" in err) == (1, True)
