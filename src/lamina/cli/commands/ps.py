"""`lamina ps`: the containers there are."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, INT, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.cli.units import ago, calendar, human_duration, human_size, shorten, since_epoch
from lamina.engine.network_document import network_name, ports_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
        Flag(
            "last",
            "n",
            kind=INT,
            default=-1,
            help="Show n last created containers (includes all states)",
        ),
        Flag(
            "latest", "l", kind=BOOL, help="Show the latest created container (includes all states)"
        ),
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
    """List, newest first. Containers that do not run are not even looked at unless asked for."""
    count = 1 if arguments.flag("latest") else max(0, arguments.number("last"))
    form = arguments.text("format")
    wants_size = arguments.flag("size") or ".Size" in form
    if wants_size:
        context.enter_namespace()
    found = context.engine.containers.list(
        all=arguments.flag("all"), filters=arguments.filters(), latest=count, size=wants_size
    )
    if any(row.is_over for row in found):
        found = _without_over(context, found)
    columns = (*_COLUMNS, "Size") if arguments.flag("size") else _COLUMNS
    shown: Iterable[str] = _CELLS
    if not arguments.flag("json") and form in ("", "table"):  # a thousand rows of what is not shown
        shown = ("ID",) if arguments.flag("quiet") else columns
    now, whole = context.now(), arguments.flag("no-trunc")
    rows = [
        Row(
            {name: _CELLS[name](summary, now, whole) for name in shown},
            _document(summary) if arguments.flag("json") else {},
        )
        for summary in found
    ]
    show(context, Listing(_HEADERS, columns), rows, arguments)
    return 0


def _without_over(
    context: Context, found: tuple[ContainerSummary, ...]
) -> tuple[ContainerSummary, ...]:
    """Remove what was to go at its end and lost its shim first, as Docker's daemon does when it starts.

    What cannot be removed is shown.
    """
    from lamina.errors import LaminaError

    try:
        context.enter_namespace()
        removed = set(context.engine.containers.remove_over())
    except (LaminaError, OSError):
        return found
    return tuple(row for row in found if row.id not in removed)


def _command(summary: ContainerSummary, _: float, whole: bool) -> str:
    command = summary.outline.command
    return f'"{command if whole else shorten(command, _COMMAND_WIDTH)}"'


def _size(summary: ContainerSummary, _: float, __: bool) -> str:
    if summary.size < 0:
        return ""
    own = human_size(summary.size, precision=3)
    if not summary.image_size:
        return own
    return f"{own} (virtual {human_size(summary.size + summary.image_size, precision=3)})"


def _mounts(summary: ContainerSummary) -> list[str]:
    return [str(mount.get("Name") or mount.get("Source") or "") for mount in summary.outline.mounts]


def _networks(summary: ContainerSummary) -> str:
    names = summary.state.network.get("Networks") or ()
    return ",".join(names) or network_name(summary.outline.network_mode)


_CELLS: dict[str, Callable[[ContainerSummary, float, bool], object]] = {
    "ID": lambda row, _, whole: row.id if whole else row.id[:12],
    "Image": lambda row, _, __: row.outline.image_name,
    "Command": _command,
    "CreatedAt": lambda row, _, __: calendar(since_epoch(row.outline.created)),
    "RunningFor": lambda row, now, _: ago(since_epoch(row.outline.created), now),
    "Ports": lambda row, _, __: ports_text(row.outline.exposed, row.state),
    "State": lambda row, _, __: row.state.status,
    "Status": lambda row, now, _: status_text(row, now),
    "Size": _size,
    "Names": lambda row, _, __: row.name,
    "Labels": lambda row, _, __: ",".join(f"{k}={v}" for k, v in row.outline.labels.items()),
    "Label": lambda row, _, __: lambda key: row.outline.labels.get(key, ""),
    "Mounts": lambda row, _, whole: ",".join(
        name if whole else shorten(name, _MOUNT_WIDTH) for name in _mounts(row)
    ),
    "Networks": lambda row, _, __: _networks(row),
    "LocalVolumes": lambda row, _, __: str(
        sum(mount["Type"] == "volume" for mount in row.outline.mounts)
    ),
}


def _document(summary: ContainerSummary) -> dict[str, object]:
    """Give what `--json` prints of one container."""
    outline, state = summary.outline, summary.state
    sizes = {"SizeRw": summary.size, "SizeRootFs": summary.size + summary.image_size}
    return {
        "Id": outline.id,
        "Name": outline.name,
        "Image": outline.image_name,
        "ImageID": outline.image_id,
        "Command": list(outline.words),
        "Created": outline.created,
        "State": state.status,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "StartedAt": state.started,
        "FinishedAt": state.finished,
        "Labels": outline.labels,
        "Mounts": _mounts(summary),
        **(sizes if summary.size >= 0 else {}),
    }


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
