"""What firewalld's rules mean for networks of ours. They are the kernel's: its daemon is not asked.

Its table sends what is forwarded from chain `filter_FORWARD_ZONES` to that of the zone which the
interface is in, the default zone's last; `…_allow` has what that zone lets out (firewalld 1.0 and
later: what goes to another interface of the same zone).
"""

from contextlib import suppress

from lamina.runtime.net.nftables import rules

__all__ = ["TABLE", "lets_through"]

TABLE = "firewalld"
_ZONES = "filter_FORWARD_ZONES"
_CHAIN = b"filter_FWD_"


def lets_through(prefix: str) -> bool:
    """Tell whether packets from interfaces called `prefix…`, which nobody gave a zone, get out.

    They do where they are trusted, and where the way out is in the default zone, too, which forwards.
    """
    rows = rules(TABLE)
    zones = [row for chain, row in rows if chain == _ZONES]
    if any(_CHAIN + b"trusted\0" in row and prefix.encode() in row for row in zones):
        return True
    if not zones:
        return False
    zone = zones[-1].partition(_CHAIN)[2].partition(b"\0")[0].decode("ascii", "replace")
    allowed = [row for chain, row in rows if chain == f"filter_FWD_{zone}_allow"]
    return any(f"{way}\0".encode() in row for way in _ways_out() for row in allowed)


def _ways_out() -> set[str]:
    """Give the interfaces that default routes go over."""
    found = set()
    with suppress(OSError), open("/proc/net/route", encoding="ascii") as file:
        for line in list(file)[1:]:
            name, target, *_ = line.split()
            if target == "00000000":
                found.add(name)
    return found
