"""Which proxy a request goes through, by the customary environment variables. Pure."""

from collections.abc import Mapping

from lamina.errors import Invalid, Unsupported
from lamina.remote.endpoints import is_loopback

__all__ = ["proxy_for"]


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str:
    """Give the proxy's URL, empty for a direct connection. Loopback never goes through one.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, lower case first. NO_PROXY has names (with
    their subdomains), `.suffixes`, addresses, networks (CIDR), each with a port if wanted, or `*`.
    Raises: Unsupported (a SOCKS proxy), Invalid (no address).
    """
    if is_loopback(host) or _is_exempt(host, port, _read(environ, "no_proxy")):
        return ""
    proxy = _read(environ, f"{scheme}_proxy") or _read(environ, "all_proxy")
    if not proxy:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise Unsupported(
            f"proxies of the kind {proxy.partition(':')[0]!r} are not supported",
            hint="use an http proxy in HTTPS_PROXY, or name the registry in NO_PROXY",
        )
    _check(proxy)
    return proxy


def _check(proxy: str) -> None:
    """Refuse what is no address. Raises: Invalid (without what may be a password)."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(proxy)
        if parts.hostname and parts.port != 0:
            return
    except ValueError:  # brackets without their other half, a port in letters
        pass
    raise Invalid(
        f"the proxy {proxy.rpartition('@')[2]!r} is no address",
        hint="HTTPS_PROXY, HTTP_PROXY and ALL_PROXY are written http://NAME:PASSWORD@HOST:PORT",
    )


def _read(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_exempt(host: str, port: int, rules: str) -> bool:
    return any(_matches(host, port, rule) for rule in rules.replace(",", " ").lower().split())


def _matches(host: str, port: int, rule: str) -> bool:
    if rule == "*":
        return True
    if "/" in rule:
        return _in_network(host, rule)
    name, colon, wanted_port = rule.rpartition(":")
    if colon and wanted_port.isdigit() and (":" not in name or name.endswith("]")):
        if int(wanted_port) != port:
            return False
        rule = name
    rule = rule.strip("[]").removeprefix("*")
    if rule.startswith("."):
        return host.endswith(rule)
    return bool(rule) and (host == rule or host.endswith(f".{rule}"))


def _in_network(host: str, rule: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(rule, strict=False)
    except ValueError:
        return False
