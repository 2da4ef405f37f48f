from types import SimpleNamespace

import pytest

from lamina.engine.records import ContainerState
from lamina.engine.restarting import (
    HealthRequest,
    PolicyInvalid,
    RestartPolicy,
    health_command,
    wants_start,
)

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", ("no", 0)),
        ("always", ("always", 0)),
        ("unless-stopped", ("unless-stopped", 0)),
        ("on-failure", ("on-failure", 0)),
        ("on-failure:3", ("on-failure", 3)),
    ],
)
def test_policies_are_read(text, policy):
    assert RestartPolicy.parse(text) == policy
    assert RestartPolicy.parse(text).to_json() == {
        "Name": policy[0],
        "MaximumRetryCount": policy[1],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sometimes", "unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or"),
        ("always:3", "maximum retry count can only be used with 'on-failure'"),
        ("on-failure:x", "maximum retry count must be an integer"),
        ("on-failure:-1", "maximum retry count cannot be negative"),
    ],
)
def test_bad_policies_are_refused_in_dockers_words(text, words):
    with pytest.raises(PolicyInvalid) as error:
        RestartPolicy.parse(text)
    assert words in error.value.message


@pytest.mark.parametrize(
    ("name", "state", "wanted"),
    [
        ("no", ContainerState("exited"), False),
        ("always", ContainerState("exited", stopped=True), True),
        ("always", ContainerState("created"), False),
        ("always", ContainerState("running"), False),
        ("unless-stopped", ContainerState("exited"), True),
        ("unless-stopped", ContainerState("exited", stopped=True), False),
        ("on-failure", ContainerState("exited", exit_code=137), True),
        ("on-failure", ContainerState("exited"), False),
    ],
)
def test_after_a_reboot_policies_say_what_is_wanted(name, state, wanted):
    record = SimpleNamespace(host={"RestartPolicy": {"Name": name}})
    assert wants_start(record, state) == wanted  # type: ignore[arg-type]


def test_what_is_asked_of_checks_goes_over_what_the_image_has():
    image = {"Test": ["CMD", "old"], "Interval": 5 * S, "Retries": 4}
    assert HealthRequest().merged(image) == image
    assert HealthRequest().merged({}) == {}
    assert HealthRequest(command="new", retries=1).merged(image) == {
        "Test": ["CMD-SHELL", "new"],
        "Interval": 5 * S,
        "Retries": 1,
    }
    assert HealthRequest(off=True).merged(image) == {"Test": ["NONE"]}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (HealthRequest(off=True, command="x"), "--no-healthcheck conflicts with --health-*"),
        (HealthRequest(interval_ns=-1), "--health-interval cannot be negative"),
        (HealthRequest(start_period_ns=5), "StartPeriod in Healthcheck cannot be less than 1ms"),
        (HealthRequest(retries=-1), "--health-retries cannot be negative"),
    ],
)
def test_checks_that_cannot_be_are_refused(request_, words):
    with pytest.raises(PolicyInvalid) as error:
        request_.check()
    assert words in error.value.message


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ()),
        ({"Healthcheck": {"Test": ["NONE"]}}, ()),
        ({"Healthcheck": {"Test": []}}, ()),
        ({"Healthcheck": {"Test": ["CMD", "a", "b"]}}, ("a", "b")),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}, ("/bin/sh", "-c", "a b")),
        (
            {"Healthcheck": {"Test": ["CMD-SHELL", "a"]}, "Shell": ["bash", "-ec"]},
            ("bash", "-ec", "a"),
        ),
    ],
)
def test_the_command_of_a_check_is_read_in_each_form(config, words):
    assert health_command(config)[0] == words


def test_a_check_may_take_thirty_seconds_unless_it_says_so():
    assert health_command({"Healthcheck": {"Test": ["CMD", "a"]}})[1] == 30
    assert health_command({"Healthcheck": {"Test": ["CMD", "a"], "Timeout": S // 2}})[1] == 0.5
