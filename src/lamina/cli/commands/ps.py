"""`lamina ps`: the containers there are."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, INT, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.cli.units import ago, calendar, human_duration, human_size, shorten, since_epoch
from lamina.engine.network_document import network_name, ports_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.listing import ContainerSummary

__all__ = ["COMMAND", "main", "status_text"]

COMMAND = Command(
    name="ps",
    usage="lamina ps [OPTIONS]",
    summary="List containers",
    flags=(
        Flag("all", "a", kind=BOOL, help="Show all containers (default shows just running)"),
        Flag("filter", "f", kind=FILTER, help="Filter output based on conditions provided"),
        FORMAT,
        JSON,
        Flag("last", "n", kind=INT, default=-1, help="Show n last created containers"),
        Flag("latest", "l", kind=BOOL, help="Show the latest created container"),
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        QUIET,
        Flag("size", "s", kind=BOOL, help="Display total file sizes"),
    ),
    arity=(0, 0),
)
_HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Names": "NAMES",
    "Labels": "LABELS",
    "Label": "()",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "LocalVolumes": "LOCAL VOLUMES",
}
_COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
_COMMAND_WIDTH = 20
_MOUNT_WIDTH = 15


def main(arguments: Arguments, context: Context) -> int:
    """List, newest first. Containers that do not run are not even read unless asked for."""
    count = 1 if arguments.flag("latest") else max(0, arguments.number("last"))
    wants_size = arguments.flag("size") or ".Size" in arguments.text("format")
    if wants_size:
        context.enter_namespace()
    found = context.engine.containers.list(
        all=arguments.flag("all"), filters=arguments.filters(), latest=count, size=wants_size
    )
    whole = arguments.flag("no-trunc")
    rows = [_row(summary, context.now(), whole=whole) for summary in found]
    columns = (*_COLUMNS, "Size") if arguments.flag("size") else _COLUMNS
    show(context, Listing(_HEADERS, columns), rows, arguments)
    return 0


def _row(summary: ContainerSummary, now: float, *, whole: bool) -> Row:
    record, state = summary.record, summary.state
    created = since_epoch(record.created)
    labels = record.config.get("Labels") or {}
    command = record.command if whole else shorten(record.command, _COMMAND_WIDTH)
    mounts = [str(m.get("Name") or m["Source"]) for m in record.mounts]
    size = f"{human_size(summary.size, precision=3)}" if summary.size >= 0 else ""
    cells: dict[str, object] = {
        "ID": record.id if whole else record.id[:12],
        "Image": record.image_name,
        "Command": f'"{command}"',
        "CreatedAt": calendar(created),
        "RunningFor": ago(created, now),
        "Ports": ports_text(record, state),
        "State": state.status,
        "Status": status_text(summary, now),
        "Size": size,
        "Names": record.name,
        "Labels": ",".join(f"{key}={value}" for key, value in labels.items()),
        "Label": lambda key: labels.get(key, ""),
        "Mounts": ",".join(m if whole else shorten(m, _MOUNT_WIDTH) for m in mounts),
        "Networks": ",".join(state.network.get("Networks") or ()) or network_name(record),
        "LocalVolumes": str(sum(1 for m in record.mounts if m["Type"] == "volume")),
    }
    document = {
        "Id": record.id,
        "Name": record.name,
        "Image": record.image_name,
        "ImageID": str(record.image_id),
        "Command": [record.path, *record.args],
        "Created": record.created,
        "State": state.status,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "StartedAt": state.started,
        "FinishedAt": state.finished,
        "Labels": labels,
        "Mounts": mounts,
        **({"SizeRw": summary.size} if summary.size >= 0 else {}),
    }
    return Row(cells, document)


def status_text(summary: ContainerSummary, now: float) -> str:
    """Say how a container is: `Up 9 seconds (Paused)`, `Exited (3) 2 minutes ago`, `Created`."""
    state = summary.state
    if state.is_running:
        if state.status == "restarting":
            return f"Restarting ({state.exit_code}) {ago(since_epoch(state.finished), now)}"
        text = f"Up {human_duration(now - since_epoch(state.started))}"
        if state.status == "paused":
            return f"{text} (Paused)"
        health = state.health.get("Status", "")
        if health:
            return f"{text} ({'health: starting' if health == 'starting' else health})"
        return text
    if state.status == "exited":
        return f"Exited ({state.exit_code}) {ago(since_epoch(state.finished), now)}"
    return state.status.capitalize()
