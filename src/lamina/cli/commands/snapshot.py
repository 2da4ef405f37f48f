"""`lamina snapshot`: take a checkpoint of a container's files, list them, remove one."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.snapshots import ContainerSnapshot

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="snapshot",
    usage="lamina snapshot [OPTIONS] CONTAINER [NAME]",
    summary="Take a checkpoint of a container's files",
    description=(
        "Take a checkpoint of a container's files; without a NAME the next free number is its "
        "name. Takes milliseconds: nothing is read or packed before a commit asks for it. A "
        "container that runs is paused while what it has written is copied. Volumes and the "
        "memory of processes are no part of it."
    ),
    flags=(
        FORMAT,
        JSON,
        Flag("list", "l", kind=BOOL, help="List the container's checkpoints, oldest first"),
        Flag("quiet", "q", kind=BOOL, help="Only list names"),
        Flag("remove", "r", kind=BOOL, help="Remove the checkpoint NAME"),
    ),
    arity=(1, 2),
)
_COLUMNS = {"Name": "NAME", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT"}
_LISTING = Listing(_COLUMNS, ("Name", "CreatedSince"), quiet="Name")


def main(arguments: Arguments, context: Context) -> int:
    """Print the checkpoint's name."""
    container, *names = arguments.positional
    listing, removing = arguments.flag("list"), arguments.flag("remove")
    if listing and (removing or names):
        raise Invalid("--list takes no name and goes with no --remove")
    if removing and not names:
        raise Invalid("--remove needs the name of a checkpoint", hint="--list shows them")
    context.enter_namespace()
    containers = context.engine.containers
    if listing:
        now = context.now()
        rows = [_row(row, now) for row in containers.snapshots(container)]
        show(context, _LISTING, rows, arguments)
        return 0
    if removing:
        containers.forget(container, names[0])
        context.print(names[0])
        return 0
    context.print(containers.snapshot(container, names[0] if names else "").name)
    return 0


def _row(snapshot: ContainerSnapshot, now: float) -> Row:
    from lamina.cli.units import ago, since_epoch

    cells = {
        "Name": snapshot.name,
        "CreatedSince": ago(since_epoch(snapshot.created), now),
        "CreatedAt": snapshot.created,
    }
    return Row(cells, {"Name": snapshot.name, "CreatedAt": snapshot.created})
