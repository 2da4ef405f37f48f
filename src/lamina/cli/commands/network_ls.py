"""`lamina network ls`: the networks there are."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.networks import Network

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network ls",
    usage="lamina network ls [OPTIONS]",
    summary="List networks",
    flags=(
        Flag("filter", "f", kind=FILTER, help='Provide filter values (e.g. "driver=bridge")'),
        FORMAT,
        JSON,
        Flag("no-trunc", kind=BOOL, help="Do not truncate the output"),
        QUIET,
    ),
    arity=(0, 0),
)
_HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "Label": "()",
    "CreatedAt": "CREATED AT",
}
_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")


def main(arguments: Arguments, context: Context) -> int:
    """Print them by name."""
    whole = arguments.flag("no-trunc")
    rows = [_row(network, whole=whole) for network in _chosen(context, arguments.filters())]
    show(context, Listing(_HEADERS, ("ID", "Name", "Driver", "Scope")), rows, arguments)
    return 0


def _chosen(context: Context, filters: Mapping[str, tuple[str, ...]]) -> list[Network]:
    """Give the networks that pass every filter. Raises: FilterInvalid."""
    from lamina.cli.image_filters import FilterInvalid
    from lamina.cli.kinds import parse_bool

    unknown = sorted(set(filters) - set(_FILTERS))
    if unknown:
        raise FilterInvalid(
            f"invalid filter '{unknown[0]}'", hint=f"there are {', '.join(_FILTERS)}"
        )
    try:
        dangling = {parse_bool(text) for text in filters.get("dangling", ())}
    except ValueError as error:
        raise FilterInvalid(f"invalid filter 'dangling': {error}") from None
    records = context.engine.containers.records() if dangling else ()
    used = {network for record in records for network in record.networks}
    return [
        network
        for network in context.engine.networks.list()
        if (not dangling or (network.id not in used and not network.built_in) in dangling)
        and _passes(network, filters)
    ]


def _passes(network: Network, filters: Mapping[str, tuple[str, ...]]) -> bool:
    kind = "builtin" if network.built_in else "custom"
    tests: dict[str, Callable[[str], bool]] = {
        "driver": lambda text: network.driver == text,
        "id": network.id.startswith,
        "name": lambda text: text in network.name,
        "scope": lambda text: text == "local",
        "type": lambda text: text == kind,
    }
    if any(
        filters.get(name) and not any(test(text) for text in filters[name])
        for name, test in tests.items()
    ):
        return False
    return all(_labelled(network.labels, text) for text in filters.get("label", ()))


def _labelled(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _row(network: Network, *, whole: bool) -> Row:
    labels = network.labels
    cells: dict[str, object] = {
        "ID": network.id if whole else network.id[:12],
        "Name": network.name,
        "Driver": network.driver,
        "Scope": "local",
        "IPv4": "true",
        "IPv6": str(bool(network.subnet6)).lower(),
        "Internal": str(network.internal).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in labels.items()),
        "Label": lambda key: labels.get(key, ""),
        "CreatedAt": network.created,
    }
    return Row(cells, network.to_json())
