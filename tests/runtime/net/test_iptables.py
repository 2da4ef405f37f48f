"""Rules of iptables that outlive who made them: found by their tag, and swept."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.root
MAKE = """
import subprocess
from lamina.runtime.net.addresses import Pool
from lamina.runtime.net.iptables import install, let_through, remove
def show(program="iptables"):
    print(subprocess.run([program + "-save"], capture_output=True, text=True, check=True).stdout)
"""


def said(script: str) -> list[str]:
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", MAKE + script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("-A", "!"))]


def test_rules_of_a_killed_process_are_replaced_by_those_of_the_next():
    rules = said("""
assert install("0f", "lmx", [Pool("10.5.0.0/24")]) == ""
assert install("1f", "lmy", [Pool("10.7.0.0/24")]) == ""
assert install("0f", "lmx", [Pool("10.6.0.0/24")]) == ""
show()
""")
    masked = [rule for rule in rules if "MASQUERADE" in rule]
    assert [rule.split()[3] for rule in masked] == ["10.7.0.0/24", "10.6.0.0/24"]
    assert sum("DROP" in rule for rule in rules) == 2
    assert sum(rule == "-A FORWARD -j LAMINA-FORWARD" for rule in rules) == 1


def test_what_is_removed_is_ones_own():
    rules = said("""
subprocess.run(["iptables", "-A", "FORWARD", "-i", "mine", "-j", "ACCEPT"], check=True)
assert install("0f", "lmx", [Pool("10.5.0.0/24"), Pool("fd12::/64")]) == ""
remove("0f")
show(); show("ip6tables")
""")
    assert "-A FORWARD -i mine -j ACCEPT" in rules
    assert not [rule for rule in rules if "lamina-" in rule]


def test_a_machine_that_forwards_all_is_left_alone():
    assert (
        said("""
subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True)
assert let_through("lmx", [Pool("10.5.0.0/24")]) == ""
show()
""")
        == []
    )


def test_an_interface_with_a_name_of_its_own_is_let_through_too():
    rules = said("""
subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
assert let_through("front0", [Pool("10.5.0.0/24")]) == ""
show()
""")
    assert "-A LAMINA-FORWARD -i front0 -j ACCEPT" in rules
    assert "-A LAMINA-FORWARD -i lm+ -j ACCEPT" in rules
