import pytest

from lamina.cli.flags import BOOL, Flag, FlagInvalid, parse
from lamina.cli.keeping_flags import FLAGS, health_of, policy_of
from lamina.engine.restarting import HealthRequest, PolicyInvalid

ALL = (*FLAGS, Flag("rm", kind=BOOL))


def test_flags_become_what_is_asked_of_checks():
    words = ["--health-cmd=a", "--health-interval=1s", "--health-timeout=2ms", "--health-retries=3"]
    assert health_of(parse(ALL, words)) == HealthRequest(
        command="a", interval_ns=10**9, timeout_ns=2 * 10**6, retries=3
    )
    with pytest.raises(PolicyInvalid, match="conflicts"):
        health_of(parse(ALL, ["--no-healthcheck", "--health-cmd=a"]))


def test_a_policy_and_rm_exclude_each_other():
    assert policy_of(parse(ALL, ["--restart=always"])).name == "always"
    assert policy_of(parse(ALL, ["--restart=no", "--rm"])).name == "no"
    with pytest.raises(FlagInvalid, match="cannot specify both --restart and --rm"):
        policy_of(parse(ALL, ["--restart=always", "--rm"]))
