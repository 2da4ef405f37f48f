"""firewalld's rules, as its version 1.3 writes them, and who is warned of them."""

from collections.abc import Iterator

import pytest
from tests.containers import world
from tests.machines import Machine, machine

pytestmark = pytest.mark.root
ZONES = """
table inet firewalld {{
  chain filter_FORWARD {{
    type filter hook forward priority filter + 10; policy accept;
    ct state {{ established, related }} accept
    iifname "lo" accept
    jump filter_FORWARD_ZONES
    reject with icmpx admin-prohibited
  }}
  chain filter_FORWARD_ZONES {{
    {zones}
    goto filter_FWD_public
  }}
  chain filter_FWD_trusted {{
    accept
  }}
  chain filter_FWD_public {{
    jump filter_FWD_public_allow
    reject with icmpx admin-prohibited
  }}
  chain filter_FWD_public_allow {{
    {allowed}
  }}
}}
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Machine]:
    with (
        world(tmp_path_factory.mktemp("firewalld")) as lamina,
        machine(lamina) as found,
    ):
        yield found


@pytest.mark.parametrize(
    ("zones", "allowed", "passes"),
    [
        ("", "", False),
        ("", 'oifname "wan0" accept', False),
        ('iifname "other" goto filter_FWD_trusted', "", False),
        # Last: what passed once passes for half a minute, as the answer to what went out.
        ("", 'oifname "wan" accept', True),
        ('iifname "lm*" goto filter_FWD_trusted', "", True),
    ],
)
def test_a_warning_comes_where_nothing_gets_out_and_nowhere_else(
    here: Machine, zones: str, allowed: str, passes: bool
):
    text = ZONES.format(zones=zones, allowed=allowed)
    here.sh(f"nft flush ruleset; nft -f - <<'X'\n{text}\nX")
    told = here.attempt("run", "--rm", "tiny", "true").err
    assert ("firewalld keeps packets from leaving" in told) != passes
    assert here.reaches_the_world(within_s=60 if passes else 2) == passes
