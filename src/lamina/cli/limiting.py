"""The flags of resources that `run`, `create` and `update` share, and what they make."""

from __future__ import annotations

from lamina.cli.flags import BYTES, DECIMAL, INT, LIST, Flag
from lamina.cli.kinds import Kind, Value, parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.limits import Limits

__all__ = ["CREATE_FLAGS", "LIMIT_FLAGS", "limits_of", "warn"]


def _parse_swap(text: str) -> Value:
    return -1 if text == "-1" else parse_bytes(text)


_SWAP = Kind("bytes", 0, _parse_swap)

LIMIT_FLAGS = (
    Flag("cpu-period", kind=INT, help="Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag("cpu-quota", kind=INT, help="Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag("cpu-shares", "c", kind=INT, help="CPU shares (relative weight)"),
    Flag("cpus", kind=DECIMAL, help="Number of CPUs"),
    Flag("cpuset-cpus", help="CPUs in which to allow execution (0-3, 0,1)"),
    Flag("cpuset-mems", help="MEMs in which to allow execution (0-3, 0,1)"),
    Flag("memory", "m", kind=BYTES, help="Memory limit"),
    Flag("memory-reservation", kind=BYTES, help="Memory soft limit"),
    Flag(
        "memory-swap",
        kind=_SWAP,
        help="Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    ),
    Flag("pids-limit", kind=INT, help="Tune container pids limit (set -1 for unlimited)"),
)
CREATE_FLAGS = (
    *LIMIT_FLAGS,
    Flag("device", kind=LIST, help="Add a host device to the container"),
    Flag("oom-score-adj", kind=INT, help="Tune host's OOM preferences (-1000 to 1000)"),
    Flag("ulimit", kind=LIST, help="Ulimit options"),
)


def limits_of(arguments: Arguments) -> Limits:
    """Read the flags of LIMIT_FLAGS; what was not given is 0 or empty."""
    from lamina.spec.limits import Limits

    return Limits(
        memory=arguments.number("memory"),
        memory_swap=arguments.number("memory-swap"),
        memory_reservation=arguments.number("memory-reservation"),
        nano_cpus=arguments.number("cpus"),
        cpu_shares=arguments.number("cpu-shares"),
        cpu_period=arguments.number("cpu-period"),
        cpu_quota=arguments.number("cpu-quota"),
        cpuset_cpus=arguments.text("cpuset-cpus"),
        cpuset_mems=arguments.text("cpuset-mems"),
        pids=arguments.number("pids-limit"),
    )


def warn(context: Context, limits: Limits) -> None:
    """Say which limits cannot be kept here: never silently."""
    from lamina.engine.limits import discarded

    words = discarded(limits)
    for text in words:
        context.say(f"WARNING: {text}")
    if words:
        context.say(
            "hint: as root, or in a session with a group of its own: "
            "`systemd-run --user --scope -p Delegate=yes …`"
        )
