"""What networks do to a machine's packet filter, judged by who reaches whom."""

from collections.abc import Iterator

import pytest
from tests.containers import eventually, world
from tests.machines import WORLD6, Machine, machine

pytestmark = pytest.mark.root
SIX = ("network", "create", "--ipv6", "--subnet", "fd12:7::/64")


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Machine]:
    with (
        world(tmp_path_factory.mktemp("firewall")) as lamina,
        machine(lamina) as found,
    ):
        found(*SIX, "six")
        yield found


@pytest.fixture(autouse=True)
def clean(here: Machine) -> None:
    here.sh("nft flush ruleset")


def test_both_families_reach_the_world_and_nothing_stays(here: Machine):
    assert here.reaches_the_world("--network", "six")
    assert here.reaches_the_world("--network", "six", address=WORLD6)
    eventually(lambda: "lamina" not in here.sh("nft list ruleset"))
    assert here.sh("cat /proc/sys/net/ipv6/conf/wan/accept_ra").strip() == "2", (
        "a machine that forwards goes on to take its routes from its router"
    )


def test_a_machine_that_forwards_nothing_lets_networks_of_ours_pass(here: Machine):
    here.sh("iptables -P FORWARD DROP; ip6tables -P FORWARD DROP")
    for _ in range(2):
        assert here.reaches_the_world("--network", "six")
        assert here.reaches_the_world("--network", "six", address=WORLD6)
    rules = here.sh("iptables -S FORWARD; iptables -S LAMINA-FORWARD").splitlines()
    assert rules == [
        "-P FORWARD DROP",
        "-A FORWARD -j LAMINA-FORWARD",
        "-N LAMINA-FORWARD",
        "-A LAMINA-FORWARD -i lm+ -j ACCEPT",
        "-A LAMINA-FORWARD -o lm+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ], "one pair for all networks, once"


def test_iptables_alone_does_it_too(here: Machine):
    here.environ["LAMINA_FIREWALL"] = "iptables"
    here.sh("iptables -P FORWARD DROP; ip6tables -P FORWARD DROP")
    try:
        assert here.reaches_the_world("--network", "six")
        assert here.reaches_the_world("--network", "six", address=WORLD6)
        here("run", "-d", "--name", "other", "tiny", "sleep", "1000")
        address = here("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "other").strip()
        assert not here.reaches_the_world("--network", "six", address=address, within_s=2)
        assert "MASQUERADE" in here.sh("iptables -t nat -S POSTROUTING")
        here("rm", "-f", "other")
        eventually(lambda: "lamina-" not in here.sh("iptables-save; ip6tables-save"))
    finally:
        del here.environ["LAMINA_FIREWALL"]


def test_what_refuses_to_forward_and_is_not_iptables_is_named(here: Machine):
    here.sh(
        "nft 'add table inet own; add chain inet own pass "
        "{ type filter hook forward priority 0; policy drop; }'"
    )
    done = here.attempt("run", "--rm", "tiny", "true")
    assert done.code == 0
    assert "WARNING: " in done.err
    assert "table own, chain pass" in done.err


def test_no_rules_are_made_where_none_are_wanted(here: Machine):
    here.environ["LAMINA_FIREWALL"] = "none"
    try:
        here("run", "-d", "--name", "bare", "tiny", "sleep", "1000")
        assert "lamina" not in here.sh("nft list ruleset")
        here("rm", "-f", "bare")
    finally:
        del here.environ["LAMINA_FIREWALL"]
