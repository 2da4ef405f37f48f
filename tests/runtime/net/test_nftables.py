"""Tables as nft, which knows nothing of us, lists them: in a network namespace of the test's own."""

import subprocess
import sys

import pytest

MAKE = """
import os, subprocess, sys
from lamina.runtime.net.nftables import *
def listed(*words):
    print(subprocess.run(["nft", *words], capture_output=True, text=True, check=True).stdout, flush=True)
"""
pytestmark = pytest.mark.root


def said(script: str) -> str:
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", MAKE + script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rules_are_what_nft_reads_and_go_with_their_socket():
    found = said("""
table = Table("lamina_x")
table.install(
    translate=[
        (*source("10.5.0.0", 20), *leaves("lmx", other=True), *masquerade()),
        (*source("fd12:3::", 64), *leaves("lmx", other=True), *masquerade()),
    ],
    forward=[(*leaves("lmx"), *new_connection(), *drop()), (*arrives("lmx"), *leaves("lm*"), *drop())],
)
listed("list", "ruleset")
table.close()
listed("list", "tables")
""")
    for line in (
        "flags owner",
        "type nat hook postrouting priority srcnat; policy accept;",
        'ip saddr 10.5.0.0/20 oifname != "lmx" masquerade',
        'ip6 saddr fd12:3::/64 oifname != "lmx" masquerade',
        "type filter hook forward priority filter - 1; policy accept;",
        'oifname "lmx" ct state new drop',
        'iifname "lmx" oifname "lm*" drop',
    ):
        assert line in found
    assert found.rstrip().endswith("}"), "nothing is listed once it is closed"


def test_a_table_that_nobody_owns_is_made_anew_and_taken_away():
    found = said("""
for name in ("first", "second"):
    table = Table("lamina_x")
    table._owned = False
    table.install(forward=[(*leaves(name), *drop())])
listed("list", "ruleset")
table.close()
listed("list", "tables")
""")
    assert "flags owner" not in found
    assert found.count("oifname") == 1
    assert 'oifname "second" drop' in found
    assert found.rstrip().endswith("}")


def test_a_table_of_a_process_that_is_just_going_is_waited_for():
    found = said("""
import threading
old, new = Table("lamina_x"), Table("lamina_x")
old.install(forward=[(*leaves("old"), *drop())])
going = threading.Timer(0.05, old.close)
going.start()
new.install(forward=[(*leaves("new"), *drop())])
going.join()
listed("list", "ruleset")
""")
    assert 'oifname "new"' in found
    assert "old" not in found


def test_chains_that_forward_nothing_are_found():
    found = said("""
print(forward_refusals())
subprocess.run(["nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; "
    "add table inet own; add chain inet own in { type filter hook input priority 0; policy drop; }; "
    "add chain inet own pass { type filter hook forward priority 0; policy accept; }; "
    "add table inet firewalld; add chain inet firewalld f { type filter hook forward priority 10; policy accept; }"], check=True)
print(forward_refusals())
""")
    assert found.split("\n")[:2] == ["[]", "[('filter', 'FORWARD'), ('firewalld', 'f')]"]


def test_an_error_of_the_kernel_is_raised_and_nothing_stays():
    found = said("""
table = Table("lamina_x")
try:
    table.install(forward=[masquerade()])
except OSError as error:
    print(error)
listed("list", "tables")
""")
    assert found.startswith("[Errno ")
    assert "lamina_x" not in found
