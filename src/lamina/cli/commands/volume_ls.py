"""`lamina volume ls`: the volumes there are."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import FILTER, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.volume_shelf import Volume

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="volume ls",
    usage="lamina volume ls [OPTIONS]",
    summary="List volumes",
    flags=(
        *refused.CLUSTER,
        Flag("filter", "f", kind=FILTER, help='Provide filter values (e.g. "dangling=true")'),
        FORMAT,
        JSON,
        QUIET,
    ),
    arity=(0, 0),
)
_HEADERS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Label": "()",
    "Links": "LINKS",
    "Size": "SIZE",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Status": "STATUS",
}
_FILTERS = ("dangling", "driver", "label", "name")


def main(arguments: Arguments, context: Context) -> int:
    """Print them by name."""
    refused.refuse(arguments, refused.CLUSTER)
    rows = [_row(volume) for volume in _chosen(context, arguments.filters())]
    show(context, Listing(_HEADERS, ("Driver", "Name"), quiet="Name"), rows, arguments)
    return 0


def _chosen(context: Context, filters: Mapping[str, tuple[str, ...]]) -> list[Volume]:
    """Give the volumes that pass every filter. Raises: FilterInvalid."""
    from lamina.cli.image_filters import FilterInvalid
    from lamina.cli.kinds import parse_bool

    unknown = sorted(set(filters) - set(_FILTERS))
    if unknown:
        raise FilterInvalid(
            f"invalid filter '{unknown[0]}'", hint=f"there are {', '.join(_FILTERS)}"
        )
    volumes = context.engine.volumes
    try:
        dangling = {parse_bool(text) for text in filters.get("dangling", ())}
    except ValueError as error:
        raise FilterInvalid(f"invalid filter 'dangling': {error}") from None
    used = volumes.users() if dangling else {}
    names = filters.get("name", ())
    return [
        volume
        for volume in volumes.list()
        if (not dangling or (volume.name not in used) in dangling)
        and (not names or any(name in volume.name for name in names))
        and all(_labelled(volume.labels, text) for text in filters.get("label", ()))
        and ("driver" not in filters or "local" in filters["driver"])
    ]


def _labelled(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _row(volume: Volume) -> Row:
    labels = volume.labels
    cells: dict[str, object] = {
        "Driver": "local",
        "Name": volume.name,
        "Scope": "local",
        "Mountpoint": volume.folder,
        "Labels": ",".join(f"{key}={value}" for key, value in labels.items()),
        "Label": lambda key: labels.get(key, ""),
        "Links": "N/A",
        "Size": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
        "Status": "N/A",
    }
    return Row(cells, volume.to_json())
