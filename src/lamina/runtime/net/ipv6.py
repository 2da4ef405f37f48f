"""Whether this machine does IPv6, and what forwarding it takes."""

import os

from lamina.runtime.net.namespaces import set_here

__all__ = ["forward_here", "ipv6_problem", "switched_off"]

_CONF = "/proc/sys/net/ipv6/conf"


def ipv6_problem() -> str:
    """Say why no network here can have IPv6; empty where it can."""
    if os.path.isdir(_CONF):
        return ""
    return "the kernel has no IPv6 (module ipv6, or started with ipv6.disable=1)"


def switched_off() -> str:
    """Say why the machine itself takes no part in IPv6; empty where it does."""
    if _read("all/disable_ipv6") == "1":
        return "IPv6 is switched off on this machine (net.ipv6.conf.all.disable_ipv6=1)"
    return ""


def forward_here() -> None:
    """Have the machine forward IPv6, and go on to take its own routes from its router.

    Forwarding makes `accept_ra` 1 mean 0; 2 is "though we forward" (kernel's ip-sysctl).
    """
    if _read("all/forwarding") == "1":
        return
    for name in os.listdir(_CONF):
        if name != "all" and _read(f"{name}/accept_ra") == "1":
            set_here(f"ipv6/conf/{name}/accept_ra", "2")
    set_here("ipv6/conf/all/forwarding", "1")


def _read(name: str) -> str:
    try:
        with open(f"{_CONF}/{name}", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
