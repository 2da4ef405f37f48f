"""`lamina stats`: what containers use, as it changes."""

from __future__ import annotations

from contextlib import suppress

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, Listing, Row, show
from lamina.cli.units import human_size
from lamina.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.records import ContainerRecord
    from lamina.engine.stats import Sample

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="stats",
    usage="lamina stats [OPTIONS] [CONTAINER...]",
    summary="Display a live stream of container(s) resource usage statistics",
    flags=(
        Flag("all", "a", kind=BOOL, help="Show all containers (default shows just running)"),
        FORMAT,
        Flag("no-stream", kind=BOOL, help="Disable streaming stats and only pull the first result"),
        Flag("no-trunc", kind=BOOL, help="Do not truncate output"),
        Flag("json", kind=BOOL, hidden=True),
        Flag("quiet", kind=BOOL, hidden=True),
    ),
    arity=(0, None),
)
_HEADERS = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
_COLUMNS = tuple(name for name in _HEADERS if name != "Container")
_FIRST_S, _EVERY_S = 0.25, 1.0


def main(arguments: Arguments, context: Context) -> int:
    """Print a table each second until interrupted; with `--no-stream` once."""
    import time

    from lamina.engine.stats import sample

    engine = context.engine
    once = arguments.flag("no-stream")
    whole = arguments.flag("no-trunc")
    chosen = _chosen(arguments, context)
    before = {record.id: sample(engine, record) for _, record in chosen}
    pause = _FIRST_S
    while True:
        time.sleep(pause)
        rows = []
        after: dict[str, Sample] = {}
        for name, record in _still(arguments, context, chosen):
            after[record.id] = now = sample(engine, record)
            rows.append(_row(name, record, before.get(record.id, now), now, whole=whole))
        if arguments.positional and not rows:  # all of them are gone
            return 0
        if not once and context.is_terminal:
            context.out.write("\033[H\033[J")
        show(context, Listing(_HEADERS, _COLUMNS), rows, arguments)
        context.out.flush()
        if once:
            return 0
        before, pause = after, _EVERY_S


def _chosen(arguments: Arguments, context: Context) -> list[tuple[str, ContainerRecord]]:
    """Give the containers that were named, as they were, else those that run by their IDs.

    Raises: ContainerUnknown.
    """
    containers = context.engine.containers
    if arguments.positional:
        return [(name, containers.record(name)) for name in arguments.positional]
    found = []
    for summary in containers.list(all=arguments.flag("all")):
        with suppress(NotFound):  # it ended just now, and was made with --rm
            found.append(("", containers.record(summary.id)))
    return found


def _still(
    arguments: Arguments, context: Context, chosen: list[tuple[str, ContainerRecord]]
) -> list[tuple[str, ContainerRecord]]:
    """Give those that run now, or those of the named ones that were not removed meanwhile."""
    if not arguments.positional:
        return _chosen(arguments, context)
    found = []
    for name, record in chosen:
        with suppress(NotFound):
            found.append((name, context.engine.containers.record(record.id)))
    return found


def _row(name: str, record: ContainerRecord, before: Sample, now: Sample, *, whole: bool) -> Row:
    from lamina.engine.stats import share

    runs = now.threads > 0
    part = now.memory / now.limit if now.limit else 0.0
    used = f"{human_size(now.memory, binary=True)} / {human_size(now.limit if runs else 0, binary=True)}"
    ident = record.id if whole else record.id[:12]
    return Row(
        {
            "Container": name or ident,
            "ID": ident,
            "Name": record.name,
            "CPUPerc": f"{share(before, now) * 100:.2f}%",
            "MemUsage": used,
            "MemPerc": f"{part * 100:.2f}%",
            "NetIO": f"{_decimal(now.received)} / {_decimal(now.sent)}",
            "BlockIO": f"{_decimal(now.read)} / {_decimal(now.written)}",
            "PIDs": str(now.threads),
        }
    )


def _decimal(size: int) -> str:
    return human_size(size, precision=3)
