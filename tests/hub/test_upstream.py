"""How another registry is asked: whose name it is, and no more than it allows."""

import pytest
from tests.hub.clock import Time
from tests.hub.hostile import Hostile, Reply

from lamina.errors import NotFound
from lamina.hub.errors import UpstreamFailed, UpstreamLimited
from lamina.hub.upstream import Limit, Upstream, split_upstream
from lamina.remote.errors import ManifestUnknown


def upstream(address, tmp_path, clock=None, **more):
    return Upstream(
        address, folder=str(tmp_path), via="test", clock=clock or Time(), environ={}, **more
    )


def ask(found, reference="v1"):
    with found.asked():
        return found.repository("team/app").manifest(reference)


def test_a_registry_and_the_path_below_it_are_parted():
    assert split_upstream("docker.io") == ("docker.io", "")
    assert split_upstream("quay.io/team/deep") == ("quay.io", "team/deep")


def test_names_are_completed_as_the_registry_has_them(tmp_path):
    assert upstream("docker.io", tmp_path).repository("debian").repository == "library/debian"
    assert upstream("docker.io", tmp_path).repository("a/b").repository == "a/b"
    assert upstream("quay.io/team", tmp_path).repository("app").repository == "team/app"


def test_this_machines_logins_and_mirrors_are_not_used(tmp_path, monkeypatch):
    rules = tmp_path / "registries.toml"
    rules.write_text('[registry."docker.io"]\nmirrors = ["mirror.example"]\ninsecure = true\n')
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text('{"auths": {"docker.io": {"auth": "YTpi"}}}')
    environ = {"LAMINA_REGISTRIES": str(rules), "DOCKER_CONFIG": str(folder), "HOME": str(folder),
               "DOCKER_AUTH_CONFIG": '{"auths": {"docker.io": {"auth": "YTpi"}}}'}  # fmt: skip
    found = Upstream("docker.io", folder=str(tmp_path), via="test", environ=environ)
    repository = found.repository("debian")
    assert repository.mirrors == ()
    assert repository.client.credentials("docker.io") is None
    own = Upstream("docker.io", username="me", password="x", folder=str(tmp_path), via="test",
                   environ=environ)  # fmt: skip
    credentials = own.repository("debian").client.credentials("docker.io")
    assert credentials is not None
    assert credentials.username == "me"


def test_what_it_says_of_its_limit_is_known_and_after_429_it_is_left_alone(tmp_path):
    clock = Time()
    with Hostile() as hostile:
        hostile.headers = (
            ("RateLimit-Limit", "100;w=21600"),
            ("RateLimit-Remaining", "99;w=21600"),
        )
        found = upstream(hostile.address, tmp_path, clock)
        ask(found)
        assert found.limit == Limit(100, 99)
        hostile.manner = lambda *_: Reply(429, headers=(("Retry-After", "90"),))
        for _ in range(2):
            with pytest.raises(UpstreamLimited) as caught:
                ask(found)
            assert 89 <= caught.value.retry_after_s <= 91
        asked = sum(hostile.asked.values())
        hostile.manner = None
        clock.now += 80
        with pytest.raises(UpstreamLimited):
            ask(found)
        assert sum(hostile.asked.values()) == asked
        clock.now += 11
        ask(found)
        found.close()


def test_a_limit_without_a_time_holds_for_a_minute_and_none_for_more_than_an_hour(tmp_path):
    for header, least, most in ((None, 59, 61), ("999999", 3599, 3601), ("0", 1, 2)):
        headers = (("Retry-After", header),) if header else ()
        with Hostile(manner=lambda *_, headers=headers: Reply(429, headers=headers)) as hostile:
            found = upstream(hostile.address, tmp_path)
            with pytest.raises(UpstreamLimited) as caught:
                ask(found)
            assert least <= caught.value.retry_after_s <= most
            found.close()


def test_what_it_lacks_is_no_trouble_and_trouble_rests_it_for_a_moment(tmp_path):
    clock = Time()
    with Hostile() as hostile:
        found = upstream(hostile.address, tmp_path, clock)
        with pytest.raises((ManifestUnknown, NotFound)):
            ask(found, "v2")
        ask(found)
    with pytest.raises(UpstreamFailed):
        ask(found)
    with pytest.raises(UpstreamFailed, match=hostile.address) as caught:
        ask(found)
    assert caught.value.hint == "try again in a moment"
    found.close()


def test_one_that_is_closed_connects_no_more(tmp_path):
    with Hostile() as hostile:
        found = upstream(hostile.address, tmp_path)
        ask(found)
        found.close()
        with pytest.raises(UpstreamFailed, match="stopping"):
            ask(found)
